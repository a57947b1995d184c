"""Visits to members' links: counted in Redis as they come, and booked in the database, each exactly once."""

import uuid
from collections import Counter
from datetime import date, datetime, timedelta

from redis import Redis
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.models import Channel, Profile, VisitDaily
from referralhub.services.shared import once

WAITING, BATCHES = "visits:waiting", "visits:batches"  # members with uncounted visits; counts on their way
KEPT = timedelta(days=90)
FOLDED = date(2000, 1, 1)  # the day that stands for all before
COUNTED = ("visits", "visitors", "bots")

# Part of a script: adds one to a member's count of a kind, for a day and a channel.
COUNT = """
redis.call('HINCRBY', 'visits:' .. profile, day .. '|' .. channel .. '|' .. kind, 1)
redis.call('SADD', 'visits:waiting', profile)
"""
_COUNT = "local profile, day, channel, kind = ARGV[1], ARGV[2], ARGV[3], ARGV[4]" + COUNT

# Takes a member's counts out of the way, so that nothing is added to them while they are booked.
_TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('SADD', 'visits:batches', KEYS[2])
redis.call('SREM', 'visits:waiting', ARGV[1])
return 1
"""


def count(redis: Redis, profile_id: int, channel: Channel, kind: str, now: datetime) -> None:
    """Add one to a member's visits, visitors or bots of the day. Raises RedisError."""
    redis.eval(_COUNT, 0, profile_id, now.date().isoformat(), channel.value, kind)


def book(redis: Redis, profile_id: int, now: datetime) -> None:
    """Write a member's new visits into the database, if there are any. Raises RedisError."""
    batch = f"visits:batch:{profile_id}:{uuid.uuid4().hex}"
    if redis.eval(_TAKE, 2, f"visits:{profile_id}", batch, profile_id):
        _book(redis, batch, now)


def book_all(redis: Redis, now: datetime) -> None:
    """Do so for everybody, beginning with what a crash left half way. Raises RedisError."""
    for batch in redis.smembers(BATCHES):
        _book(redis, _text(batch), now)
    for profile_id in redis.smembers(WAITING):
        book(redis, int(profile_id), now)


def fold(now: datetime) -> None:
    """Add visits of more than 90 days ago up to one row for a member and channel; the days are forgotten."""
    last = now.date() - KEPT
    old = (VisitDaily.day < last, VisitDaily.day > FOLDED)
    sums = [func.sum(getattr(VisitDaily, kind)).label(kind) for kind in COUNTED]
    query = select(VisitDaily.profile_id, VisitDaily.channel, *sums).where(*old)
    with transaction() as session:
        for row in session.execute(query.group_by(VisitDaily.profile_id, VisitDaily.channel)).all():
            _add(session, row.profile_id, FOLDED, row.channel, {kind: getattr(row, kind) for kind in COUNTED})
        session.execute(delete(VisitDaily).where(*old))


def _book(redis: Redis, batch: str, now: datetime) -> None:
    profile_id = int(batch.split(":")[2])
    counts: dict[tuple[date, Channel], Counter[str]] = {}
    for field, number in redis.hgetall(batch).items():
        day, via, kind = _text(field).split("|")
        counts.setdefault((date.fromisoformat(day), Channel(via)), Counter())[kind] += int(number)
    with transaction() as session:
        # Visits of somebody whom this database does not know (it was set up anew) must not hold up the others.
        if session.get(Profile, profile_id) and once.first(session, batch, now):
            for (date_, channel), numbers in counts.items():
                _add(session, profile_id, date_, channel, {kind: numbers[kind] for kind in COUNTED})
    redis.delete(batch)
    redis.srem(BATCHES, batch)


def _add(session: Session, profile_id: int, day: date, channel: Channel, numbers: dict[str, int]) -> None:
    statement = insert(VisitDaily).values(profile_id=profile_id, day=day, channel=channel, **numbers)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["profile_id", "day", "channel"],
            set_={kind: getattr(VisitDaily, kind) + numbers[kind] for kind in COUNTED},
        )
    )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
