"""What is sent and answered about rewards, as the document describes it."""

from typing import Annotated

from msgspec import Meta, Struct

from referralhub.api.schemas import PLAIN, After, Moment
from referralhub.models import RewardKind, RewardState
from referralhub.services.fulfilment.decisions import LONGEST_REASON, LONGEST_REFERENCE

Reference = Annotated[
    str, Meta(max_length=LONGEST_REFERENCE, pattern=PLAIN, description="Yours, of the handing over, such as a payment.")
]
Why = Annotated[str, Meta(max_length=LONGEST_REASON, pattern=PLAIN, description="The member reads it.")]


class RewardsIn(Struct, forbid_unknown_fields=True):
    """Which rewards are asked for."""

    state: Annotated[RewardState | None, Meta(description="Those that are there now.")] = None
    after: After = None


class FulfilledIn(Struct, forbid_unknown_fields=True):
    """By what name you know the handing over."""

    reference: Reference = ""


class FailedIn(Struct, forbid_unknown_fields=True):
    """Why it could not be handed over."""

    reason: Why = ""


class RewardOut(Struct):
    """What you are to hand over to a member, and what became of it; `amount` is in the smallest unit of `currency`.

    `currency` is null for points and megabytes. `kind` is why it was earned, `event_id` which of your events earned it.
    `reason` says why it failed; of a withdrawn one it is a code. `created` is when it became due.
    """

    id: int
    external_id: str | None
    state: RewardState
    amount: int
    unit: str
    currency: str | None
    reference: str
    reason: str
    kind: RewardKind
    referral_id: int | None
    event_id: str | None
    created: Moment
    changed: Moment


class RewardsOut(Struct):
    """A part of the list of rewards, the newest first; `next` is the cursor of the part behind it."""

    rewards: list[RewardOut]
    next: str | None
