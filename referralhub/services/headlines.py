"""The first figures that an admin looks at."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select, true

from referralhub.extensions import db
from referralhub.models import Profile, Referral, ReferralState, RewardEntry, RewardKind, Unit
from referralhub.services.ranges import DateRange

CREDITS = (RewardKind.REFERRER, RewardKind.FRIEND, RewardKind.MILESTONE)


@dataclass(frozen=True)
class Headlines:
    """Members at the end of a range and how many joined in it; referrals that were confirmed in it, and that wait now.

    Credit is what was given this calendar month so far, in the program's unit, and the month before: up to the same
    day and hour, which is what this month compares with, and in all.
    """

    members: int
    joined: int
    confirmed: int
    waiting: int
    unit: Unit
    given: int
    given_by_then: int
    given_last_month: int

    @property
    def change(self) -> float | None:
        """How much more was given than by the same time last month, as a part of that; none if nothing was."""
        return (self.given - self.given_by_then) / self.given_by_then if self.given_by_then else None


def read(days: DateRange, unit: Unit, now: datetime) -> Headlines:
    """Read them all in one query, which looks at each table once."""
    people = select(
        func.count().label("members"), func.count().filter(Profile.created >= days.since).label("joined")
    ).where(Profile.created < days.until)
    referrals = select(
        func.count()
        .filter(
            Referral.state == ReferralState.CONFIRMED,
            Referral.decided_at >= days.since,
            Referral.decided_at < days.until,
        )
        .label("confirmed"),
        func.count().filter(Referral.state.in_([ReferralState.PENDING, ReferralState.HELD])).label("waiting"),
    )
    first, second, third = (query.subquery() for query in (people, referrals, _given(unit, now)))
    row = db.session.execute(select(first, second, third).join_from(first, second, true()).join(third, true())).one()
    return Headlines(unit=unit, **{name: int(figure) for name, figure in row._mapping.items()})


def _given(unit: Unit, now: datetime) -> Select[int, int, int]:
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before = (month - timedelta(days=1)).replace(day=1)
    by_then = min(before + (now - month), month)  # a short month is over before the other one's day

    def between(since: datetime, until: datetime) -> ColumnElement[int]:
        inside = RewardEntry.created >= since, RewardEntry.created < until
        return func.coalesce(func.sum(RewardEntry.amount).filter(*inside), 0)

    return select(
        func.coalesce(func.sum(RewardEntry.amount).filter(RewardEntry.created >= month), 0).label("given"),
        between(before, by_then).label("given_by_then"),
        between(before, month).label("given_last_month"),
    ).where(RewardEntry.kind.in_(CREDITS), RewardEntry.unit == unit, RewardEntry.created >= before)
