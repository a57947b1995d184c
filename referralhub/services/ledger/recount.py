"""Recounting everything from the ledger and the trail, and repairing what is only a copy of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis
from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from referralhub.database import reading, snapshot, transaction
from referralhub.models import (
    Badge,
    BadgeAward,
    LeaderboardChange,
    Profile,
    Referral,
    ReferralEvent,
    ReferralState,
    Reward,
    RewardEntry,
    RewardKind,
    RewardState,
)
from referralhub.services.ledger import badges, entries, leaderboard, remainders
from referralhub.services.shared import figure_changes

CREDITED = (ReferralState.CONFIRMED, ReferralState.REVERSED)
STEPS = 5  # of a recount


@dataclass(frozen=True)
class Drift:
    """One thing that does not follow from the ledger and the trail."""

    code: str
    values: dict[str, Any]


def drifts(redis: "Redis", now: datetime, progress: Callable[[int], None] = lambda _: None) -> Iterator[Drift]:
    """Yield everything that does not follow from the ledger and the trail; nothing when all is well.

    `progress` hears of each of the steps. Raises RedisError in the end when the leaderboard could not be compared.
    """
    session = snapshot()  # what happens meanwhile is no drift
    for part in (_ledger, _referrals, _caches, partial(_rewards, now)):
        yield from part()
        progress(1)
    session.commit()
    for period in leaderboard.differences(redis, now):
        yield Drift("leaderboard_differs", {"period": period.value})
    progress(1)


def repair(redis: "Redis", now: datetime) -> None:
    """Set counts, badges and the leaderboard to what a recount gives. The ledger itself is never touched."""
    with transaction() as session:
        refresh_caches(session, now)
    leaderboard.rebuild(redis, now)


def refresh_caches(session: Session, now: datetime) -> None:
    """Recount every member's referrals and badges; part of the caller's transaction."""
    counted = (
        select(Referral.referrer_id, func.count().label("n"), func.max(Referral.decided_at).label("latest"))
        .where(Referral.state == ReferralState.CONFIRMED)
        .group_by(Referral.referrer_id)
        .subquery()
    )
    # Counted once for all: to count for each member, SQLite would read every confirmed referral each time.
    none = update(Profile).where(or_(Profile.referral_count != 0, Profile.last_confirmed_at.is_not(None)))
    some = update(Profile).where(Profile.id == counted.c.referrer_id)
    for statement in (
        none.values(referral_count=0, last_confirmed_at=None),
        some.values(referral_count=counted.c.n, last_confirmed_at=counted.c.latest),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    session.execute(delete(BadgeAward))
    for badge in Badge:
        values = literal(badge, BadgeAward.badge.type), literal(now, BadgeAward.created.type)
        earned = select(Profile.id, *values).where(Profile.referral_count >= badge.mark)
        session.execute(insert(BadgeAward).from_select(["profile_id", "badge", "created"], earned))
    moved = select(Profile.id).where(Profile.referral_count > 0)
    session.execute(insert(LeaderboardChange).from_select(["profile_id"], moved))
    session.info[leaderboard.CHANGED] = True
    figure_changes.note(session, figure_changes.EVERYBODY)


def _ledger() -> Iterator[Drift]:
    same, order = (RewardEntry.profile_id, RewardEntry.unit), RewardEntry.number
    running = select(
        RewardEntry.id,
        RewardEntry.balance,
        RewardEntry.number,
        func.sum(RewardEntry.amount).over(partition_by=same, order_by=order).label("total"),
        func.row_number().over(partition_by=same, order_by=order).label("position"),
    ).subquery()
    wrong = select(running).where(or_(running.c.balance != running.c.total, running.c.number != running.c.position))
    for row in _rows(wrong):
        values = {"balance": row.balance, "number": row.number, "total": row.total}
        yield Drift("balance_is_no_sum", {"entry": row.id} | values)
    original = aliased(RewardEntry)
    unequal = (
        select(RewardEntry.id, original.id.label("original"))
        .join(original, original.id == RewardEntry.reverses_id)
        .where(
            or_(
                RewardEntry.amount != -original.amount,
                RewardEntry.profile_id != original.profile_id,
                RewardEntry.unit != original.unit,
            )
        )
    )
    for row in _rows(unequal):
        yield Drift("reversal_is_no_opposite", {"entry": row.id, "original": row.original})


def _referrals() -> Iterator[Drift]:
    last = select(func.max(ReferralEvent.id)).where(ReferralEvent.referral_id == Referral.id).scalar_subquery()
    event = aliased(ReferralEvent)
    untold = (
        select(Referral.id, Referral.state, event.to_state)
        .outerjoin(event, event.id == last)
        .where(or_(event.id.is_(None), event.to_state != Referral.state))
    )
    for row in _rows(untold):
        last_state = row.to_state and row.to_state.value
        yield Drift("trail_ends_elsewhere", {"referral": row.id, "state": row.state.value, "last_state": last_state})

    reversal = aliased(RewardEntry)
    entries = (
        select(
            Referral.id,
            Referral.state,
            RewardEntry.id.label("entry"),
            RewardEntry.kind,
            RewardEntry.amount,
            reversal.id.label("reversal"),
        )
        .join(Referral, Referral.id == RewardEntry.referral_id)
        .outerjoin(reversal, reversal.reverses_id == RewardEntry.id)
        .where(RewardEntry.kind.in_([RewardKind.REFERRER, RewardKind.FRIEND]))
    )
    paid: dict[tuple[int, str], int] = {}
    for row in _rows(entries):
        paid[row.id, row.kind.value] = row.amount
        if row.state not in CREDITED:
            yield Drift(
                "credit_without_confirmation", {"referral": row.id, "state": row.state.value, "entry": row.entry}
            )
        elif (row.state is ReferralState.REVERSED) != (row.reversal is not None):
            values = {"referral": row.id, "state": row.state.value, "entry": row.entry, "reversal": row.reversal}
            yield Drift("reversal_against_state", values)
    promised = select(ReferralEvent.referral_id, ReferralEvent.evidence).where(
        ReferralEvent.to_state == ReferralState.CONFIRMED
    )
    for row in _rows(promised):
        for side, amount in row.evidence["given"].items():
            if paid.get((row.referral_id, side), 0) != amount:
                values = {"side": side, "promised": amount, "actual": paid.get((row.referral_id, side), 0)}
                yield Drift("credit_is_not_the_trails", {"referral": row.referral_id} | values)


def _caches() -> Iterator[Drift]:
    confirmed = and_(Referral.referrer_id == Profile.id, Referral.state == ReferralState.CONFIRMED)
    counted = (
        select(
            Profile.id,
            Profile.referral_count,
            Profile.last_confirmed_at,
            func.count(Referral.id).label("n"),
            func.max(Referral.decided_at).label("latest"),
        )
        .outerjoin(Referral, confirmed)
        .group_by(Profile.id)
    )
    held: dict[int, set[Badge]] = {}
    for award in _rows(select(BadgeAward.profile_id, BadgeAward.badge)):
        held.setdefault(award.profile_id, set()).add(award.badge)
    for row in _rows(counted):
        if row.referral_count != row.n or row.last_confirmed_at != row.latest:
            cached = {"cached": row.referral_count, "cached_at": row.last_confirmed_at}
            yield Drift("count_differs", {"member": row.id} | cached | {"recounted": row.n, "recounted_at": row.latest})
        if held.get(row.id, set()) != set(badges.deserved(row.n)):
            kept = [badge.value for badge in sorted(held.get(row.id, set()))]
            yield Drift("badges_differ", {"member": row.id, "badges": kept, "referrals": row.n})


def _rewards(now: datetime) -> Iterator[Drift]:
    """Find rewards that are not paid as they say, or of which less is left than is due."""
    payout = aliased(RewardEntry)
    unpaid = (
        select(Reward.id, Reward.payout_id)
        .outerjoin(payout, payout.id == Reward.payout_id)
        .where(
            Reward.state == RewardState.FULFILLED,
            or_(
                payout.id.is_(None),
                payout.kind != RewardKind.PAYOUT,
                payout.amount != -Reward.amount,
                payout.profile_id != Reward.profile_id,
                payout.unit != Reward.unit,
            ),
        )
    )
    for row in _rows(unpaid):
        yield Drift("payout_is_not_the_rewards", {"reward": row.id, "entry": row.payout_id})
    paid = select(Reward.id).where(Reward.payout_id == RewardEntry.id, Reward.state == RewardState.FULFILLED)
    for row in _rows(select(RewardEntry.id).where(RewardEntry.kind == RewardKind.PAYOUT, ~paid.exists())):
        yield Drift("payout_without_reward", {"entry": row.id})
    owed = Reward.state.in_(entries.OPEN)
    several = select(Reward.entry_id, func.count().label("n")).where(owed).group_by(Reward.entry_id)
    for row in _rows(several.having(func.count() > 1)):
        yield Drift("several_rewards_due", {"entry": row.entry_id, "rewards": row.n})
    yield from _uncovered(owed, now)


def _uncovered(owed: ColumnElement[bool], now: datetime) -> Iterator[Drift]:
    """Find what is due beyond its credit, or beyond what the member has."""
    paid = aliased(Reward)
    handed_over = select(func.coalesce(func.sum(paid.amount), 0)).where(
        paid.entry_id == Reward.entry_id, paid.state == RewardState.FULFILLED
    )
    own = and_(RewardEntry.profile_id == Reward.profile_id, RewardEntry.unit == Reward.unit).label("own")
    query = select(Reward.id, Reward.entry_id, Reward.amount, own, handed_over.scalar_subquery().label("paid"))
    due = list(_rows(query.join(RewardEntry, RewardEntry.id == Reward.entry_id).where(owed)))
    left = remainders.of(reading(), [row.entry_id for row in due])
    for row in due:
        there = left.get(row.entry_id, 0) - int(row.paid) if row.own else 0
        if row.amount > there:
            yield Drift("reward_without_credit", {"reward": row.id, "amount": row.amount, "left": max(0, there)})
    each = (
        select(Reward.profile_id, Reward.unit, func.sum(Reward.amount).label("due"))
        .where(owed)
        .group_by(Reward.profile_id, Reward.unit)
        .subquery()
    )
    mine = (RewardEntry.profile_id == each.c.profile_id, RewardEntry.unit == each.c.unit)
    available = select(func.coalesce(func.sum(RewardEntry.amount), 0)).where(*mine, RewardEntry.available_at <= now)
    has = available.scalar_subquery()
    for row in _rows(select(each, has.label("has")).where(each.c.due > has)):
        values = {"member": row.profile_id, "unit": row.unit, "due": int(row.due), "has": int(row.has)}
        yield Drift("rewards_without_cover", values)


def _rows(query: Select[*tuple[Any, ...]]) -> Any:
    return reading().execute(query)
