"""Why a referral is where it is, and why an address is not invited, in words."""

from typing import Any

from referralhub.models import Reason, ReasonCode
from referralhub.services.referrals.invitations import DAILY, Objection

REASONS: dict[str, str] = {
    ReasonCode.SIGNED_UP: "signed up",
    ReasonCode.ADDRESS_VERIFIED: "address verified",
    ReasonCode.VERIFICATION_NOT_REQUIRED: "address verification is not required",
    ReasonCode.NOT_VERIFIED_IN_TIME: "the address was not confirmed within {days} days",
    ReasonCode.NOT_DECIDED_IN_TIME: "nobody decided within {days} days, and the score is under {below}",
    ReasonCode.ALREADY_CUSTOMER: "already a customer",
    ReasonCode.STATED: "{text}",
}
OBJECTIONS = {
    Objection.OWN: "that is your own address",
    Objection.MEMBER: "is a member already",
    Objection.REFUSED: "does not want invitations",
    Objection.INVITED: "was invited before",
    Objection.OVER_LIMIT: f"over the limit of {DAILY} a day; try again tomorrow",
}
FORMER_MEMBER = "A former member"  # what an erased account is called


def reason(why: Reason) -> str:
    """Return a reason as a part of a sentence; nothing where the trail is lost."""
    return REASONS[why.code].format_map(why.values) if why.code else ""


def spent_on(note: str) -> str:
    """Return what an amount was spent on; entries of before have the "for" in their note."""
    return note if note.startswith("for ") else f"for {note}"


FILTERS: dict[str, Any] = {"objection": OBJECTIONS.__getitem__, "reason": reason, "spent_on": spent_on}
