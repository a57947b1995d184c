"""Who brought the most friends: kept in Redis sorted sets, counted by SQL whenever those are not exact.

A change of somebody's place is a row of `leaderboard_change`, written in the transaction that causes it and deleted
once Redis knows. As long as there is one, or Redis lacks a set, readers count by SQL, so that what they see is right
at every moment.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

from redis import Redis, RedisError
from sqlalchemy import Row, Select, bindparam, delete, exists, func, select, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import LeaderboardChange, Profile, User
from referralhub.services.ledger.ranking import Leaderboard, Period, Place, counted, rank, require_zone, there
from referralhub.services.shared import figure_changes
from referralhub.services.shared.calendar import zone_in_force
from referralhub.services.shared.names import shown_name

log = logging.getLogger(__name__)

CHANGED = "leaderboard_changed"  # in session.info: this transaction moved somebody
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
SECONDS = 1 << 33  # room for 272 years; with 20 bits for the count a score is exact in a double's 53
SETS_KEPT = timedelta(days=40)  # a month's or week's set is dropped some time after the end
TOLD = "leaderboard:told"  # in Redis: how many times it was told of changes
MANY = 10_000  # members: more are not named in one statement, which a database would refuse, nor told Redis at once
LOCK = 4711  # PostgreSQL advisory lock: one process at a time brings Redis up to date


def read(redis: "Redis", period: Period, now: datetime, profile_id: int | None = None, limit: int = 10) -> Leaderboard:
    """Read the first places and a member's own: one query, between two round trips to Redis.

    Where Redis has not been told of changes, it is told now. Equal counts are ordered by who got there first (to the
    second), then by who joined first. A month or week is that of the program's time zone.
    """
    return there(now, lambda at: _read(redis, period, at, profile_id, limit))


def _read(redis: "Redis", period: Period, now: datetime, profile_id: int | None, limit: int) -> Leaderboard:
    try:
        board, behind = _from_redis(redis, period, now, profile_id, limit)
        if behind and redis.exists(*(_marker(each, now) for each in Period)) == len(Period):
            _catch_up(redis, lambda _: now)  # a thousand times quicker than to rank a million members
            # Redis has been told of all that had happened by then. Who moves meanwhile is not waited for: when many
            # sign up somebody always does, and everybody would be ranked anew for each page.
            _, ranks = _ranks(redis, period, now, profile_id, limit)
            board = _named(period, now, ranks, profile_id, limit)[0] if ranks is not None else None
        if board:
            return board
    except (RedisError, DBAPIError) as error:  # a database may be open for reading alone
        log.warning("The leaderboard is counted by SQL: %s", type(error).__name__)
        reading().rollback()  # where a connection was lost, the next statement takes another
    return rank(period, now, profile_id, limit)


def rebuild(redis: "Redis", now: datetime, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write all sets, one for each Period, anew from the database; returns how many members the board of all time has.

    `progress` hears of each set. Raises RedisError.
    """
    numbers = []
    with transaction() as session:
        _one_at_a_time(session)
        session.execute(delete(LeaderboardChange))
        # Whoever asks for this may have put another database in its place.
        figure_changes.note(session, figure_changes.EVERYBODY, figure_changes.LEADERBOARD)
        at = _in_force(session, now)
        for period in Period:
            numbers.append(_fill(session, redis, period, at))
            progress(1)
        redis.incr(TOLD)
    return numbers[0]


def changed(session: Session, profile_id: int) -> None:
    """Note that a member's place may have changed; part of the caller's transaction."""
    session.add(LeaderboardChange(profile_id=profile_id))
    figure_changes.note(session, figure_changes.LEADERBOARD)
    session.info[CHANGED] = True


def catch_up(redis: "Redis", now: datetime) -> None:
    """Tell Redis what changed since the last time. Raises RedisError.

    A set that it does not have is written anew; so is each, once many have moved, and after Redis began anew: what it
    remembers then may be older than the changes of which it was told. A set is named by its first moment: in
    another time zone there is another one, and the former goes.
    """
    _catch_up(redis, lambda session: _in_force(session, now))


