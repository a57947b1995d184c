"""Spans of days to look at, and the calendar months in them. Days and months are those of UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, Float, cast, extract, func

from referralhub.database import dialect

USUAL_MONTHS = 12  # whole ones, before the one that is going on


@dataclass(frozen=True)
class DateRange:
    """From a day to another, both included."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """The first moment."""
        return midnight(self.first)

    @property
    def until(self) -> datetime:
        """The first moment after."""
        return midnight(self.last + timedelta(days=1))

    @property
    def whole_months(self) -> "DateRange":
        """The same, made longer to begin and end with a month."""
        return DateRange(self.first.replace(day=1), next_month(self.last) - timedelta(days=1))


def usual(now: datetime) -> DateRange:
    """Return the last twelve whole months, and the one that is going on up to today."""
    months = now.year * 12 + now.month - 1 - USUAL_MONTHS
    return DateRange(date(months // 12, months % 12 + 1, 1), now.date())


def midnight(day: date) -> datetime:
    """Return the first moment of a day."""
    return datetime.combine(day, time(), UTC)


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def utc_day(moment: Any) -> ColumnElement[date]:
    """Return the day of a column's moments, for grouping.

    PostgreSQL would take the day in the time zone of the session; SQLite has stored UTC.
    """
    if dialect() == "postgresql":
        return cast(func.timezone("UTC", moment), Date)
    return func.date(moment, type_=Date())


def seconds_between(earlier: Any, later: Any) -> ColumnElement[float]:
    """Return the time from one column's moment to another's, in seconds; SQLite knows only whole ones."""
    if dialect() == "postgresql":  # half the work of two `extract`s, for many rows
        return func.date_part("epoch", later - earlier, type_=Float())
    return cast(extract("epoch", later) - extract("epoch", earlier), Float)
