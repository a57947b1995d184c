"""Rewards that the product hands over: which there are, and what became of each."""

from flask import request

from referralhub.api.operations import actor, cursor, operation
from referralhub.api.reward_schemas import FailedIn, FulfilledIn, RewardOut, RewardsOut
from referralhub.clock import now
from referralhub.models import RewardState, Scope
from referralhub.problems import FieldProblem, Refused
from referralhub.services.fulfilment import decisions, lists
from referralhub.services.fulfilment.lists import RewardLine

UNKNOWN = {404: "No reward has this number."}
FINAL = {409: "It was handed over, which is final, or withdrawn: then do not hand it over."}


@operation(
    "/rewards", "GET", "What is to be handed over, and what was, the newest first", scope=Scope.READ,
    answers={200: RewardsOut}, problems={422: "There is no such state, or the cursor is none."},
    parameters={
        "state": f"One of {', '.join(RewardState)}; without it all of them.",
        "after": "The `next` of the part before; without it the list begins.",
    },
)  # fmt: skip
def list_rewards() -> tuple[int, RewardsOut]:
    """Return a part of the list."""
    found = lists.newest(_state(), cursor())
    return 200, RewardsOut([_shown(each) for each in found.lines], str(found.older) if found.older else None)


@operation(
    "/rewards/<row:reward_id>", "GET", "A reward", scope=Scope.READ, answers={200: RewardOut}, problems=UNKNOWN
)  # fmt: skip
def get_reward(reward_id: int) -> tuple[int, RewardOut]:
    """Return a reward."""
    return 200, _shown(lists.get(reward_id))


@operation(
    "/rewards/<row:reward_id>/fulfilled", "POST", "You have handed it over", scope=Scope.MANAGE, takes=FulfilledIn,
    answers={200: RewardOut}, problems=UNKNOWN,
)  # fmt: skip
def reward_fulfilled(reward_id: int, body: FulfilledIn) -> tuple[int, RewardOut]:
    """Note it, once however often it is said; one that was withdrawn meanwhile counts, too."""
    decisions.fulfil(reward_id, body.reference, actor(), now())
    return 200, _shown(lists.get(reward_id))


@operation(
    "/rewards/<row:reward_id>/failed", "POST", "You could not hand it over", scope=Scope.MANAGE, takes=FailedIn,
    answers={200: RewardOut}, problems=UNKNOWN | FINAL,
)  # fmt: skip
def reward_failed(reward_id: int, body: FailedIn) -> tuple[int, RewardOut]:
    """Note it; the reward stays owed."""
    decisions.fail(reward_id, body.reason, actor(), now())
    return 200, _shown(lists.get(reward_id))


def _state() -> RewardState | None:
    asked = request.args.get("state", "")
    try:
        return RewardState(asked) if asked else None
    except ValueError:
        wrong = FieldProblem("state", "invalid", f"Choose of {', '.join(RewardState)}.")
        raise Refused(422, "state_invalid", wrong.detail, [wrong]) from None


def _shown(line: RewardLine) -> RewardOut:
    return RewardOut(**lists.plain(line))
