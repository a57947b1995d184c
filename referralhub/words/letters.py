"""Filling in what mails and shared messages say: `letter_texts` has the words."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from referralhub.models import Badge, MessageKind
from referralhub.services.mailing.letters import BUTTON, Letter, filled, names_in
from referralhub.words.amounts import format_amount, format_number
from referralhub.words.language import N_, translated
from referralhub.words.letter_texts import LETTERS


class Paragraph(NamedTuple):
    """One paragraph of a mail: text, a button when it has a `url`, or somebody's own words."""

    text: str
    url: str | None = None
    quoted: bool = False

    def plain(self) -> str:
        """Return it as it stands in a text."""
        if self.quoted:
            return "\n".join(f"> {line}" for line in self.text.splitlines())
        return f"{self.text}: {self.url}" if self.url else self.text


SIGN_IN_CHANGES = {
    "two_factor_on": N_(
        "You are asked for a code from your app after your password from now on, and you are signed out everywhere "
        "else."
    ),
    "two_factor_off": N_("Your password alone is enough from now on: no code is asked for after it any more."),
    "two_factor_taken_off": N_(
        "Those who run this site have taken off the code that was asked for after your password. Set it up again on "
        "the pages of your account."
    ),
    "recovery_codes_renewed": N_("You have new recovery codes, and the ones of before work no more."),
    "recovery_code_used": N_(
        "One of your recovery codes was used. {left}; you can make new ones on the pages of your account."
    ),
    "provider_linked": N_(
        "Your account was opened through your organization's sign-in for the first time. Only whoever it knows as you "
        "there gets in that way."
    ),
    "provider_unlinked": N_(
        "Those who run this site have ended the tie between your account and your organization's sign-in."
    ),
}


def letter_for(kind: MessageKind, payload: Mapping[str, Any], reward: str, by_event: bool = False) -> str:
    """Name the letter that says what happened; `reward` is what an invited friend gets, if anything.

    `by_event` says that a friend who joined counts with an event of a product, and not with a confirmed address.
    """
    match kind:
        case MessageKind.FRIEND_JOINED if by_event:
            return "friend_joined_by_event"
        case MessageKind.REFERRAL_CONFIRMED if not payload.get("amount"):
            return "referral_confirmed_without_reward"
        case MessageKind.BADGE_EARNED if payload.get("tier"):
            return "badge_earned_with_tier"
        case MessageKind.INVITATION | MessageKind.INVITATION_REMINDER if reward:
            return f"{kind.value}_with_reward"
        case MessageKind.CLAIM_DECIDED | MessageKind.WEBHOOK_SWITCHED_OFF:
            about, _, _ = kind.value.partition("_")
            return f"{about}_{payload.get('state') or payload['why']}"
        case _:
            return kind.value


def original(name: str) -> Letter:
    """Return a letter of ours in the language that is spoken now."""
    return Letter(*map(translated, LETTERS[name]))


def said(name: str, values: Mapping[str, str], own: Letter | None = None) -> tuple[str, list[Paragraph]]:
    """Return subject and paragraphs of a letter, with its values filled in: the operator's `own` one, or ours.

    An own one that names what there is no longer, as after an upgrade, is not said.
    """
    letter = own if own and values.keys() >= {*names_in(own.subject), *names_in(own.body)} else original(name)
    return filled(letter.subject, values), paragraphs(letter.body, values)


def paragraphs(text: str, values: Mapping[str, str]) -> list[Paragraph]:
    """Return the paragraphs of a letter with its values filled in, but for those that come out empty."""
    found = []
    for paragraph in text.split("\n\n"):
        if button := BUTTON.fullmatch(paragraph):
            found.append(Paragraph(filled(button["label"], values), values[button["url"]]))
        elif paragraph == "{words}":
            found.append(Paragraph(values["words"], quoted=True))
        else:
            found.append(Paragraph(filled(paragraph, values)))
    return [each for each in found if each.text.strip()]


def values_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """Return what is filled into a letter, of what its row in the outbox says."""
    found: dict[str, Any] = {**payload}
    counts = {name: number for name, number in payload.items() if isinstance(number, int)}
    if "total" in counts:
        found["friends"] = _friends(counts["total"])
        found["confirmed_friends"] = ngettext(
            "%(number)s confirmed friend", "%(number)s confirmed friends", counts["total"],
            number=format_number(counts["total"]),
        )  # fmt: skip
    if payload.get("amount"):
        found["amount"] = format_amount(payload["amount"], payload["unit"])
    if "badge" in payload:
        first = payload["badge"] == Badge.FIRST
        found["badge"] = _("your first referral") if first else badge_name(payload["badge"])
    if "joined" in counts:
        visits = counts["visits"]
        found["joined"], found["confirmed"] = _friends(counts["joined"]), format_number(counts["confirmed"])
        found["visits"] = ngettext("%(number)s visit", "%(number)s visits", visits, number=format_number(visits))
        found["opened"] = ngettext("%(number)s time", "%(number)s times", visits, number=format_number(visits))
    if "waiting" in counts:
        found["waiting"] = ngettext("%(num)d referral waits", "%(num)d referrals wait", counts["waiting"])
    if "change" in payload:
        left = ngettext("%(num)d is left", "%(num)d are left", counts.get("left", 0))
        found["change"] = translated(SIGN_IN_CHANGES[payload["change"]]).format(left=left)
    return {name: str(value) for name, value in found.items()}


def badge_name(badge: str) -> str:
    """Return what a badge is called: "First referral", "10 referrals"."""
    if badge == Badge.FIRST:
        return _("First referral")
    return _("%(number)s referrals", number=format_number(int(badge)))


def _friends(number: int) -> str:
    return ngettext("%(number)s friend", "%(number)s friends", number, number=format_number(number))
