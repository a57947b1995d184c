"""Mail: writing a message from an outbox row, and handing it to a server or a file.

A mail has one template, `templates/mail/<kind>.txt`: the subject, then paragraphs. The HTML part is made of the same
paragraphs, so that the two cannot differ. A paragraph `Label: address` with an address of ours is a button there, and
lines that begin with `>` are somebody's own words.
"""

import hashlib
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import css_inline
from flask import current_app, render_template

from referralhub.clock import now
from referralhub.config import Settings
from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import NOTIFICATIONS, MessageKind, OutboxMessage, TokenPurpose, User
from referralhub.services import friends, invitations, outbox, subscriptions, tokens
from referralhub.services.delivery import Post, Refused, Unwanted

PATIENCE = 35  # seconds to wait for each answer of a mail server
TOKENS = {
    MessageKind.VERIFY_ADDRESS: (TokenPurpose.VERIFY_ADDRESS, "auth.verify"),
    MessageKind.CHANGE_ADDRESS: (TokenPurpose.CHANGE_ADDRESS, "account.confirm_change"),
    MessageKind.RESET_PASSWORD: (TokenPurpose.RESET_PASSWORD, "auth.reset_password"),
}
INVITATIONS = (MessageKind.INVITATION, MessageKind.INVITATION_REMINDER)


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of a mail: text, a button when it has a `url`, or somebody's own words."""

    text: str
    url: str | None = None
    quoted: bool = False


