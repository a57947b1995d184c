"""Mail: writing a message from an outbox row.

A mail has one template, `templates/mail/<kind>.txt`: the subject, then paragraphs. The HTML part is made of the same
paragraphs, so that the two cannot differ. A paragraph `Label: address` with an address of ours is a button there, and
lines that begin with `>` are somebody's own words.
"""

import hashlib
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import css_inline
from flask import current_app, render_template

from referralhub.clock import now
from referralhub.config import Settings
from referralhub.database import reading, transaction
from referralhub.models import OutboxMessage, TokenPurpose, User
from referralhub.services.accounts import tokens
from referralhub.services.mailing import outbox, subscriptions
from referralhub.services.mailing.delivery import Unwanted
from referralhub.services.mailing.kinds import KINDS
from referralhub.services.referrals import invitations, member_list
from referralhub.urls import public_url
from referralhub.words.mail import unlinked

# The pages to which links with a token lead.
TOKEN_PAGES = {
    TokenPurpose.VERIFY_ADDRESS: "auth.verify",
    TokenPurpose.CHANGE_ADDRESS: "account.confirm_change",
    TokenPurpose.RESET_PASSWORD: "auth.reset_password",
}


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
    kind = KINDS[message.kind]
    address = message.address or user.email
    values: dict[str, Any] = {"user": user, "dashboard_url": public_url("dashboard.home"), **message.payload}
    review = urlsplit(public_url("admin_review.index")).path
    values["review_url"] = public_url("auth.login", next=review)  # to one who is signed out there is no panel
    with transaction() as session:
        if not outbox.still_due(session, message.id) or not _wanted(message, user, settings):
            raise Unwanted
        if purpose := kind.token:
            values["url"] = public_url(
                TOKEN_PAGES[purpose], token=tokens.issue(session, purpose, user.id, address, now())
            )
    if "referral_id" in message.payload:
        values["friend"] = unlinked(member_list.name_of_friend(message.payload["referral_id"]))
    if kind.is_invitation:
        invitation_id = message.payload["invitation_id"]
        token = invitations.token(invitation_id, settings.secret_key)
        link = f"{public_url('landing.follow', code=user.profile.code)}?via=email&i={token}"
        values |= {**invitations.letter(invitation_id), "url": link}
        values["inviter"] = unlinked(values["inviter"])
    mail = _compose(message, address, values, settings)
    reading().rollback()  # ends the reading: posting can take long
    return mail


def _compose(message: OutboxMessage, address: str, values: dict[str, Any], settings: Settings) -> EmailMessage:
    kind, host = KINDS[message.kind], urlsplit(settings.base_url).hostname or "localhost"
    unsubscribe_url = None
    if kind.is_invitation:
        unsubscribe_url = public_url(
            "account.unsubscribe", token=subscriptions.refusal_token(address, settings.secret_key)
        )
    elif kind.is_news:
        token = subscriptions.muting_token(message.user_id, message.kind, settings.secret_key)
        unsubscribe_url = public_url("account.unsubscribe", token=token)
    settings_url = public_url("account.notifications")
    values = {**values, "kind": message.kind, "unsubscribe_url": unsubscribe_url, "settings_url": settings_url}
    subject, _, body = render_template(f"mail/{message.kind.value}.txt", **values).partition("\n")
    footer = render_template("mail/footer.txt", **values).strip()

    mail = EmailMessage()
    mail["Subject"] = " ".join(subject.split())  # a name may have a separator in it that counts as a line's end
    mail["From"] = parse_qs(urlsplit(settings.mail_url).query).get("from", [f"ReferralHub <no-reply@{host}>"])[0]
    mail["To"] = address
    mail["Message-ID"] = f"<{message.id:08}.{hashlib.sha256(message.key.encode()).hexdigest()[:24]}@{host}>"
    mail["Date"] = message.created
    if unsubscribe_url:  # RFC 8058: the mail program shows a button of its own
        mail["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(f"{body.strip()}\n\n-- \n{footer}\n")
    page = render_template(
        "mail/layout.html",
        subject=subject,
        paragraphs=[_paragraph(text, settings.base_url) for text in body.strip().split("\n\n")],
        footer=[_paragraph(line, settings.base_url) for line in footer.splitlines()],
    )
    mail.add_alternative(_inliner().inline(page), subtype="html")
    return mail


def _wanted(message: OutboxMessage, user: User, settings: Settings) -> bool:
    """News goes to confirmed addresses only, and nothing to anybody who switched it off."""
    kind = KINDS[message.kind]
    if not user.is_active:
        return False
    if kind.is_news:
        return user.verified_at is not None and message.kind not in user.muted
    if kind.is_invitation:
        return message.address is not None and invitations.still_wanted(message.address)
    return True


def _paragraph(text: str, base_url: str) -> Paragraph:
    if text.startswith(">"):
        return Paragraph("\n".join(line.removeprefix(">").strip() for line in text.splitlines()), quoted=True)
    label, _, url = text.rpartition(": ")
    if label and "\n" not in text and url.startswith(f"{base_url}/"):
        return Paragraph(label, url)
    return Paragraph(text)


@cache
def _inliner() -> css_inline.CSSInliner:
    # Rules that depend on the reader's screen cannot be inlined: they stay in the head.
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
