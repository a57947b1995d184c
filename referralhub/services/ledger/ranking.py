"""Who brought the most friends, counted by SQL; what is kept in Redis (`leaderboard.py`) must equal it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select

from referralhub.database import reading
from referralhub.models import Profile, Referral, ReferralState, User
from referralhub.services.shared.calendar import midnight, next_month, zone_in_force, zone_of
from referralhub.services.shared.names import shown_name

Read = TypeVar("Read")


class Period(StrEnum):
    """The span that a leaderboard covers; months and weeks are the calendar's, in the time zone that `now` is in."""

    ALL = "all"
    MONTH = "month"
    WEEK = "week"

    def start(self, now: datetime) -> datetime | None:
        """Return the first moment of the span; None for all time."""
        match self:
            case Period.ALL:
                return None
            case Period.MONTH:
                return midnight(now.date().replace(day=1), zone_of(now))
            case Period.WEEK:
                return midnight(now.date() - timedelta(days=now.weekday()), zone_of(now))

    def end(self, now: datetime) -> datetime:
        """Return the first moment after the span; for all time, one that nobody sees."""
        match self:
            case Period.ALL:
                return datetime.max.replace(tzinfo=UTC)
            case Period.MONTH:
                return midnight(next_month(now.date()), zone_of(now))
            case Period.WEEK:
                return midnight(now.date() + timedelta(days=7 - now.weekday()), zone_of(now))


@dataclass(frozen=True)
class Place:
    """One line: rank from 1, and the number of confirmed referrals."""

    rank: int
    profile_id: int
    name: str
    referrals: int


@dataclass(frozen=True)
class Leaderboard:
    """The first places, and the member's own when they have one further down or among them, until the period ends."""

    period: Period
    places: list[Place]
    own: Place | None
    until: datetime


class OtherZone(Exception):
    """The program's time zone is not the one that was supposed: what was read is of other days."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.zone = ZoneInfo(name)


_zone: tzinfo = UTC  # the program's, as it was when this process last read it: each query says what it is now


def there(now: datetime, read_at: Callable[[datetime], Read]) -> Read:
    """Read something at this moment in the program's time zone, once more where that has changed."""
    global _zone  # noqa: PLW0603 - what is remembered between two readings; a wrong one costs a query
    while True:
        try:
            return read_at(now.astimezone(_zone))
        except OtherZone as other:
            _zone = other.zone


def from_sql(period: Period, now: datetime, profile_id: int | None = None, limit: int = 10) -> Leaderboard:
    """Count the same from the referrals themselves; this is what Redis must equal."""
    return there(now, lambda at: rank(period, at, profile_id, limit))


def rank(period: Period, now: datetime, profile_id: int | None, limit: int) -> Leaderboard:
    """Count it at a moment in the time zone that is supposed to be the program's. One query. Raises OtherZone."""
    ranked, zone = _ranked(period.start(now)).subquery(), select(zone_in_force().label("name")).subquery()
    rows = reading().execute(
        select(zone.c.name, ranked.c.place, ranked.c.id, ranked.c.name, ranked.c.n)
        .select_from(zone)
        .outerjoin(ranked, or_(ranked.c.place <= limit, ranked.c.id == profile_id))
        .order_by(ranked.c.place)
    )
    found = rows.all()
    require_zone(found[0][0], now)
    places = [Place(*row[1:]) for row in found if row.place is not None]
    own = next((place for place in places if place.profile_id == profile_id), None)
    return Leaderboard(period, places[:limit], own, period.end(now))


def require_zone(name: str, now: datetime) -> None:
    """Raise OtherZone unless the zone that `now` is in has this name."""
    if str(zone_of(now)) != name:
        raise OtherZone(name)


def counted(start: datetime | None) -> Select[*tuple[Any, ...]]:
    """Count for each listed member: id, n, and when the last of the n came."""
    if start is None:
        return (
            select(Profile.id, Profile.referral_count.label("n"), Profile.last_confirmed_at.label("reached"))
            .join(User, User.id == Profile.user_id)
            .where(Profile.referral_count > 0, Profile.listed, User.is_active)
        )
    return (
        select(Profile.id, func.count().label("n"), func.max(Referral.decided_at).label("reached"))
        .join(Referral, Referral.referrer_id == Profile.id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.state == ReferralState.CONFIRMED, Referral.decided_at >= start, Profile.listed, User.is_active)
        .group_by(Profile.id)
    )


def _ranked(start: datetime | None) -> Select[*tuple[Any, ...]]:
    found = counted(start).subquery()
    place = func.row_number().over(order_by=(found.c.n.desc(), found.c.reached, found.c.id))
    return (
        select(found.c.id, found.c.n, place.label("place"), shown_name(User).label("name"))
        .join(Profile, Profile.id == found.c.id)
        .join(User, User.id == Profile.user_id)
    )
