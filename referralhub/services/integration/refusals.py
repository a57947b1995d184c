"""How often calls of the API were refused, by what was wrong: the name of a value, and a code. Values are not kept.

A count is a courtesy to whoever connects a product. It is in Redis, a hash for each day, and forgotten after a week.
That something cannot be counted is no reason to answer otherwise.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from redis import Redis, RedisError

KEY = "api:refused:%s"  # of a day in UTC
DAYS = 7
KEPT = (DAYS + 1) * 24 * 3600  # seconds
LAST = "last"


class Fault(NamedTuple):
    """What was wrong: a code, and the value that it is about; "" is the whole."""

    field: str
    code: str


@dataclass(frozen=True)
class Refused:
    """How often something was wrong within the last days, and when last."""

    field: str
    code: str
    number: int
    last: datetime


def note(redis: Redis, faults: Iterable[Fault], now: datetime) -> None:
    """Count what was wrong with a call. While Redis is away it is not counted."""
    key = KEY % now.astimezone(UTC).date()
    with suppress(RedisError):
        pipeline = redis.pipeline(transaction=False)
        for (field, code), number in Counter(faults).items():
            pipeline.hincrby(key, f"{field}|{code}|", number)
            pipeline.hset(key, f"{field}|{code}|{LAST}", now.isoformat())
        pipeline.expire(key, KEPT)
        pipeline.execute()


def read(redis: Redis, now: datetime) -> list[Refused] | None:
    """Return what was wrong today and on the six days before, the latest first; None while Redis is away."""
    pipeline = redis.pipeline(transaction=False)
    today = now.astimezone(UTC).date()
    for days in reversed(range(DAYS)):
        pipeline.hgetall(KEY % (today - timedelta(days=days)))
    numbers: Counter[Fault] = Counter()
    last: dict[Fault, datetime] = {}
    try:
        days_found = pipeline.execute()
    except RedisError:
        return None
    for found in days_found:
        for name, value in found.items():
            field, code, kind = _text(name).split("|")
            if kind == LAST:
                last[Fault(field, code)] = datetime.fromisoformat(_text(value))
            else:
                numbers[Fault(field, code)] += int(value)
    every = [Refused(*fault, numbers[fault], moment) for fault, moment in last.items()]
    return sorted(every, key=lambda each: each.last, reverse=True)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
