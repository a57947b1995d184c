"""A member's own figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import Profile, Program, Referral, ReferralState, RewardEntry, Unit, User, VisitDaily
from referralhub.services.program.rules import Standing, standing

ACTIVE_DAYS = 30  # a friend counts as active who was seen in the last 30 days


@dataclass(frozen=True)
class Statistics:
    """What the dashboard shows; `rewards` is the balance, and amounts are in `unit`."""

    total_referrals: int
    rewards: int
    unit: Unit
    active_network: int
    pending: int
    visits: int
    standing: Standing
    referrer_amount: int
    friend_amount: int


def of_member(profile_id: int, now: datetime) -> Statistics:
    """Read a member's figures, in one query."""
    friend, friend_user = aliased(Profile), aliased(User)
    active = (
        select(func.count())
        .select_from(friend)
        .join(friend_user, friend_user.id == friend.user_id)
        .where(friend.referred_by_id == Profile.id, friend_user.last_seen_at >= now - timedelta(days=ACTIVE_DAYS))
    )
    pending = select(func.count()).where(
        Referral.referrer_id == Profile.id, Referral.state.in_([ReferralState.PENDING, ReferralState.HELD])
    )
    visits = select(func.coalesce(func.sum(VisitDaily.visitors), 0)).where(VisitDaily.profile_id == Profile.id)
    balance = (
        select(RewardEntry.balance)
        .where(RewardEntry.profile_id == Profile.id, RewardEntry.unit == Program.unit)
        .order_by(RewardEntry.number.desc())
        .limit(1)
    )
    figures = (
        select(
            Profile.referral_count,
            func.coalesce(balance.scalar_subquery(), 0).label("balance"),
            active.scalar_subquery().label("active"),
            pending.scalar_subquery().label("pending"),
            visits.scalar_subquery().label("visits"),
            Program.unit,
            Program.tiers,
            Program.referrer_amount,
            Program.friend_amount,
        )
        .join(Program, Program.version == select(func.max(Program.version)).scalar_subquery())
        .where(Profile.id == profile_id)
    )
    row = reading().execute(figures).one()
    return Statistics(
        total_referrals=row.referral_count,
        rewards=row.balance,
        unit=row.unit,
        active_network=row.active,
        pending=row.pending,
        visits=row.visits,
        standing=standing(row.tiers, row.referral_count),
        referrer_amount=row.referrer_amount,
        friend_amount=row.friend_amount,
    )
