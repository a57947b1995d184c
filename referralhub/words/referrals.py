"""Why a referral is where it is, and why an address is not invited, in words."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from referralhub.models import Reason, ReasonCode, ReferralState
from referralhub.services.referrals.invitations import DAILY, Objection
from referralhub.words.dates import day
from referralhub.words.language import N_, translated

REASONS: dict[str, str] = {
    ReasonCode.SIGNED_UP: N_("signed up"),
    ReasonCode.ADDRESS_VERIFIED: N_("address verified"),
    ReasonCode.VERIFICATION_NOT_REQUIRED: N_("address verification is not required"),
    ReasonCode.VOUCHED_FOR: N_("signed up with the product, which knows them"),
    ReasonCode.EVENT_QUALIFIED: N_("an event that the program rewards: {type}"),
    ReasonCode.NOT_VERIFIED_IN_TIME: N_("the address was not confirmed within {days} days"),
    ReasonCode.NOT_DECIDED_IN_TIME: N_("nobody decided within {days} days, and the score is under {below}"),
    ReasonCode.ALREADY_CUSTOMER: N_("already a customer"),
    ReasonCode.CODE_ENTERED: N_("the friend entered the code on {at}"),
    ReasonCode.FRIEND_AGREED: N_("the friend said who invited them on {at}"),
    ReasonCode.APPEALED: N_("the referrer appealed"),
    ReasonCode.STATED: N_("{text}"),
}
OBJECTIONS = {
    Objection.OWN: N_("that is your own address"),
    Objection.MEMBER: N_("is a member already"),
    Objection.REFUSED: N_("does not want invitations"),
    Objection.INVITED: N_("was invited before"),
    Objection.OVER_LIMIT: N_("over the limit of {most} a day; try again tomorrow"),
}
STATES = {
    ReferralState.PENDING: N_("pending"),
    ReferralState.CONFIRMED: N_("confirmed"),
    ReferralState.HELD: N_("held"),
    ReferralState.REJECTED: N_("rejected"),
    ReferralState.REVERSED: N_("reversed"),
    ReferralState.EXPIRED: N_("expired"),
}
FORMER_MEMBER = N_("A former member")  # what an erased account is called in the database, and in English


def objection(code: Objection) -> str:
    """Return why an address is not invited."""
    return translated(OBJECTIONS[code]).format(most=DAILY)


def member_name(name: str) -> str:
    """Return what a member is called, who has a name for each language after erasing the account."""
    return translated(FORMER_MEMBER) if name == FORMER_MEMBER else name


def state_name(state: ReferralState) -> str:
    """Return what a state is called."""
    return translated(STATES[state])


def reason(why: Reason) -> str:
    """Return a reason as a part of a sentence; nothing where the trail is lost."""
    return translated(REASONS[why.code]).format_map(_written(why.values)) if why.code else ""


def _written(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a reason as people read them: its moment as a day."""
    return values | {"at": day(datetime.fromisoformat(values["at"]))} if "at" in values else values


def spent_on(note: str) -> str:
    """Return what an amount was spent on; entries of before have the "for" in their note."""
    return _("for %(what)s", what=note.removeprefix("for "))


FILTERS: dict[str, Any] = {
    "member_name": member_name, "objection": objection, "reason": reason, "state_name": state_name, "spent_on": spent_on
}  # fmt: skip
