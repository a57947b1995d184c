"""Who brought the most friends in a range of days."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select

from referralhub.database import reading
from referralhub.models import Profile, Referral, ReferralState, User
from referralhub.services.growth.ranges import DateRange
from referralhub.services.shared.names import shown_name

SHOWN = 10


@dataclass(frozen=True)
class TopReferrer:
    """A member, and how many friends of theirs were confirmed; `share` is the part of all in the range, 0 to 1."""

    user_id: int
    name: str
    friends: int
    share: float


def count_confirmed(days: DateRange) -> int:
    """Count the friends whose referral was confirmed in the range, and still is. One query."""
    return reading().scalar(select(func.count()).where(*_confirmed_in(days))) or 0


def top(days: DateRange, confirmed: int, limit: int = SHOWN) -> list[TopReferrer]:
    """Rank those whose friends were confirmed in the range; of equal counts who joined first.

    `confirmed` is what `count_confirmed` says. Two queries: the first counts for those who brought the most ever. Who
    brought fewer ever than the last of them in the range is not among the top, so that the second need not count them.
    """
    most_ever = select(Profile.id).order_by(Profile.referral_count.desc(), Profile.last_confirmed_at).limit(limit)
    counts = reading().scalars(_counted(days, most_ever)).all()
    at_least = min(counts) if len(counts) == limit else 1
    enough = _counted(days, select(Profile.id).where(Profile.referral_count >= at_least)).add_columns(
        Referral.referrer_id
    )
    counted = enough.order_by(func.count().desc(), Referral.referrer_id).limit(limit).subquery()
    rows = reading().execute(
        select(User.id, shown_name(User), counted.c.friends)
        .join(Profile, Profile.id == counted.c.referrer_id)
        .join(User, User.id == Profile.user_id)
        .order_by(counted.c.friends.desc(), Profile.id)
    )
    return [TopReferrer(user_id, name, friends, friends / confirmed) for user_id, name, friends in rows]


def _counted(days: DateRange, referrers: Select[int]) -> Select[int]:
    """Count for each of these referrers who brought anybody in the range."""
    return (
        select(func.count().label("friends"))
        .where(Referral.referrer_id.in_(referrers), *_confirmed_in(days))
        .group_by(Referral.referrer_id)
    )


def _confirmed_in(days: DateRange) -> tuple[ColumnElement[bool], ...]:
    return (
        Referral.state == ReferralState.CONFIRMED,
        Referral.decided_at >= days.since,
        Referral.decided_at < days.until,
    )
