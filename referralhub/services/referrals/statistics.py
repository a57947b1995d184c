"""A member's own figures, and the newest friends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import BindParameter, Integer, Select, Subquery, bindparam, exists, func, select, true
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import (
    FigureChange,
    Profile,
    Program,
    Referral,
    ReferralState,
    RewardEntry,
    User,
    VisitDaily,
)
from referralhub.models.base import UtcDateTime
from referralhub.services.program.rules import Standing, standing
from referralhub.services.shared.names import shown_name

ACTIVE_DAYS = 30  # a friend counts as active who was seen in the last 30 days
NEWEST = 8  # friends, whom the dashboard names
UNITS = "^(points|megabytes|[A-Z]{3})$"  # of amounts; what Redis keeps may be of a release that had others


@dataclass(frozen=True)
class Statistics:
    """What the dashboard shows; `rewards` is the balance, and amounts are in `unit`."""

    total_referrals: int
    rewards: int
    unit: Annotated[str, Meta(pattern=UNITS)]
    active_network: int
    pending: int
    visits: int
    standing: Standing
    referrer_amount: int
    friend_amount: int
    late_code_days: int  # for which the program takes a code after the signup


@dataclass(frozen=True)
class RecentReferral:
    """One of the newest friends."""

    username: str
    state: ReferralState
    created: datetime


@dataclass(frozen=True)
class Reading:
    """What the database says of a member at one moment."""

    statistics: Statistics
    recent: list[RecentReferral]  # the newest first
    until: datetime  # when time alone changes the statistics
    missed: bool  # whether there are changes that Redis was not told of


def of_member(profile_id: int, now: datetime) -> Reading:
    """Read a member's figures and newest friends, in one query."""
    since = now - timedelta(days=ACTIVE_DAYS)
    rows = reading().execute(_FIGURES, {"profile_id": profile_id, "since": since}).all()
    row = rows[0]
    found = Statistics(
        total_referrals=row.referral_count,
        rewards=row.balance,
        unit=row.unit,
        active_network=row.active,
        pending=row.pending,
        visits=row.visits,
        standing=standing(row.tiers, row.referral_count),
        referrer_amount=row.referrer_amount,
        friend_amount=row.friend_amount,
        late_code_days=row.late_code_days,
    )
    recent = [RecentReferral(each.friend, each.state, each.created) for each in rows if each.friend is not None]
    return Reading(found, recent, (row.oldest or now) + timedelta(days=ACTIVE_DAYS), row.missed)


def _figures() -> Select[*tuple[Any, ...]]:
    """Make the query for the figures of `profile_id`: a row for each of the newest friends, or one without a friend.

    A friend is active who was seen at or after `since`.
    """
    profile_id, since = bindparam("profile_id", type_=Integer), bindparam("since", type_=UtcDateTime)
    friend, friend_user = aliased(Profile), aliased(User)
    active = (
        select(func.count().label("n"), func.min(friend_user.last_seen_at).label("oldest"))
        .select_from(friend)
        .join(friend_user, friend_user.id == friend.user_id)
        .where(friend.referred_by_id == profile_id, friend_user.last_seen_at >= since)
        .subquery()
    )
    pending = select(func.count()).where(
        Referral.referrer_id == profile_id, Referral.state.in_([ReferralState.PENDING, ReferralState.HELD])
    )
    visits = select(func.coalesce(func.sum(VisitDaily.visitors), 0)).where(VisitDaily.profile_id == profile_id)
    balance = (
        select(RewardEntry.balance)
        .where(RewardEntry.profile_id == profile_id, RewardEntry.unit == Program.ledger_unit)
        .order_by(RewardEntry.number.desc())
        .limit(1)
    )
    newest = _newest(profile_id)
    return (
        select(
            Profile.referral_count,
            func.coalesce(balance.scalar_subquery(), 0).label("balance"),
            active.c.n.label("active"),
            active.c.oldest,
            pending.scalar_subquery().label("pending"),
            visits.scalar_subquery().label("visits"),
            Program.ledger_unit.label("unit"),
            Program.tiers,
            Program.referrer_amount,
            Program.friend_amount,
            Program.late_code_days,
            exists(select(FigureChange.id)).label("missed"),
            newest.c.friend,
            newest.c.state,
            newest.c.created,
        )
        .select_from(Profile)
        .join(Program, Program.version == select(func.max(Program.version)).scalar_subquery())
        .join(active, true())
        .outerjoin(newest, true())
        .where(Profile.id == profile_id)
        .order_by(newest.c.id.desc())
    )


def _newest(profile_id: BindParameter[int]) -> Subquery:
    friend = aliased(Profile)
    return (
        select(Referral.id, Referral.state, Referral.created, shown_name(User).label("friend"))
        .join(friend, friend.id == Referral.friend_id)
        .join(User, User.id == friend.user_id)
        .where(Referral.referrer_id == profile_id)
        .order_by(Referral.id.desc())
        .limit(NEWEST)
        .subquery()
    )


_FIGURES = _figures()  # built once: building it took 40 % of the time
