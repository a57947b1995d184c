"""The mail that was sent, shown in the browser. Registered in development only."""

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from flask import Blueprint, current_app, render_template

from referralhub.mail_transport import mail_folder

bp = Blueprint("mailbox", __name__)
NEWEST = 50


@dataclass(frozen=True)
class Letter:
    """One sent mail as a person reads it."""

    to: str
    subject: str
    date: str
    body: str


@bp.get("/dev/mailbox")
def show() -> str:
    """List the newest mail first."""
    files = sorted(mail_folder(current_app.config["SETTINGS"]).glob("*.eml"), reverse=True)[:NEWEST]
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    letters = [Letter(mail["To"], mail["Subject"], mail["Date"], _plain(mail)) for mail in mails]
    return render_template("dev/mailbox.html", letters=letters)


def _plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",)) or mail  # each of our mails has a plain text; any other is shown as it is
    content: str = body.get_content()
    return content
