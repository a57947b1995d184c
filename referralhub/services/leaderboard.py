"""Who brought the most friends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, or_, select

from referralhub.extensions import db
from referralhub.models import Profile, Referral, ReferralState, User


class Period(StrEnum):
    """The span that a leaderboard covers; months and weeks are the calendar's, in UTC."""

    ALL = "all"
    MONTH = "month"
    WEEK = "week"

    def start(self, now: datetime) -> datetime | None:
        """Give the first moment of the span; None for all time."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        match self:
            case Period.ALL:
                return None
            case Period.MONTH:
                return midnight.replace(day=1)
            case Period.WEEK:
                return midnight - timedelta(days=now.weekday())


@dataclass(frozen=True)
class Place:
    """One line: rank from 1, and the number of confirmed referrals."""

    rank: int
    profile_id: int
    username: str
    referrals: int


@dataclass(frozen=True)
class Leaderboard:
    """The first places, and the member's own when they have one further down or among them."""

    period: Period
    places: list[Place]
    own: Place | None


def read(period: Period, now: datetime, profile_id: int | None = None, limit: int = 10) -> Leaderboard:
    """Read the first places and a member's own. At most two queries.

    Equal counts are ordered by who got there first, then by who joined first.
    """
    start = period.start(now)
    if start is None:
        return _all_time(profile_id, limit)
    counted = (
        select(
            Referral.referrer_id,
            func.count().label("n"),
            func.row_number()
            .over(order_by=(func.count().desc(), func.max(Referral.decided_at), Referral.referrer_id))
            .label("rank"),
        )
        .join(Profile, Profile.id == Referral.referrer_id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.state == ReferralState.CONFIRMED, Referral.decided_at >= start, User.is_active)
        .group_by(Referral.referrer_id)
        .subquery()
    )
    rows = _places(
        select(counted.c.rank, Profile.id, User.username, counted.c.n)
        .join(Profile, Profile.id == counted.c.referrer_id)
        .join(User, User.id == Profile.user_id)
        .where(or_(counted.c.rank <= limit, counted.c.referrer_id == profile_id))
        .order_by(counted.c.rank)
    )
    own = next((place for place in rows if place.profile_id == profile_id), None)
    return Leaderboard(period, rows[:limit], own)


def _all_time(profile_id: int | None, limit: int) -> Leaderboard:
    ranked = (
        select(Profile.id, User.username, Profile.referral_count)
        .join(User, User.id == Profile.user_id)
        .where(Profile.referral_count > 0, User.is_active)
        .order_by(Profile.referral_count.desc(), Profile.last_confirmed_at, Profile.id)
    )
    rows = db.session.execute(ranked.limit(limit))
    places = [Place(rank, *row) for rank, row in enumerate(rows, 1)]
    own = next((place for place in places if place.profile_id == profile_id), None)
    if own is None and profile_id is not None:
        own = _own_place(profile_id)
    return Leaderboard(Period.ALL, places, own)


def _own_place(profile_id: int) -> Place | None:
    me = select(Profile).where(Profile.id == profile_id).subquery("me")
    ahead = (
        select(func.count())
        .select_from(Profile)
        .join(User, User.id == Profile.user_id)
        .where(
            User.is_active,
            or_(
                Profile.referral_count > me.c.referral_count,
                (Profile.referral_count == me.c.referral_count)
                & or_(
                    Profile.last_confirmed_at < me.c.last_confirmed_at,
                    (Profile.last_confirmed_at == me.c.last_confirmed_at) & (Profile.id < me.c.id),
                ),
            ),
        )
        .correlate(me)
        .scalar_subquery()
    )
    places = _places(
        select(ahead + 1, me.c.id, User.username, me.c.referral_count)
        .join(User, User.id == me.c.user_id)
        .where(me.c.referral_count > 0)
    )
    return places[0] if places else None


def _places(query: Select[Any]) -> list[Place]:
    return [Place(*row) for row in db.session.execute(query)]
