"""Spans of days to look at, and the calendar months in them: those of the program's time zone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Date, Float, Interval, case, cast, extract, func, literal

from referralhub.database import dialect
from referralhub.models.base import UtcDateTime
from referralhub.services.shared.calendar import midnight, next_month, offsets, zone_of
from referralhub.services.shared.errors import DomainError

ZERO = timedelta()
USUAL_MONTHS = 12  # whole ones, before the one that is going on
YEARS = range(2000, 2101)
MOST_YEARS = 5  # so that every month has room in a chart


@dataclass(frozen=True)
class DateRange:
    """From a day to another, both included, in a time zone."""

    first: date
    last: date
    zone: tzinfo = UTC

    @property
    def since(self) -> datetime:
        """The first moment."""
        return midnight(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """The first moment after."""
        return midnight(self.last + timedelta(days=1), self.zone)

    @property
    def whole_months(self) -> "DateRange":
        """The same, made longer to begin and end with a month."""
        return DateRange(self.first.replace(day=1), next_month(self.last) - timedelta(days=1), self.zone)


def usual(now: datetime) -> DateRange:
    """Return the last twelve whole months, and the one that is going on up to today, in the zone that `now` is in."""
    months = now.year * 12 + now.month - 1 - USUAL_MONTHS
    return DateRange(date(months // 12, months % 12 + 1, 1), now.date(), zone_of(now))


def between(first: date | None, last: date | None, now: datetime) -> DateRange:
    """Return the range of these days; one that is not given is that of the usual range. Raises DomainError."""
    days = usual(now)
    days = DateRange(first or days.first, last or days.last, days.zone)
    if not YEARS[0] <= min(days.first.year, days.last.year) <= max(days.first.year, days.last.year) <= YEARS[-1]:
        raise DomainError("range_out_of_years", "first", first=str(YEARS[0]), last=str(YEARS[-1]))
    if days.last < days.first:
        raise DomainError("range_reversed", "last")
    if (days.last.year - MOST_YEARS, days.last.month, days.last.day) >= (
        days.first.year,
        days.first.month,
        days.first.day,
    ):
        raise DomainError("range_too_long", "last", most=MOST_YEARS)
    return days


def local_day(moment: Any, days: DateRange) -> ColumnElement[date]:
    """Return the day of a column's moments in the zone of a range, for grouping; right for those in the range.

    What the zone's clocks said is known here and given to the database: SQLite knows no zones, and PostgreSQL may know
    fewer or others than we do.
    """
    margin = timedelta(days=2)
    steps = offsets(days.zone, days.first - margin, days.last + margin)[::-1]  # the latest first: most rows are new
    in_utc = [offset for _, offset in steps] == [ZERO]
    if dialect() == "postgresql":
        utc = func.timezone("UTC", moment)  # and not the time zone of the session
        return cast(utc if in_utc else utc + _ahead(moment, steps, lambda offset: literal(offset, Interval())), Date)
    if in_utc:
        return func.date(moment, type_=Date())
    ahead = _ahead(moment, steps, lambda offset: literal(f"{offset.total_seconds():+.0f} seconds"))
    return func.date(moment, ahead, type_=Date())


def _ahead(
    moment: Any, steps: Sequence[tuple[datetime, timedelta]], written: Callable[[timedelta], ColumnElement[Any]]
) -> ColumnElement[Any]:
    """Choose the offset that was in force at a moment."""
    *later, first = steps
    whens = [(moment >= literal(since, UtcDateTime()), written(offset)) for since, offset in later]
    return case(*whens, else_=written(first[1])) if whens else written(first[1])


def seconds_between(earlier: Any, later: Any) -> ColumnElement[float]:
    """Return the time from one column's moment to another's, in seconds; SQLite knows only whole ones."""
    if dialect() == "postgresql":  # half the work of two `extract`s, for many rows
        return func.date_part("epoch", later - earlier, type_=Float())
    return cast(extract("epoch", later) - extract("epoch", earlier), Float)
