"""How fast the program grows, month by month."""

from dataclasses import dataclass
from datetime import date
from itertools import groupby

from sqlalchemy import func, select

from referralhub.database import reading
from referralhub.models import Profile
from referralhub.services.growth.ranges import DateRange, next_month, utc_day

FIGURES = ("month", "organic", "referred", "referred_per_organic", "share_referred", "members")


@dataclass(frozen=True)
class Month:
    """Signups of one calendar month (UTC), and how many members there were at its end."""

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


def monthly(days: DateRange | None = None, today: date | None = None) -> list[Month]:
    """Count signups by month, from the first month with one to the last, those without one too. One query.

    With `days`, only the months that these touch are given, each of them whole, up to the last of these that has
    begun `today`.
    """
    day = utc_day(Profile.created).label("day")
    referred = func.count(Profile.referred_by_id)
    rows = reading().execute(select(day, func.count() - referred, referred).group_by(day).order_by(day))
    months: list[Month] = []
    members = 0
    for start, of_month in groupby(rows, lambda row: row.day.replace(day=1)):
        organic, by_link = (sum(column) for column in list(zip(*of_month, strict=True))[1:])
        while months and next_month(months[-1].start) < start:
            months.append(_without_signups(next_month(months[-1].start), members))
        members += organic + by_link
        months.append(Month(start.year, start.month, organic, by_link, members))
    if days is None:
        return months
    while months and next_month(months[-1].start) <= min(days.last, today or days.last):
        months.append(_without_signups(next_month(months[-1].start), members))
    return [month for month in months if days.whole_months.first <= month.start <= days.last]


def _without_signups(month: date, members: int) -> Month:
    return Month(month.year, month.month, 0, 0, members)
