"""How fast the program grows, month by month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from itertools import pairwise

from sqlalchemy import CompoundSelect, func, literal, select, union_all

from referralhub.database import reading
from referralhub.models import Profile
from referralhub.services.growth.ranges import DateRange
from referralhub.services.shared.calendar import midnight, next_month

FIGURES = ("month", "organic", "referred", "referred_per_organic", "share_referred", "members")


@dataclass(frozen=True)
class Month:
    """Signups of one calendar month in the program's time zone, and how many members there were at its end."""

    year: int
    month: int
    organic: int
    referred: int
    members: int

    @property
    def start(self) -> date:
        """The first day."""
        return date(self.year, self.month, 1)

    @property
    def signups(self) -> int:
        """Everybody who joined."""
        return self.organic + self.referred

    @property
    def referred_per_organic(self) -> float | None:
        """Referred signups for each organic one: what the founding article calls viral coefficient and growth.

        None in a month without organic signups.
        """
        return self.referred / self.organic if self.organic else None

    @property
    def share_referred(self) -> float | None:
        """The part of all signups that were referred, 0 to 1; None in a month without signups."""
        return self.referred / self.signups if self.signups else None

    def figures(self) -> tuple[str | int | float | None, ...]:
        """Return what `FIGURES` names, as it is taken away in files; rates have four digits."""
        rates = (self.referred_per_organic, self.share_referred)
        rounded = (None if rate is None else round(rate, 4) for rate in rates)
        return (f"{self.start:%Y-%m}", self.organic, self.referred, *rounded, self.members)


def monthly(days: DateRange | None = None, today: date | None = None, zone: tzinfo = UTC) -> list[Month]:
    """Count signups by month, from the first month with one to the last, those without one too.

    With `days`, only the months that these touch are given, each of them whole, up to the last of these that has
    begun `today`: one query then, else one more. Without, months are those of `zone`.
    """
    if days is None:
        first, last = reading().execute(select(func.min(Profile.created), func.max(Profile.created))).one()
        if first is None:
            return []
        days = DateRange(first.astimezone(zone).date(), last.astimezone(zone).date(), zone)
    starts = _months(days.first, min(days.last, today or days.last))
    (_, members, _), *counts = reading().execute(_signups(starts, days.zone)).all()
    months: list[Month] = []
    for start, (_, signups, referred) in zip(starts, counts, strict=False):
        members += signups
        if members:
            months.append(Month(start.year, start.month, signups - referred, referred, members))
    return months


def _months(first: date, last: date) -> list[date]:
    """Name the first days of the months from one day to another, and of the month after them."""
    starts = [first.replace(day=1)]
    while starts[-1] <= last:
        starts.append(next_month(starts[-1]))
    return starts


def _signups(starts: Sequence[date], zone: tzinfo) -> CompoundSelect[int, int, int]:
    """Count who joined before the first of these days, and from each of them to the next.

    A span for each, which an index finds, takes a third of the time of a GROUP BY that works out everybody's day.
    """
    begins = [midnight(start, zone) for start in starts]
    spans = [Profile.created < begins[0]]
    spans += [(Profile.created >= since) & (Profile.created < until) for since, until in pairwise(begins)]
    counts = [
        select(literal(number).label("number"), func.count().label("signups"), func.count(Profile.referred_by_id))
        .select_from(Profile)
        .where(span)
        for number, span in enumerate(spans)
    ]
    return union_all(*counts).order_by("number")
