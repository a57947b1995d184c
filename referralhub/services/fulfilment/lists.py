"""Rewards to be read: by the product, by its operators, by the member."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from referralhub.database import reading
from referralhub.models import (
    Conversion,
    Event,
    ExternalMember,
    Profile,
    Reward,
    RewardEntry,
    RewardKind,
    RewardState,
    User,
)
from referralhub.services.ledger.entries import OPEN
from referralhub.services.shared import parts
from referralhub.services.shared.currencies import is_money
from referralhub.services.shared.errors import NotFound
from referralhub.services.shared.names import shown_name
from referralhub.services.shared.parts import Part

BATCH = 1000  # rewards that an export reads at once


@dataclass(frozen=True)
class RewardLine:
    """A reward as it is now. `external_id` and `event_id` are the product's own; `amount` is in the smallest unit.

    `kind` is that of the credit, and `event_id` is of what earned it. `reason` says why it failed; of a withdrawn one
    it is a code. `since` is when it became due, `changed` when its state did.
    """

    id: int
    external_id: str | None
    member: str
    state: RewardState
    amount: int
    unit: str
    reference: str
    reason: str
    kind: RewardKind
    referral_id: int | None
    event_id: str | None
    created: datetime
    changed: datetime

    @property
    def currency(self) -> str | None:
        """The ISO 4217 code of its unit, where that is money."""
        return self.unit if is_money(self.unit) else None


@dataclass(frozen=True)
class Waiting:
    """How many rewards are due, and how many could not be handed over yet."""

    due: int
    failed: int


def get(reward_id: int) -> RewardLine:
    """Return a reward. One query. Raises NotFound."""
    found = _find(reading(), reward_id)
    if found is None:
        raise NotFound("no_such_reward")
    return found


def plain(line: RewardLine) -> dict[str, Any]:
    """Return what the product is told of a reward."""
    return {
        "id": line.id, "external_id": line.external_id, "state": line.state.value, "amount": line.amount,
        "unit": line.unit, "currency": line.currency, "reference": line.reference, "reason": line.reason,
        "kind": line.kind.value, "referral_id": line.referral_id, "event_id": line.event_id, "created": line.created,
        "changed": line.changed,
    }  # fmt: skip


def newest(state: RewardState | None = None, after: int | None = None) -> Part[RewardLine]:
    """Read one part of the list of rewards, or of those in one state, the newest first. Two queries."""
    ids = select(Reward.id) if state is None else select(Reward.id).where(Reward.state == state)
    rows = parts.newest_of(reading(), _lines(), ids, Reward.id, after)
    return parts.part([RewardLine(*row) for row in rows], after)


def of_member(profile_id: int, after: int | None = None) -> Part[RewardLine]:
    """Read one part of a member's rewards, the newest first. One query."""
    rows = reading().execute(parts.newest(_lines().where(Reward.profile_id == profile_id), Reward.id, after))
    return parts.part([RewardLine(*row) for row in rows], after)


def every(states: Collection[RewardState]) -> Iterator[RewardLine]:
    """Yield all rewards in these states, the oldest first."""
    after = 0
    query = _lines().where(Reward.state.in_(states)).order_by(Reward.id).limit(BATCH)
    while rows := reading().execute(query.where(Reward.id > after)).all():
        for row in rows:
            yield RewardLine(*row)
        after = rows[-1].id


def waiting() -> Waiting:
    """Count what is to be done. One query."""
    counted = select(Reward.state, func.count()).where(Reward.state.in_(OPEN)).group_by(Reward.state)
    found = {state: number for state, number in reading().execute(counted)}  # noqa: C416 - a Row is no pair for dict()
    return Waiting(found.get(RewardState.DUE, 0), found.get(RewardState.FAILED, 0))


def _find(session: Session, reward_id: int) -> RewardLine | None:
    row = session.execute(_lines().where(Reward.id == reward_id)).one_or_none()
    return None if row is None else RewardLine(*row)


def _lines() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Reward.id, ExternalMember.external_id, shown_name(User), Reward.state, Reward.amount, Reward.unit,
            Reward.reference, Reward.reason, RewardEntry.kind, RewardEntry.referral_id, Event.own_id, Reward.created,
            Reward.changed,
        )
        .join(RewardEntry, RewardEntry.id == Reward.entry_id)
        .join(Profile, Profile.id == Reward.profile_id)
        .join(User, User.id == Profile.user_id)
        .outerjoin(ExternalMember, ExternalMember.user_id == User.id)
        .outerjoin(Conversion, Conversion.id == RewardEntry.conversion_id)
        .outerjoin(Event, Event.id == Conversion.event_id)
    )  # fmt: skip