def _in_force(session: Session, now: datetime) -> datetime:
    """Return the same moment in the program's time zone."""
    return now.astimezone(ZoneInfo(session.execute(select(zone_in_force())).scalar_one()))


def _catch_up(redis: "Redis", when: Callable[[Session], datetime]) -> None:
    with transaction() as session:
        # The rows go when this commits, so a failure on the way leaves them for the next time.
        _one_at_a_time(session)
        now = when(session)
        ids = set(session.scalars(delete(LeaderboardChange).returning(LeaderboardChange.profile_id)))
        run, markers = _run(redis), redis.mget([_marker(period, now) for period in Period])
        for period, marker in zip(Period, markers, strict=True):
            if len(ids) <= MANY and marker == run:
                _update(session, redis, period, now, ids)
            else:
                _fill(session, redis, period, now)
        if ids or markers != [run] * len(Period):
            redis.incr(TOLD)


def differences(redis: "Redis", now: datetime) -> list[Period]:
    """Return the periods for which Redis and SQL differ once it has caught up. Raises RedisError.

    Who moves meanwhile is not compared: there is a row that Redis is still to be told of, or it was told in between.
    """
    catch_up(redis, now)
    return [period for period in Period if there(now, partial(_differs, redis, period))]


def _differs(redis: "Redis", period: Period, now: datetime) -> bool:
    moving, before = _moving(), _kept(redis, period, now)
    reading().commit()  # what is counted must be as new as what Redis had
    require_zone(reading().execute(select(zone_in_force())).scalar_one(), now)
    scores = _scores(reading().execute(counted(period.start(now))).all())
    after, moving = _kept(redis, period, now), moving | _moving()
    settled = {each for each in before | after | scores if each not in moving and before.get(each) == after.get(each)}
    return any(before.get(each) != scores.get(each) for each in settled)


def _moving() -> set[str]:
    """Name those of whose change Redis was not told, as they are called there."""
    reading().commit()
    return set(map(_member, reading().scalars(select(LeaderboardChange.profile_id))))


def _kept(redis: "Redis", period: Period, now: datetime) -> dict[str, float]:
    """Read a whole set, little by little, so that Redis has time for others."""
    return {name.decode(): score for name, score in redis.zscan_iter(_key(period, now), count=1000)}


def _update(session: Session, redis: "Redis", period: Period, now: datetime, ids: set[int]) -> None:
    if not ids:
        return
    rows = session.execute(counted(period.start(now)).where(Profile.id.in_(ids))).all()
    pipeline = redis.pipeline(transaction=True)
    gone = ids - {row.id for row in rows}
    if gone:
        pipeline.zrem(_key(period, now), *(_member(profile_id) for profile_id in gone))
    if rows:
        pipeline.zadd(_key(period, now), _scores(rows))
    pipeline.execute()


def _fill(session: Session, redis: "Redis", period: Period, now: datetime) -> int:
    rows = session.execute(counted(period.start(now))).all()
    key, marker = _key(period, now), _marker(period, now)
    redis.unlink(marker, key)  # until the marker is back, readers count by SQL
    former = cast(bytes | None, redis.set(_newest(period), key, get=True))
    if former and former.decode() != key:  # of another month or zone: nobody would tell it of changes
        redis.unlink(f"{former.decode()}:complete", former)
    for first in range(0, len(rows), MANY):  # all at once would keep Redis from its other work
        redis.zadd(key, _scores(rows[first : first + MANY]))
    kept = None if period is Period.ALL else SETS_KEPT
    if kept:
        redis.expire(key, kept)
    redis.set(marker, _run(redis), ex=kept)
    return len(rows)


def _from_redis(
    redis: "Redis", period: Period, now: datetime, profile_id: int | None, limit: int
) -> tuple[Leaderboard | None, bool]:
    """Read a leaderboard if Redis has it as it is, and whether there are changes of which it was not told."""
    told, ranks = _ranks(redis, period, now, profile_id, limit)
    if ranks is None:
        return None, False
    board, behind = _named(period, now, ranks, profile_id, limit)
    if behind or redis.get(TOLD) != told:  # what it did not know a moment ago it may have been told since
        return None, True
    return board, False


