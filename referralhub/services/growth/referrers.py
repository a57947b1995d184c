"""Who brought the most friends in a range of days."""

from dataclasses import dataclass

from sqlalchemy import func, select

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


def top(days: DateRange, limit: int = SHOWN) -> list[TopReferrer]:
    """Rank those whose friends were confirmed in the range; of equal counts who joined first. One query."""
    counted = (
        select(
            Referral.referrer_id,
            func.count().label("friends"),
            func.sum(func.count()).over().label("all"),
        )
        .where(
            Referral.state == ReferralState.CONFIRMED,
            Referral.decided_at >= days.since,
            Referral.decided_at < days.until,
        )
        .group_by(Referral.referrer_id)
        .order_by(func.count().desc(), Referral.referrer_id)
        .limit(limit)
        .subquery()
    )
    rows = reading().execute(
        select(User.id, shown_name(User), counted.c.friends, counted.c["all"])
        .join(Profile, Profile.id == counted.c.referrer_id)
        .join(User, User.id == Profile.user_id)
        .order_by(counted.c.friends.desc(), Profile.id)
    )
    return [TopReferrer(user_id, name, friends, friends / int(all_)) for user_id, name, friends, all_ in rows]