def write(message: OutboxMessage, user: User) -> EmailMessage:
    """Write the mail of one outbox row, with a text and an HTML part. Raises Unwanted.

    The Message-ID depends on the row alone, so that a receiver can tell a repeated delivery.
    """
    settings: Settings = current_app.config["SETTINGS"]
    host = urlsplit(settings.base_url).hostname or "localhost"
    address = message.address or user.email
    url = _urls(settings.base_url, host)
    values = {"user": user, "dashboard_url": url("dashboard.home"), "base_url": settings.base_url, **message.payload}
    with transaction() as session:
        if not outbox.still_due(session, message.id) or not _wanted(message, user, settings):
            raise Unwanted
        if message.kind in TOKENS:
            purpose, endpoint = TOKENS[message.kind]
            values["url"] = url(endpoint, token=tokens.issue(session, purpose, user.id, address, now()))
    if "referral_id" in message.payload:
        values["friend"] = friends.name_of_friend(message.payload["referral_id"])
    unsubscribe_url = None
    if message.kind in INVITATIONS:
        invitation_id = message.payload["invitation_id"]
        values |= invitations.letter(invitation_id)
        token = invitations.token(invitation_id, settings.secret_key)
        values["url"] = f"{url('landing.follow', code=user.profile.code)}?via=email&i={token}"
        unsubscribe_url = url("account.unsubscribe", token=subscriptions.refusal_token(address, settings.secret_key))
    elif message.kind in NOTIFICATIONS:
        token = subscriptions.muting_token(user.id, message.kind, settings.secret_key)
        unsubscribe_url = url("account.unsubscribe", token=token)

    subject, _, body = render_template(f"mail/{message.kind.value}.txt", **values).partition("\n")
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject.split())  # a name may have a separator in it that counts as a line's end
    mail["From"] = parse_qs(urlsplit(settings.mail_url).query).get("from", [f"ReferralHub <no-reply@{host}>"])[0]
    mail["To"] = address
    mail["Message-ID"] = f"<{message.id:08}.{hashlib.sha256(message.key.encode()).hexdigest()[:24]}@{host}>"
    mail["Date"] = message.created
    if unsubscribe_url:  # RFC 8058: the mail program shows a button of its own
        mail["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    footer = {"kind": message.kind, "unsubscribe_url": unsubscribe_url, "settings_url": url("account.notifications")}
    mail.set_content(f"{body.strip()}\n\n-- \n{render_template('mail/footer.txt', **footer).strip()}\n")
    page = render_template(
        "mail/layout.html",
        subject=subject,
        home_url=settings.base_url,
        paragraphs=[_paragraph(text, settings.base_url) for text in body.strip().split("\n\n")],
        **footer,
    )
    mail.add_alternative(_inliner().inline(page), subtype="html")
    db.session.rollback()  # ends the reading: posting can take long
    return mail


def mail_folder(settings: Settings) -> Path:
    """Where `MAIL_URL=file:` puts its .eml files."""
    return settings.instance_path / "mail"


def courier(settings: Settings) -> Post:
    """Make what hands mail over, as `MAIL_URL` says: to a folder or to a server."""
    if urlsplit(settings.mail_url).scheme == "file":
        return _Folder(mail_folder(settings))
    return _Server(settings.mail_url)


class _Folder:
    """Writes each mail to a file; a repeated delivery overwrites the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, mail: EmailMessage) -> None:
        self.folder.mkdir(exist_ok=True)
        name = mail["Message-ID"].strip("<>").partition("@")[0]
        (self.folder / f"{name}.eml").write_bytes(mail.as_bytes())


class _Server:
    """Hands mail to an SMTP server; a connection that has served waits for the next mail, whichever thread sends it."""

    def __init__(self, url: str) -> None:
        self.server = urlsplit(url)
        self.tls = parse_qs(self.server.query).get("tls") == ["1"]
        self.idle: list[smtplib.SMTP] = []

    def __call__(self, mail: EmailMessage) -> None:
        """Deliver one mail. Raises OSError, of which smtplib's errors are a kind, or Refused."""
        smtp = self._connection()
        try:
            smtp.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            smtp.close()
            ((code, text),) = error.recipients.values()
            raise _refusal(code, text) from None
        except smtplib.SMTPDataError as error:
            smtp.close()
            raise _refusal(error.smtp_code, error.smtp_error) from None
        except BaseException:
            smtp.close()
            raise
        self.idle.append(smtp)

    def _connection(self) -> smtplib.SMTP:
        while True:
            try:
                smtp = self.idle.pop()
            except IndexError:
                return self._connect()
            with suppress(OSError):
                if smtp.rset()[0] == 250:
                    return smtp
            smtp.close()  # the server ended it meanwhile, with a 421 or without a word

    def _connect(self) -> smtplib.SMTP:
        smtp = smtplib.SMTP(self.server.hostname or "localhost", self.server.port or 25, timeout=PATIENCE)
        try:
            if self.tls:
                smtp.starttls(context=ssl.create_default_context())
            if self.server.username:
                smtp.login(unquote(self.server.username), unquote(self.server.password or ""))
        except BaseException:
            smtp.close()
            raise
        return smtp


def _wanted(message: OutboxMessage, user: User, settings: Settings) -> bool:
    """News goes to confirmed addresses only, and nothing to whoever switched it off."""
    if not user.is_active:
        return False
    if message.kind in NOTIFICATIONS:
        return user.verified_at is not None and message.kind not in user.muted
    if message.kind in INVITATIONS:
        return message.address is not None and invitations.still_wanted(message.address, settings.secret_key)
    return True


def _refusal(code: int, text: bytes | str) -> Exception:
    """Tell "never" (5xx, RFC 5321 4.2.1) from "not now"."""
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    return (Refused if code >= 500 else OSError)(f"{code} {said}")


def _paragraph(text: str, base_url: str) -> Paragraph:
    if text.startswith(">"):
        return Paragraph("\n".join(line.removeprefix(">").strip() for line in text.splitlines()), quoted=True)
    label, _, url = text.rpartition(": ")
    if label and "\n" not in text and url.startswith(f"{base_url}/"):
        return Paragraph(label, url)
    return Paragraph(text)


def _urls(base_url: str, host: str) -> Callable[..., str]:
    paths = current_app.url_map.bind(host)  # the worker has no request, which url_for would need

    def url(endpoint: str, **values: str) -> str:
        return base_url + paths.build(endpoint, values)

    return url


@cache
def _inliner() -> css_inline.CSSInliner:
    # Rules that depend on the reader's screen cannot be inlined: they stay in the head.
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