def _ranks(
    redis: "Redis", period: Period, now: datetime, profile_id: int | None, limit: int
) -> tuple[bytes | None, list[tuple[int, int, int]] | None]:
    """Read rank, profile and referrals of the first, and of a member's own place; None if Redis lacks the set.

    Beside it stands up to which time it was told.
    """
    key, member = _key(period, now), _member(profile_id or 0)
    pipeline = redis.pipeline(transaction=True)  # one moment for all answers
    pipeline.get(TOLD)
    pipeline.exists(_marker(period, now))
    pipeline.zrange(key, 0, limit - 1, withscores=True)
    pipeline.zrank(key, member)
    pipeline.zscore(key, member)
    told, complete, top, own_rank, own_score = pipeline.execute()
    if not complete:
        return told, None
    found = [(rank, int(name), _referrals(score)) for rank, (name, score) in enumerate(top, 1)]
    if own_rank is not None and own_rank >= limit:
        found.append((own_rank + 1, profile_id or 0, _referrals(own_score)))
    return told, found


def _named(
    period: Period, now: datetime, ranks: list[tuple[int, int, int]], profile_id: int | None, limit: int
) -> tuple[Leaderboard, bool]:
    """Make a leaderboard of ranks, and tell whether there are changes of which Redis was not told."""
    names, behind = _names([each for _, each, _ in ranks], now)
    places = [Place(rank, each, names[each], number) for rank, each, number in ranks if each in names]
    own = next((place for place in places if place.profile_id == profile_id), None)
    return Leaderboard(period, places[:limit], own, period.end(now)), behind


def _names(ids: Sequence[int], now: datetime) -> tuple[dict[int, str], bool]:
    """Name members, and tell whether there are changes of which Redis was not told. One query, if they are not MANY.

    Raises OtherZone where the program's time zone is not the one that `now` is in.
    """
    names: dict[int, str] = {}
    behind = False
    for first in range(0, len(ids) or 1, MANY):
        rows = reading().execute(_NAMES, {"ids": ids[first : first + MANY]}).all()
        require_zone(rows[0].zone, now)
        behind = behind or rows[0].behind
        names |= {row.id: row.name for row in rows if row.id is not None}
    return names, behind


def _naming() -> Select[*tuple[Any, ...]]:
    """Make the query for the names of `ids`; there is a row even if there is no name."""
    listed = Profile.id.in_(bindparam("ids", expanding=True))
    named = (
        select(Profile.id, shown_name(User).label("name"))
        .join(User, User.id == Profile.user_id)
        .where(listed)
        .subquery()
    )
    state = select(exists(select(LeaderboardChange.id)).label("behind"), zone_in_force().label("zone")).subquery()
    return select(state.c.behind, state.c.zone, named.c.id, named.c.name).select_from(state).outerjoin(named, true())


_NAMES = _naming()  # built once


def _one_at_a_time(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":  # on SQLite the write lock does the same
        session.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _key(period: Period, now: datetime) -> str:
    start = period.start(now)
    return f"leaderboard:{period.value}:{start.isoformat(timespec='minutes') if start else 'ever'}"


def _newest(period: Period) -> str:
    return f"leaderboard:{period.value}:newest"


def _marker(period: Period, now: datetime) -> str:
    return f"{_key(period, now)}:complete"


def _run(redis: "Redis") -> bytes:
    run: str = redis.info("server")["run_id"]
    return run.encode()


def _member(profile_id: int) -> str:
    return f"{profile_id:010}"  # of equal scores Redis puts the lower name first: who joined first


def _scores(rows: Sequence[Row[Any]]) -> dict[str, int]:
    return {_member(row.id): -row.n * SECONDS + int(((row.reached or EPOCH) - EPOCH).total_seconds()) for row in rows}


def _referrals(score: float) -> int:
    return -(int(score) // SECONDS)
