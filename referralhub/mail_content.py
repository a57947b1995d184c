"""Mail: writing a message from an outbox row, in the language of who gets it.

What it says is a letter of `words/letters`. The text and the HTML part are made of the same paragraphs, so that the two
cannot differ; what is filled in cannot make a paragraph or a button of its own.
"""

import hashlib
from datetime import datetime
from email.message import EmailMessage
from email.utils import formataddr, parseaddr
from functools import cache
from urllib.parse import parse_qs, urlsplit

import css_inline
from flask import current_app, render_template

from referralhub import languages
from referralhub.clock import now
from referralhub.config import Settings
from referralhub.database import reading, transaction
from referralhub.models import LogoType, MessageKind, OutboxMessage, TokenPurpose, User
from referralhub.services.accounts import authentication, tokens
from referralhub.services.brand import in_force, texts
from referralhub.services.brand.in_force import Branding
from referralhub.services.mailing import outbox, subscriptions
from referralhub.services.mailing.delivery import Unwanted
from referralhub.services.mailing.kinds import KINDS
from referralhub.services.program import rules
from referralhub.services.recourse import answers, missing
from referralhub.services.referrals import invitations, member_list
from referralhub.urls import public_url
from referralhub.words import letters, offers
from referralhub.words.language import spoken, translated
from referralhub.words.letter_texts import FOOTERS
from referralhub.words.letters import Paragraph
from referralhub.words.mail import unlinked
from referralhub.words.referrals import member_name

# The pages to which links with a token lead.
TOKEN_PAGES = {
    TokenPurpose.VERIFY_ADDRESS: "auth.verify",
    TokenPurpose.CHANGE_ADDRESS: "account.confirm_change",
    TokenPurpose.RESET_PASSWORD: "auth.reset_password",
}
PROVES_ADDRESS = (TokenPurpose.VERIFY_ADDRESS, TokenPurpose.CHANGE_ADDRESS)


def write(message: OutboxMessage, user: User) -> EmailMessage:
    """Write the mail of one outbox row, with a text and an HTML part. Raises Unwanted.

    The Message-ID depends on the row alone, so that a receiver can tell a repeated delivery.
    """
    settings: Settings = current_app.config["SETTINGS"]
    address = message.address or user.email
    with transaction() as session:
        if not outbox.still_due(session, message.id) or not _wanted(message, user, settings):
            raise Unwanted
        token, purpose = None, KINDS[message.kind].token
        if purpose:  # made in any case: what the worker does then must not take less time
            token = tokens.issue(session, purpose, user.id, address, now())
        owner = authentication.owner_of(session, address) if purpose in PROVES_ADDRESS else None
        if owner is not None and owner.id == user.id:
            owner = None
    reader = owner or user
    with languages.speaking(reader.language or reader.browser_language):
        mail = _compose(message, user, owner, address, token, settings)
    reading().commit()  # ends the reading: posting can take long, and the message is still asked for its number then
    return mail


