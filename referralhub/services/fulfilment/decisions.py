"""What became of a reward: handed over, or not. Whoever says so, and however often, it is paid once.

Everybody locks the member's ledger first, so that of a handing over and a clawback one sees the other.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import Reward, RewardKind, RewardState
from referralhub.services.ledger import entries
from referralhub.services.shared import audit, figure_changes
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import Conflict, DomainError, NotFound
from referralhub.services.webhooks import announcing

LONGEST_REFERENCE, LONGEST_REASON = 200, 500  # characters

Step = Callable[[Session, Reward, datetime], bool]


@dataclass(frozen=True)
class Decided:
    """What became of several rewards: how many changed, and which could not, and why."""

    done: int
    refused: list[tuple[int, DomainError]]


def fulfil(reward_id: int, reference: str, actor: Actor, now: datetime) -> bool:
    """Note that a reward was handed over; returns whether this call did it, as the first one decides.

    One that was withdrawn meanwhile counts, too: it has left the house, and the balance becomes a debt. `reference` is
    the product's own name for the handing over. Raises NotFound, or DomainError for words that cannot be kept.
    """
    return _do(reward_id, fulfilling(reference), actor, now)


def fail(reward_id: int, reason: str, actor: Actor, now: datetime) -> bool:
    """Note that a reward could not be handed over; it stays owed. Returns whether this call did it.

    Raises NotFound, Conflict for one that was handed over or withdrawn, or DomainError for words that cannot be kept.
    """
    return _do(reward_id, failing(reason), actor, now)


def retry(reward_id: int, actor: Actor, now: datetime) -> bool:
    """Let a reward be due again that could not be handed over; returns whether this call did it.

    Raises NotFound, or Conflict for one that was handed over or withdrawn.
    """
    return _do(reward_id, retrying, actor, now)


def decide(reward_ids: Collection[int], step: Step, actor: Actor, now: datetime) -> Decided:
    """Take a step with each of these rewards, in a transaction for each."""
    done, refused = 0, list[tuple[int, DomainError]]()
    for reward_id in reward_ids:
        try:
            done += _do(reward_id, step, actor, now)
        except (Conflict, NotFound) as error:
            refused.append((reward_id, error))
    return Decided(done, refused)


def fulfilling(reference: str) -> Step:
    """Return the step that notes a handing over. Raises DomainError for words that cannot be kept."""
    words = _checked("reference", reference, LONGEST_REFERENCE)

    def step(session: Session, reward: Reward, now: datetime) -> bool:
        if reward.state is RewardState.FULFILLED:
            return False
        payout = entries.post(
            session, reward.profile_id, RewardKind.PAYOUT, -reward.amount, reward.unit, now, note=words
        )
        reward.payout_id, reward.reference, reward.reason = payout.id, words, ""
        _change(session, reward, RewardState.FULFILLED, now)
        return True

    return step


def failing(reason: str) -> Step:
    """Return the step that notes that it did not work. Raises DomainError for words that cannot be kept."""
    words = _checked("reason", reason, LONGEST_REASON)

    def step(session: Session, reward: Reward, now: datetime) -> bool:
        _require_open(reward)
        if reward.state is RewardState.FAILED:
            return False
        reward.reason = words
        _change(session, reward, RewardState.FAILED, now)
        return True

    return step


def retrying(session: Session, reward: Reward, now: datetime) -> bool:
    """Take the step back to what is due."""
    _require_open(reward)
    if reward.state is RewardState.DUE:
        return False
    reward.reason = ""
    _change(session, reward, RewardState.DUE, now)
    return True


def locked(session: Session, reward_id: int) -> Reward:
    """Return a reward as it is, and let nobody else change it in this transaction. Raises NotFound."""
    profile_id = session.scalar(select(Reward.profile_id).where(Reward.id == reward_id))
    if profile_id is None:
        raise NotFound("no_such_reward")
    entries.lock_profile(session, profile_id)
    return session.get_one(Reward, reward_id, populate_existing=True)


def record(session: Session, reward: Reward, before: RewardState, actor: Actor, now: datetime) -> None:
    """Write the audit line of a step that was taken, last: see `audit.record`."""
    after = {"state": reward.state.value, "amount": reward.amount, "unit": reward.unit}
    if reward.reference:
        after["reference"] = reward.reference
    action = f"reward.{reward.state.value}"
    audit.record(session, actor, action, "reward", reward.id, {"state": before.value}, after, now, reward.reason[:200])


def _do(reward_id: int, step: Step, actor: Actor, now: datetime) -> bool:
    with transaction() as session:
        reward = locked(session, reward_id)
        before = reward.state
        done = step(session, reward, now)
        if done:
            record(session, reward, before, actor, now)
    return done


def _change(session: Session, reward: Reward, after: RewardState, now: datetime) -> None:
    reward.state, reward.changed = after, now
    session.flush()
    figure_changes.note(session, reward.profile_id)
    announcing.reward(session, reward.id, reward.state, now)


def _require_open(reward: Reward) -> None:
    if reward.state is RewardState.FULFILLED:
        raise Conflict("reward_fulfilled")
    if reward.state is RewardState.WITHDRAWN:
        raise Conflict("reward_withdrawn")


def _checked(field: str, words: str, most: int) -> str:
    words = words.strip()
    if len(words) > most or not words.isprintable():
        raise DomainError("words_malformed", field, most=most)
    return words
