"""What became of a reward, in words."""

from typing import Any

from referralhub.models import RewardState
from referralhub.services.fulfilment.due import NO_COVER, TAKEN_BACK
from referralhub.words.language import N_, translated

STATES = {
    RewardState.DUE: N_("due"),
    RewardState.FULFILLED: N_("fulfilled"),
    RewardState.FAILED: N_("failed"),
    RewardState.WITHDRAWN: N_("withdrawn"),
}
WITHDRAWN = {
    TAKEN_BACK: N_("what it was for was taken back, or a part of it"),
    NO_COVER: N_("the balance is less by now"),
}


def withdrawn_reason(code: str) -> str:
    """Return why a reward was withdrawn, as a part of a sentence."""
    return translated(WITHDRAWN[code])


FILTERS: dict[str, Any] = {"withdrawn_reason": withdrawn_reason}
