"""Rewards that the product hands over: which there are, and what became of each."""

from referralhub.api.operations import actor, next_of, operation
from referralhub.api.reward_schemas import FailedIn, FulfilledIn, RewardOut, RewardsIn, RewardsOut
from referralhub.clock import now
from referralhub.models import Scope
from referralhub.services.fulfilment import decisions, lists
from referralhub.services.fulfilment.lists import RewardLine

UNKNOWN = {404: "No reward has this number."}
FINAL = {409: "It was handed over, which is final, or withdrawn: then do not hand it over."}


@operation(
    "/rewards", "GET", "What is to be handed over, and what was, the newest first", scope=Scope.READ,
    answers={200: RewardsOut}, query=RewardsIn,
)  # fmt: skip
def list_rewards(query: RewardsIn) -> tuple[int, RewardsOut]:
    """Return a part of the list."""
    found = lists.newest(query.state, query.after)
    return 200, RewardsOut([_shown(each) for each in found.lines], next_of(found))


@operation(
    "/rewards/<row:reward_id>", "GET", "A reward", scope=Scope.READ, answers={200: RewardOut}, problems=UNKNOWN
)  # fmt: skip
def get_reward(reward_id: int) -> tuple[int, RewardOut]:
    """Return a reward."""
    return 200, _shown(lists.get(reward_id))


@operation(
    "/rewards/<row:reward_id>/fulfilled", "POST", "You have handed it over", scope=Scope.MANAGE,
    takes=FulfilledIn, answers={200: RewardOut}, problems=UNKNOWN,
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


def _shown(line: RewardLine) -> RewardOut:
    return RewardOut(**lists.plain(line))
