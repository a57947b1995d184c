"""Mail: making a message from an outbox row, and handing it to a server or a file."""

import hashlib
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from flask import current_app, render_template

from referralhub.config import Settings
from referralhub.models import MessageKind, OutboxMessage, User
from referralhub.services import accounts

PATIENCE = 10  # seconds to wait for a mail server that does not answer


def send(message: OutboxMessage, user: User) -> None:
    """Deliver one outbox row. Raises OSError (of which smtplib's errors are a kind) when it could not."""
    settings: Settings = current_app.config["SETTINGS"]
    mail = compose(message, user, settings)
    server = urlsplit(settings.mail_url)
    if server.scheme == "file":
        folder = mail_folder(settings)
        folder.mkdir(exist_ok=True)
        (folder / f"{message.id:08}-{message.kind.value}.eml").write_bytes(mail.as_bytes())
        return
    options = parse_qs(server.query)
    with smtplib.SMTP(server.hostname or "localhost", server.port or 25, timeout=PATIENCE) as smtp:
        if options.get("tls") == ["1"]:
            smtp.starttls(context=ssl.create_default_context())
        if server.username:
            smtp.login(unquote(server.username), unquote(server.password or ""))
        smtp.send_message(mail)


def compose(message: OutboxMessage, user: User, settings: Settings) -> EmailMessage:
    """Write the mail from its template, whose first line is the subject.

    The Message-ID depends on the outbox row alone, so that a receiver can tell a repeated delivery.
    """
    host = urlsplit(settings.base_url).hostname or "localhost"
    paths = current_app.url_map.bind(host)  # the worker has no request, which url_for would need
    links = {"dashboard_url": settings.base_url + paths.build("dashboard.home")}
    if message.kind is MessageKind.VERIFY_ADDRESS:
        token = accounts.verification_token(user, settings.secret_key)
        links["verify_url"] = settings.base_url + paths.build("auth.verify", {"token": token})
    text = render_template(f"mail/{message.kind.value}.txt", user=user, **links, **message.payload)
    subject, _, body = text.partition("\n")
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = parse_qs(urlsplit(settings.mail_url).query).get("from", [f"ReferralHub <no-reply@{host}>"])[0]
    mail["To"] = user.email
    mail["Message-ID"] = f"<{hashlib.sha256(message.key.encode()).hexdigest()[:32]}@{host}>"
    mail["Date"] = message.created
    mail.set_content(body.strip() + "\n")
    return mail


def mail_folder(settings: Settings) -> Path:
    """Where `MAIL_URL=file:` puts its .eml files."""
    return settings.instance_path / "mail"
