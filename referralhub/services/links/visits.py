"""Visits to members' links: counted in Redis as they come, and booked in the database, each exactly once."""

import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from redis import Redis
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.models import Channel, Profile, VisitDaily
from referralhub.services.shared import codes, figure_changes, once
from referralhub.services.shared.calendar import zone_in_force

WAITING, BATCHES = "visits:waiting", "visits:batches"  # codes with new visits; counts on their way
DAYS_KEPT = timedelta(days=90)
FOLDED = date(2000, 1, 1)  # the day that stands for all before
QUARTER = 15 * 60  # seconds
COUNTED = ("visits", "visitors", "bots")
FIRST = "first"  # of somebody who was not here on that day: one of the visits, and one of the visitors

TAKE = (Path(__file__).parent / "take_visits.lua").read_text(encoding="utf-8")


def key(code: str) -> str:
    """Return the key of a code's visits in Redis: a hash of numbers."""
    return f"visits:{code}"


def field(moment: datetime, channel: Channel, kind: str) -> str:
    """Return the name of one of these numbers: of which quarter of an hour, so that it can be booked on its day.

    The day depends on the program's time zone, which nobody knows who counts; no zone is ahead of UTC by a part of one.
    """
    return _field(int(moment.timestamp()) // QUARTER, channel, kind)


@lru_cache(64)
def _field(quarter: int, channel: Channel, kind: str) -> str:
    return f"{datetime.fromtimestamp(quarter * QUARTER, UTC):%Y-%m-%dT%H:%MZ}|{channel.value}|{kind}"


def channel_of(via: str) -> Channel:
    """Return the channel that a link's `?via=` names; what is no channel is the link itself."""
    try:
        return Channel(via.lower()) if via else Channel.LINK
    except ValueError:
        return Channel.LINK


def count(redis: Redis, code: str, channel: Channel, kind: str, now: datetime) -> None:
    """Add one to a code's visits, visitors or bots of the day. Raises RedisError."""
    pipeline = redis.pipeline(transaction=True)
    pipeline.hincrby(key(code), field(now, channel, kind), 1)
    pipeline.sadd(WAITING, code)
    pipeline.execute()


def book(redis: Redis, code: str, now: datetime) -> None:
    """Write a code's new visits into the database, if there are any. Raises RedisError."""
    batch = f"visits:batch:{code}:{uuid.uuid4().hex}"
    if redis.register_script(TAKE)([key(code), batch, BATCHES, WAITING], [code]):
        _book(redis, batch, now)


def book_all(redis: Redis, now: datetime) -> None:
    """Do so for everybody, beginning with what a crash left half way. Raises RedisError."""
    for batch in redis.smembers(BATCHES):
        _book(redis, _text(batch), now)
    for code in redis.smembers(WAITING):
        book(redis, _text(code), now)


def fold(now: datetime) -> None:
    """Add visits of more than 90 days ago up to one row for a member and channel; the days are forgotten.

    `now` is in the program's time zone, as days are.
    """
    last = now.date() - DAYS_KEPT
    old = (VisitDaily.day < last, VisitDaily.day > FOLDED)
    sums = [func.sum(getattr(VisitDaily, kind)).label(kind) for kind in COUNTED]
    query = select(VisitDaily.profile_id, VisitDaily.channel, *sums).where(*old)
    with transaction() as session:
        for row in session.execute(query.group_by(VisitDaily.profile_id, VisitDaily.channel)).all():
            _add(session, row.profile_id, FOLDED, row.channel, {kind: getattr(row, kind) for kind in COUNTED})
        session.execute(delete(VisitDaily).where(*old))


def _book(redis: Redis, batch: str, now: datetime) -> None:
    code, counted = batch.split(":")[2], redis.hgetall(batch)
    with transaction() as session:
        # Visits of somebody whom this database does not know (it was set up anew) must not hold up the others.
        # What is shorter than a code is the number of a profile, by which visits were counted before.
        whose = Profile.code == code if codes.may_be_drawn(code) else Profile.id == int(code)
        member = session.execute(select(Profile.id, zone_in_force().label("zone")).where(whose)).one_or_none()
        if member is not None and once.first(session, batch, now):
            figure_changes.note(session, member.id)
            for (day, channel), numbers in _by_day(counted, ZoneInfo(member.zone)).items():
                _add(session, member.id, day, channel, {kind: numbers[kind] for kind in COUNTED})
    redis.delete(batch)
    redis.srem(BATCHES, batch)


def _by_day(counted: dict[bytes | str, bytes | str], zone: ZoneInfo) -> dict[tuple[date, Channel], Counter[str]]:
    counts: dict[tuple[date, Channel], Counter[str]] = {}
    for name, number in counted.items():
        if number in {b"0", "0"}:  # taken back: a link that Redis did not know any more
            continue
        when, via, kind = _text(name).split("|")
        # Without a time it was counted by a release that knew the days of UTC alone.
        day = datetime.fromisoformat(when).astimezone(zone).date() if "T" in when else date.fromisoformat(when)
        for each in ("visits", "visitors") if kind == FIRST else (kind,):
            counts.setdefault((day, Channel(via)), Counter())[each] += int(number)
    return counts


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