def _compose(
    message: OutboxMessage, user: User, owner: User | None, address: str, token: str | None, settings: Settings
) -> EmailMessage:
    """Write it; to the `owner` of an address that somebody else has typed, it says so instead."""
    brand = in_force.brand()
    values = letters.values_of(message.payload) | _addresses(message, address, token, settings)
    values |= {"name": _greeted(user, address), "brand": brand.name, "support_email": brand.support_email or ""}
    reward = ""
    if "referral_id" in message.payload:
        values["friend"] = unlinked(member_name(member_list.name_of_friend(message.payload["referral_id"])))
    if KINDS[message.kind].is_invitation:
        inviting = invitations.letter(message.payload["invitation_id"])
        reward = offers.in_letter(inviting.terms)
        values |= _invitation(message, inviting.code, settings)
        values |= {"inviter": unlinked(inviting.inviter), "words": inviting.words, "reward": reward}
    if message.kind is MessageKind.FRIEND_JOINED:
        terms = rules.current().terms
        values["promise"] = offers.to_member(terms) if terms.by_event else ""
    if KINDS[message.kind].is_claim:
        values |= _claim(message, user, settings)
    name = letters.letter_for(message.kind, message.payload, reward, by_event=bool(values.get("promise")))
    if owner:
        name, values["name"], values["url"] = "address_taken", _greeted(owner, address), public_url("auth.login")
    subject, body = letters.said(name, values, texts.own(name, spoken()))
    mail = _assembled(subject, body, letters.paragraphs(_footer(message, brand), values), brand, settings)
    mail["To"] = address
    mail["Message-ID"] = f"<{message.id:08}.{_digest(message.key)}@{_host(settings)}>"
    mail["Date"] = message.created
    if unsubscribe_url := values.get("unsubscribe_url"):  # RFC 8058: the mail program shows a button of its own
        mail["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return mail


def _greeted(user: User, address: str) -> str:
    """Return the name with which a mail begins; "" where there is none that says anything.

    A display name can say whatever its owner likes, so nobody has us write it to an address that is not proven theirs.
    """
    if not user.has_made_up_name:
        return user.username
    is_theirs = user.verified_at is not None and address.lower() == user.email.lower()
    return unlinked(user.display_name) if is_theirs else ""


def sample(subject: str, body: list[Paragraph], address: str, at: datetime) -> EmailMessage:
    """Write a mail that has these words and nothing to do with anybody, for who looks after them."""
    settings: Settings = current_app.config["SETTINGS"]
    brand = in_force.brand()
    values = {"brand": brand.name, "support_email": brand.support_email or ""}
    footer = letters.paragraphs(_foot(["account"], brand), values)
    mail = _assembled(subject, body, footer, brand, settings)
    mail["To"] = address
    mail["Message-ID"] = f"<sample.{_digest(f'{address} {at} {subject} {body}')}@{_host(settings)}>"
    mail["Date"] = at
    return mail


def _assembled(
    subject: str, body: list[Paragraph], footer: list[Paragraph], brand: Branding, settings: Settings
) -> EmailMessage:
    """Put together what every mail has: subject, sender, and the same paragraphs as text and as HTML."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject.split())  # a name may have a separator in it that counts as a line's end
    mail["From"] = _sender(settings, brand, _host(settings))
    if brand.support_email:
        mail["Reply-To"] = brand.support_email
    text, foot = (separator.join(each.plain() for each in part) for separator, part in (("\n\n", body), ("\n", footer)))
    mail.set_content(f"{text}\n\n-- \n{foot}\n")
    page = render_template(
        "mail/layout.html",
        subject=subject,
        paragraphs=body,
        footer=footer,
        brand=brand,
        palette=brand.palette,
        logo_url=_logo_url(brand),
    )
    mail.add_alternative(_inliner().inline(page), subtype="html")
    return mail


def _addresses(message: OutboxMessage, address: str, token: str | None, settings: Settings) -> dict[str, str]:
    """Return the pages to which a mail leads."""
    kind = KINDS[message.kind]
    review, webhooks = (urlsplit(public_url(f"admin_{page}.index")).path for page in ("review", "webhooks"))
    found = {
        "dashboard_url": public_url("dashboard.home"),
        "settings_url": public_url("account.notifications"),
        "review_url": public_url("auth.login", next=review),  # to one who is signed out there is no panel
        "webhooks_url": public_url("auth.login", next=webhooks),
    }
    if kind.token and token:
        found["url"] = public_url(TOKEN_PAGES[kind.token], token=token)
    if kind.is_invitation:
        refusal = subscriptions.refusal_token(address, settings.secret_key)
        found["unsubscribe_url"] = public_url("account.unsubscribe", token=refusal)
    elif kind.is_news:
        muting = subscriptions.muting_token(message.user_id, message.kind, settings.secret_key)
        found["unsubscribe_url"] = public_url("account.unsubscribe", token=muting)
    return found


def _invitation(message: OutboxMessage, code: str, settings: Settings) -> dict[str, str]:
    token = invitations.token(message.payload["invitation_id"], settings.secret_key)
    return {"url": f"{public_url('landing.follow', code=code)}?via=email&i={token}"}


def _claim(message: OutboxMessage, user: User, settings: Settings) -> dict[str, str]:
    claim_id = message.payload["claim_id"]
    told = missing.letter(claim_id, user.id)
    page = public_url("dashboard.claims" if told.is_claimant else "account.referrer")
    if message.kind is MessageKind.CLAIM_QUESTION:
        token = answers.token(claim_id, user.profile.id, settings.secret_key)
        page = public_url("dashboard.claim_question", token=token)
    people = {"inviter": told.claimant, "friend": told.friend}
    return {"url": page, "reason": told.reason} | {who: unlinked(member_name(name)) for who, name in people.items()}


def _footer(message: OutboxMessage, brand: Branding) -> str:
    kind = KINDS[message.kind]
    return _foot(["invitation" if kind.is_invitation else "news" if kind.is_news else "account"], brand)


def _foot(lines: list[str], brand: Branding) -> str:
    """Return the foot as paragraphs, one for each line."""
    if brand.support_email:
        lines = [*lines, "support"]
    return "\n".join(translated(FOOTERS[each]) for each in lines).replace("\n", "\n\n")


def _host(settings: Settings) -> str:
    return urlsplit(settings.base_url).hostname or "localhost"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _sender(settings: Settings, brand: Branding, host: str) -> str:
    """Return whom a mail is from: the brand, at the address that MAIL_URL says."""
    chosen = parse_qs(urlsplit(settings.mail_url).query).get("from", [""])[0]
    name, address = parseaddr(chosen)
    return formataddr((brand.sender_name or name or brand.name, address or f"no-reply@{host}"))


def _logo_url(brand: Branding) -> str | None:
    """Return the address of the logo, if it is one that mail programs show."""
    if brand.logo is None or brand.logo.media_type is not LogoType.PNG:
        return None
    return public_url("brand.logo", digest=brand.logo.digest, extension="png")


def _wanted(message: OutboxMessage, user: User, settings: Settings) -> bool:
    """News and claims go to confirmed addresses only, and nothing to anybody who switched it off."""
    kind = KINDS[message.kind]
    if not user.is_active or not (message.address or user.has_address):
        return False
    if kind.is_news:
        return user.verified_at is not None and message.kind not in user.muted
    if kind.is_claim and user.verified_at is None:
        return False
    if message.kind is MessageKind.CLAIM_QUESTION:
        return missing.is_asked(message.payload["claim_id"], user.profile.id)
    if kind.is_invitation:
        return message.address is not None and invitations.still_wanted(message.address)
    return True


@cache
def _inliner() -> css_inline.CSSInliner:
    # Rules that depend on the reader's screen cannot be inlined: they stay in the head.
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
