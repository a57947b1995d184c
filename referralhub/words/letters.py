"""What each mail says: a subject, and paragraphs with an empty line between them, with placeholders for values.

A paragraph `Label: {some_url}` is a button, and `{words}` alone is somebody's own words. One that comes out empty is
left out.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from referralhub.models import Badge, MessageKind
from referralhub.services.mailing.letters import BUTTON, Letter, filled, names_in
from referralhub.words.amounts import format_amount, format_number
from referralhub.words.language import N_, translated


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


LETTERS = {
    "verify_address": Letter(
        N_("Confirm your address for {brand}"),
        N_("""Hello {name},

please confirm that this address is yours. One click, and your account is complete.

Confirm my address: {url}

The link works for 24 hours. If you didn't make an account, do nothing: without this nothing happens."""),
    ),
    "change_address": Letter(
        N_("Confirm your new address for {brand}"),
        N_("""Hello {name},

you asked us to write to this address from now on.

Use this address: {url}

The link works for 24 hours. If that wasn't you, do nothing: then nothing changes."""),
    ),
    "address_changed": Letter(
        N_("Your address at {brand} was changed"),
        N_("""Hello {name},

mail about your account goes to another address from now on, as you asked. This is the last one that comes here.

If that wasn't you, somebody knows your password: write to those who run this site.

{brand}: {dashboard_url}"""),
    ),
    "address_taken": Letter(
        N_("You have an account at {brand} already"),
        N_("""Hello {name},

somebody, perhaps you, has just typed this address for another account at {brand}. It is that of yours, which is called {name}.

Sign in to my account: {url}

If you forgot your password, you can set a new one there. If that wasn't you, do nothing: nobody sees your account, and the other one gets nothing for your address."""),  # noqa: E501 - a paragraph is one line
    ),
    "reset_password": Letter(
        N_("Set a new password for {brand}"),
        N_("""Hello {name},

here is the link to set a new password. It works for 20 minutes, once.

Set a new password: {url}

If you didn't ask for it, do nothing: your password stays as it is."""),
    ),
    "password_changed": Letter(
        N_("Your password at {brand} was changed"),
        N_("""Hello {name},

your password was changed just now, and you are signed out everywhere else.

If that wasn't you, set a new one at once, by “Forgotten your password?” on the sign-in page.

{brand}: {dashboard_url}"""),
    ),
    "sign_in_changed": Letter(
        N_("How you sign in to {brand} was changed"),
        N_("""Hello {name},

{change}

If that wasn't you, set a new password at once, by “Forgotten your password?” on the sign-in page, and write to those who run this site.

{brand}: {dashboard_url}"""),  # noqa: E501 - a paragraph is one line
    ),
    "friend_joined": Letter(
        N_("{friend} joined by your link"),
        N_("""Hello {name},

{friend} made an account by your link. It counts for you as soon as they confirm their address.

See it on your dashboard: {dashboard_url}"""),
    ),
    "referral_confirmed": Letter(
        N_("{friend} joined: you earned {amount}"),
        N_("""Hello {name},

{friend} joined by your link and confirmed their address. You earned {amount}. You have brought {friends} so far.

See it on your dashboard: {dashboard_url}"""),
    ),
    "referral_confirmed_without_reward": Letter(
        N_("{friend} joined"),
        N_("""Hello {name},

{friend} joined by your link and confirmed their address. You have brought {friends} so far.

See it on your dashboard: {dashboard_url}"""),
    ),
    "referral_held": Letter(
        N_("{friend} joined: we're having a look"),
        N_("""Hello {name},

{friend} joined by your link and confirmed their address. Before it counts, somebody here looks at it; that is routine, and nothing is lost meanwhile.

See on your dashboard how it ends: {dashboard_url}"""),  # noqa: E501 - a paragraph is one line
    ),
    "referral_reversed": Letter(
        N_("A referral was taken back: {friend}"),
        N_("""Hello {name},

the credit for {friend} was taken back. The reason: {reason}

You have {confirmed_friends} now. Every entry is on your rewards page.

See it on your dashboard: {dashboard_url}"""),
    ),
    "badge_earned": Letter(
        N_("A new badge: {badge}"),
        N_("""Hello {name},

{friend} was the one: you now have {confirmed_friends}, and a badge for it.

See it on your dashboard: {dashboard_url}"""),
    ),
    "badge_earned_with_tier": Letter(
        N_("A new badge: {badge}"),
        N_("""Hello {name},

{friend} was the one: you now have {confirmed_friends}, and a badge for it. You are {tier} now, too.

See it on your dashboard: {dashboard_url}"""),
    ),
    "tier_reached": Letter(
        N_("You reached {tier}"),
        N_("""Hello {name},

{friend} was the one: with {confirmed_friends} you are {tier} now.

See it on your dashboard: {dashboard_url}"""),
    ),
    "weekly_digest": Letter(
        N_("Your week: {joined} joined, {visits}"),
        N_("""Hello {name},

last week your link was opened {opened}, and {joined} joined by it. Confirmed: {confirmed}.

You have brought {friends} so far.

See it on your dashboard: {dashboard_url}"""),
    ),
    "invitation": Letter(
        N_("{inviter} invites you to {brand}"),
        N_("""Hello,

{inviter} thinks that you would like {brand}.

{words}

Accept the invitation: {url}"""),
    ),
    "invitation_with_reward": Letter(
        N_("{inviter} invites you to {brand}"),
        N_("""Hello,

{inviter} thinks that you would like {brand}, and gives you {reward} to start.

{words}

Accept the invitation: {url}"""),
    ),
    "invitation_reminder": Letter(
        N_("{inviter} still holds a place for you at {brand}"),
        N_("""Hello,

{inviter} invited you to {brand} some days ago. The invitation still holds. This is the only reminder.

Accept the invitation: {url}"""),
    ),
    "invitation_reminder_with_reward": Letter(
        N_("{inviter} still holds a place for you at {brand}"),
        N_("""Hello,

{inviter} invited you to {brand} some days ago, with {reward} to start. The invitation still holds. This is the only reminder.

Accept the invitation: {url}"""),  # noqa: E501 - a paragraph is one line
    ),
    "review_reminder": Letter(
        N_("{waiting} for your decision"),
        N_("""Hello {name},

{waiting} for somebody to look at, some of them for days. Their members see “in review” meanwhile.

After 30 days, those that are not likely fraud confirm themselves.

Open the review queue: {review_url}"""),
    ),
    "share": Letter(  # what members send themselves: the link follows it
        N_("An invitation to {brand}"),
        N_("I'm using {brand} and think you'd like it. Join me with my link:"),
    ),
    "share_with_reward": Letter(
        N_("An invitation to {brand}"),
        N_("I'm using {brand} and think you'd like it. You get {reward}. Join me with my link:"),
    ),
}
FOOTERS = {
    "invitation": N_("""You get this because somebody gave us your address to invite you, once.
No more invitations, from anybody: {unsubscribe_url}"""),
    "news": N_("""You get this because you are a member of {brand}.
No more of these: {unsubscribe_url}
Choose what we mail you: {settings_url}"""),
    "account": N_("You get this because of your account at {brand}."),
    "support": N_("Questions? Write to {support_email}"),
}
SIGN_IN_CHANGES = {
    "two_factor_on": N_(
        "you are asked for a code from your app after your password from now on, and you are signed out everywhere "
        "else."
    ),
    "two_factor_off": N_("your password alone is enough from now on: no code is asked for after it any more."),
    "two_factor_taken_off": N_(
        "those who run this site have taken off the code that was asked for after your password. Set it up again on "
        "the pages of your account."
    ),
    "recovery_codes_renewed": N_("you have new recovery codes, and the ones of before work no more."),
    "recovery_code_used": N_(
        "one of your recovery codes was used. {left}; you can make new ones on the pages of your account."
    ),
    "provider_linked": N_(
        "your account was opened through your organization's sign-in for the first time. Only whoever it knows as you "
        "there gets in that way."
    ),
    "provider_unlinked": N_(
        "those who run this site have ended the tie between your account and your organization's sign-in."
    ),
}


def letter_for(kind: MessageKind, payload: Mapping[str, Any], reward: str | None) -> str:
    """Name the letter that says what happened; `reward` is what an invited friend gets, if anything."""
    match kind:
        case MessageKind.REFERRAL_CONFIRMED if not payload.get("amount"):
            return "referral_confirmed_without_reward"
        case MessageKind.BADGE_EARNED if payload.get("tier"):
            return "badge_earned_with_tier"
        case MessageKind.INVITATION | MessageKind.INVITATION_REMINDER if reward:
            return f"{kind.value}_with_reward"
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
