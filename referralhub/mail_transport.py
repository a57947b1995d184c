"""Handing mail over: to an SMTP server, or to a folder on a development machine."""

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import parse_qs, unquote, urlsplit

from referralhub.config import SWITCHES, Settings
from referralhub.services.mailing.delivery import Post, Refused

PATIENCE = 35  # seconds to wait for each answer of a mail server
CHECK_PATIENCE = 5  # the same while somebody watches


def mail_folder(settings: Settings) -> Path:
    """Where `MAIL_URL=file:` puts its .eml files."""
    return settings.instance_path / "mail"


def transport(settings: Settings) -> Post:
    """Return what hands mail over, as `MAIL_URL` says: to a folder or to a server."""
    return _transport(settings)


def post_at_once(settings: Settings, mail: EmailMessage) -> None:
    """Hand over one mail while somebody watches. Raises OSError or Refused."""
    post = _transport(settings, CHECK_PATIENCE)
    post(mail)
    post.leave()


def check(settings: Settings) -> None:
    """Do everything that handing mail over takes, but send nothing. Raises OSError."""
    _transport(settings, CHECK_PATIENCE).check()


def _transport(settings: Settings, patience: float = PATIENCE) -> "_Folder | _Server":
    if urlsplit(settings.mail_url).scheme == "file":
        return _Folder(mail_folder(settings))
    return _Server(settings.mail_url, patience)


class _Folder:
    """Writes each mail to a file; a repeated delivery overwrites the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, mail: EmailMessage) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = mail["Message-ID"].strip("<>").partition("@")[0]
        (self.folder / f"{name}.eml").write_bytes(mail.as_bytes())

    def leave(self) -> None:
        """Do nothing: there is nobody to leave."""

    def check(self) -> None:
        """Write a file that is gone at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=self.folder) as file:
            file.write(b"mail")


class _Server:
    """Hands mail to an SMTP server; a connection that has served waits for the next mail, whichever thread sends it."""

    def __init__(self, url: str, patience: float) -> None:
        self.patience = patience
        self.server = urlsplit(url)
        self.starttls = SWITCHES[parse_qs(self.server.query).get("tls", ["0"])[0].lower()]
        self.idle: list[smtplib.SMTP] = []

    def __call__(self, mail: EmailMessage) -> None:
        """Deliver one mail. Raises OSError, of which smtplib's errors are a kind, or Refused."""
        smtp = self._connection()
        try:
            smtp.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            smtp.close()
            ((code, text),) = error.recipients.values()
            raise refusal(code, text) from None
        except smtplib.SMTPDataError as error:
            smtp.close()
            raise refusal(error.smtp_code, error.smtp_error) from None
        except BaseException:
            smtp.close()
            raise
        self.idle.append(smtp)

    def leave(self) -> None:
        """Say goodbye on every connection that waits for another mail."""
        while self.idle:
            with suppress(OSError):
                self.idle.pop().quit()

    def check(self) -> None:
        """Connect, greet, encrypt and sign in as configured, and say goodbye."""
        with self._connect() as smtp:
            smtp.ehlo_or_helo_if_needed()

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
        patience = self.patience
        host, port = self.server.hostname or "localhost", self.server.port
        smtp = (
            smtplib.SMTP_SSL(host, port or 465, timeout=patience, context=ssl.create_default_context())
            if self.server.scheme == "smtps"
            else smtplib.SMTP(host, port or 25, timeout=patience)
        )
        try:
            if self.starttls:
                smtp.starttls(context=ssl.create_default_context())
            if self.server.username:
                smtp.login(unquote(self.server.username), unquote(self.server.password or ""))
        except BaseException:
            smtp.close()
            raise
        return smtp


def refusal(code: int, text: bytes | str) -> Exception:
    """Make the error of a mail server's answer, which tells "never" (5xx, RFC 5321 4.2.1) from "not now"."""
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    return (Refused if code >= 500 else OSError)(f"{code} {said}")
