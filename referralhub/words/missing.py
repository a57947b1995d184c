"""What becomes of a claim that a referral is missing, in words."""

from typing import Any, Protocol

from referralhub.models import ClaimState
from referralhub.services.recourse.missing import ClaimReason
from referralhub.words.language import N_, translated

STATES = {
    ClaimState.ASKED: N_("asked"),
    ClaimState.AGREED: N_("agreed"),
    ClaimState.DECLINED: N_("declined"),
    ClaimState.CONFIRMED: N_("confirmed"),
    ClaimState.REJECTED: N_("rejected"),
    ClaimState.EXPIRED: N_("expired"),
}
REASONS: dict[str, str] = {
    ClaimReason.NAMED_ANOTHER: N_("this friend named somebody else first"),
    ClaimReason.CAME_OTHERWISE: N_("somebody else brought this friend by then"),
    ClaimReason.FRIEND_LEFT: N_("this friend has deleted the account"),
}


class Decision(Protocol):
    """What has a reason: an admin's words, or a code of ours."""

    reason: str
    by_admin: bool


def claim_reason(decided: Decision) -> str:
    """Return why a claim was decided so, as a part of a sentence; nothing where nobody said why."""
    if decided.by_admin or decided.reason not in REASONS:
        return decided.reason
    return translated(REASONS[decided.reason])


FILTERS: dict[str, Any] = {"claim_reason": claim_reason}
