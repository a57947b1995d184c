"""The first figures that an admin looks at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Label, Select, SQLColumnExpression, func, select

from referralhub.database import reading
from referralhub.models import Profile, Referral, ReferralState, RewardEntry, RewardKind

CREDITS = (RewardKind.REFERRER, RewardKind.FRIEND, RewardKind.MILESTONE)
SPANS = ("now", "by_then", "last_month")


@dataclass(frozen=True)
class Headline:
    """A figure of this calendar month so far, and of the month before: up to the same day and hour, and in all."""

    now: int
    by_then: int
    last_month: int

    @property
    def change(self) -> int:
        """How much more it is than by the same time last month."""
        return self.now - self.by_then


@dataclass(frozen=True)
class Headlines:
    """How many members there are and joined, how many referrals were confirmed and wait, and the credit given.

    Credit is in the program's unit.
    """

    members: int
    joined: Headline
    waiting: int
    confirmed: Headline
    unit: str
    given: Headline


def read(unit: str, now: datetime) -> Headlines:
    """Read them all in one query, by spans that an index finds. `now` is in the time zone whose months count."""
    is_waiting = Referral.state.in_([ReferralState.PENDING, ReferralState.HELD])
    confirmed = select(func.count()).where(Referral.state == ReferralState.CONFIRMED)
    given = select(func.coalesce(func.sum(RewardEntry.amount), 0))
    figures = [
        select(func.count(Profile.id)).label("members"),
        select(func.count()).where(is_waiting).label("waiting"),
        *_figures("joined", select(func.count()), Profile.created, now),
        *_figures("confirmed", confirmed, Referral.decided_at, now),
        *_figures(
            "given", given.where(RewardEntry.kind.in_(CREDITS), RewardEntry.unit == unit), RewardEntry.created, now
        ),
    ]
    found = {name: int(figure) for name, figure in reading().execute(select(*figures)).one()._mapping.items()}
    months = {name: Headline(*(found[f"{name}_{span}"] for span in SPANS)) for name in ("joined", "confirmed", "given")}
    return Headlines(members=found["members"], waiting=found["waiting"], unit=unit, **months)


def _figures(name: str, query: Select[int], moment: SQLColumnExpression[Any], now: datetime) -> list[Label[int]]:
    month, before = _month(now), _before(now)
    by_then = min(before + (now - month), month)  # a short month is over before the other one's day
    later = month + timedelta(days=32)  # nothing is that new; what happens this very moment counts
    spans = ((month, later), (before, by_then), (before, month))
    return [
        query.where(moment >= since, moment < until).label(f"{name}_{span}")
        for span, (since, until) in zip(SPANS, spans, strict=True)
    ]


def _month(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _before(now: datetime) -> datetime:
    return (_month(now) - timedelta(days=1)).replace(day=1)
