"""The last thirty days, as the program's time zone has them, and how much there was on each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, Float, Integer, bindparam, case, cast, func, text

from referralhub.database import dialect
from referralhub.models.base import UtcDateTime
from referralhub.services.shared.calendar import midnight, offsets, zone_of

DAYS = 30
MARGIN = timedelta(days=1)  # before the first day, so that what is a little older has no number below zero
SECONDS = 24 * 3600  # of a day by clocks that are never changed
FIRST, FIRST_DAY = bindparam("first", type_=UtcDateTime), bindparam("first_day", type_=Date)
DAY = text("1")  # for GROUP BY: the first column

Series = tuple[int, ...]  # one number for each day, the oldest first


@dataclass(frozen=True)
class History:
    """What a member's figures were made of, day by day; `credited` is in the program's unit.

    `active` counts friends on the day on which they were seen last.
    """

    confirmed: Series
    credited: Series
    joined: Series
    visits: Series
    active: Series


@dataclass(frozen=True)
class Days:
    """The days up to today, in a time zone.

    What the zone's clocks said is known here and given to the database: SQLite knows no zones, and PostgreSQL may know
    fewer or others than we do.
    """

    first: date
    since: datetime  # the first moment
    until: datetime  # the next midnight, from when on they are others
    steps: Sequence[tuple[datetime, timedelta]]  # how far the clocks are ahead of UTC, and from when on

    @property
    def values(self) -> dict[str, Any]:
        """What the parameters in a query for these days are."""
        begin = datetime.combine(self.first - MARGIN, time(), UTC).timestamp()
        found: dict[str, Any] = {"first": self.since, "first_day": self.first}
        for number, (since, offset) in enumerate(self.steps):
            found |= {f"step{number}": since, f"ahead{number}": int(offset.total_seconds() - begin)}
        return found


def up_to(now: datetime) -> Days:
    """Return the thirty days up to `now`, in its zone."""
    zone, first = zone_of(now), now.date() - timedelta(days=DAYS - 1)
    since, until = midnight(first, zone), midnight(now.date() + timedelta(days=1), zone)
    return Days(first, since, until, offsets(zone, first - 2 * MARGIN, now.date() + 2 * MARGIN))


def day_of(moment: Any, steps: int, before: Any = None) -> ColumnElement[int]:
    """Return the number of a moment's day, from 1, for days with so many `steps`; `before` is for moments before them.

    Without `before` the query must leave these out.
    """
    whens = [
        (moment < bindparam(f"step{number + 1}", type_=UtcDateTime), _ahead(number)) for number in range(steps - 1)
    ]
    ahead = case(*whens, else_=_ahead(steps - 1)) if whens else _ahead(0)
    if dialect() == "postgresql":
        day: ColumnElement[int] = cast(
            func.floor((func.date_part("epoch", moment, type_=Float()) + ahead) / SECONDS), Integer
        )
    else:
        day = (cast(func.strftime("%s", moment), BigInteger) + ahead) // SECONDS
    return day if before is None else case((moment >= FIRST, day), else_=before)


def series(found: Iterable[tuple[int | None, int]]) -> Series:
    """Put each number where its day is."""
    numbers = [0] * DAYS
    for day, number in found:
        if day is not None and 1 <= day <= DAYS:
            numbers[day - 1] += number
    return tuple(numbers)


def _ahead(number: int) -> ColumnElement[int]:
    return bindparam(f"ahead{number}", type_=BigInteger)
