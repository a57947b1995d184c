"""Days where the program is: its time zone, and the moments at which days begin there.

A moment that is in the program's zone knows its day, week and month there; `clock.local_now` gives one.
"""

from bisect import bisect
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import available_timezones

from sqlalchemy import ScalarSelect, select

from referralhub.models import Program

STEP = timedelta(days=7)  # in which no zone changes its clocks twice and back


def is_zone(name: str) -> bool:
    """Whether there is a time zone with this IANA name."""
    return name in available_timezones()


def zone_in_force() -> ScalarSelect[str]:
    """Make a part of a query: the name of the program's time zone."""
    return select(Program.timezone).order_by(Program.version.desc()).limit(1).scalar_subquery()


def zone_of(moment: datetime) -> tzinfo:
    """Return the zone that a moment is in. Raises ValueError where it has none."""
    if moment.tzinfo is None:
        raise ValueError(moment)
    return moment.tzinfo


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a day, in UTC; where clocks are put forward over midnight, that is later than 0:00."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


@lru_cache(maxsize=64)
def offsets(zone: tzinfo, since: date, until: date) -> Sequence[tuple[datetime, timedelta]]:
    """List how far a zone's clocks are ahead of UTC: from when on, beginning with `since`, up to `until`."""
    found = [(midnight(since, UTC), _offset(midnight(since, UTC), zone))]
    moment = found[0][0]
    while moment < midnight(until, UTC):
        before, moment = moment, moment + STEP
        if _offset(moment, zone) != found[-1][1]:
            change = _change(zone, before)
            found.append((change, _offset(change, zone)))
    return found


def _change(zone: tzinfo, since: datetime) -> datetime:
    """Find the second at which a zone's clocks are changed, within a STEP."""
    old = _offset(since, zone)
    seconds = range(int(STEP.total_seconds()) + 1)
    first = bisect(seconds, False, key=lambda second: _offset(since + timedelta(seconds=second), zone) != old)
    return since + timedelta(seconds=first)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def months_after(moment: datetime, months: int) -> datetime:
    """Return the same time of the same day so many months later; on the last day of a month that has no such day."""
    month = moment.month - 1 + months
    year, month = moment.year + month // 12, month % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))
