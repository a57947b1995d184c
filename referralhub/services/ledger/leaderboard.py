"""Who brought the most friends: kept in Redis sorted sets, counted by SQL whenever those are not exact.

A change of somebody's place is a row of `leaderboard_change`, written in the transaction that causes it and deleted
once Redis knows. As long as there is one, or Redis lacks a set, readers count by SQL, so that what they see is right
at every moment.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from redis import Redis, RedisError
from sqlalchemy import Row, Select, bindparam, delete, exists, func, or_, select, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import LeaderboardChange, Profile, Referral, ReferralState, User
from referralhub.services.shared import figure_changes
from referralhub.services.shared.names import shown_name

log = logging.getLogger(__name__)

CHANGED = "leaderboard_changed"  # in session.info: this transaction moved somebody
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
SECONDS = 1 << 33  # room for 272 years; with 20 bits for the count a score is exact in a double's 53
SETS_KEPT = timedelta(days=40)  # a month's or week's set is dropped some time after the end
TOLD = "leaderboard:told"  # in Redis: how many times it was told of changes
MANY = 10_000  # members: more are not named in one statement, which a database would refuse, nor told Redis at once
LOCK = 4711  # PostgreSQL advisory lock: one process at a time brings Redis up to date


class Period(StrEnum):
    """The span that a leaderboard covers; months and weeks are the calendar's, in UTC."""

    ALL = "all"
    MONTH = "month"
    WEEK = "week"

    def start(self, now: datetime) -> datetime | None:
        """Return the first moment of the span; None for all time."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        match self:
            case Period.ALL:
                return None
            case Period.MONTH:
                return midnight.replace(day=1)
            case Period.WEEK:
                return midnight - timedelta(days=now.weekday())

    def end(self, now: datetime) -> datetime:
        """Return the first moment after the span; for all time, one that nobody sees."""
        match self, self.start(now):
            case Period.MONTH, datetime() as start:
                return (start + timedelta(days=31)).replace(day=1)
            case Period.WEEK, datetime() as start:
                return start + timedelta(days=7)
        return datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """One line: rank from 1, and the number of confirmed referrals."""

    rank: int
    profile_id: int
    name: str
    referrals: int


@dataclass(frozen=True)
class Leaderboard:
    """The first places, and the member's own when they have one further down or among them."""

    period: Period
    places: list[Place]
    own: Place | None


def read(redis: "Redis", period: Period, now: datetime, profile_id: int | None = None, limit: int = 10) -> Leaderboard:
    """Read the first places and a member's own: one query, between two round trips to Redis.

    Where Redis has not been told of changes, it is told now. Equal counts are ordered by who got there first (to the
    second), then by who joined first.
    """
    try:
        board, behind = _from_redis(redis, period, now, profile_id, limit)
        if behind and redis.exists(*(_marker(each, now) for each in Period)) == len(Period):
            catch_up(redis, now)  # a thousand times quicker than to rank a million members
            board, _ = _from_redis(redis, period, now, profile_id, limit)
        if board:
            return board
    except (RedisError, DBAPIError) as error:  # a database may be open for reading alone
        log.warning("The leaderboard is counted by SQL: %s", type(error).__name__)
    return from_sql(period, now, profile_id, limit)


def from_sql(period: Period, now: datetime, profile_id: int | None = None, limit: int = 10) -> Leaderboard:
    """Count the same from the referrals themselves; this is what Redis must equal."""
    ranked = _ranked(period.start(now)).subquery()
    rows = reading().execute(
        select(ranked.c.place, ranked.c.id, ranked.c.name, ranked.c.n)
        .where(or_(ranked.c.place <= limit, ranked.c.id == profile_id))
        .order_by(ranked.c.place)
    )
    places = [Place(*row) for row in rows]
    own = next((place for place in places if place.profile_id == profile_id), None)
    return Leaderboard(period, places[:limit], own)


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
        for period in Period:
            numbers.append(_fill(session, redis, period, now))
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
    remembers then may be older than the changes of which it was told.
    """
    with transaction() as session:
        # The rows go when this commits, so a failure on the way leaves them for the next time.
        _one_at_a_time(session)
        ids = set(session.scalars(delete(LeaderboardChange).returning(LeaderboardChange.profile_id)))
        for period in Period:
            if len(ids) <= MANY and redis.get(_marker(period, now)) == _run(redis):
                _update(session, redis, period, now, ids)
            else:
                _fill(session, redis, period, now)
        redis.incr(TOLD)


def differences(redis: "Redis", now: datetime) -> list[Period]:
    """Return the periods for which Redis and SQL differ once it has caught up. Raises RedisError."""
    catch_up(redis, now)
    everybody = 1 << 31
    different = []
    for period in Period:
        ranks = _ranks(redis, period, now, None, everybody)[1] or []
        board = _board(period, ranks, _names([each for _, each, _ in ranks])[0], None, everybody)
        if board != from_sql(period, now, limit=everybody):
            different.append(period)
    return different


def _update(session: Session, redis: "Redis", period: Period, now: datetime, ids: set[int]) -> None:
    if not ids:
        return
    rows = session.execute(_counted(period.start(now)).where(Profile.id.in_(ids))).all()
    pipeline = redis.pipeline(transaction=True)
    gone = ids - {row.id for row in rows}
    if gone:
        pipeline.zrem(_key(period, now), *(_member(profile_id) for profile_id in gone))
    if rows:
        pipeline.zadd(_key(period, now), _scores(rows))
    pipeline.execute()


def _fill(session: Session, redis: "Redis", period: Period, now: datetime) -> int:
    rows = session.execute(_counted(period.start(now))).all()
    key, marker = _key(period, now), _marker(period, now)
    redis.unlink(marker, key)  # until the marker is back, readers count by SQL
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
    names, behind = _names([each for _, each, _ in ranks])
    if behind or redis.get(TOLD) != told:  # what it did not know a moment ago it may have been told since
        return None, True
    return _board(period, ranks, names, profile_id, limit), False


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


def _board(
    period: Period, ranks: list[tuple[int, int, int]], names: dict[int, str], profile_id: int | None, limit: int
) -> Leaderboard:
    places = [Place(rank, each, names[each], number) for rank, each, number in ranks if each in names]
    own = next((place for place in places if place.profile_id == profile_id), None)
    return Leaderboard(period, places[:limit], own)


def _names(ids: Sequence[int]) -> tuple[dict[int, str], bool]:
    """Name members, and tell whether there are changes of which Redis was not told. One query, if they are not MANY."""
    names: dict[int, str] = {}
    behind = False
    for first in range(0, len(ids) or 1, MANY):
        rows = reading().execute(_NAMES, {"ids": ids[first : first + MANY]}).all()
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
    behind = select(exists(select(LeaderboardChange.id)).label("behind")).subquery()
    return select(behind.c.behind, named.c.id, named.c.name).select_from(behind).outerjoin(named, true())


_NAMES = _naming()  # built once


def _counted(start: datetime | None) -> Select[*tuple[Any, ...]]:
    """Count for each listed member: id, n, and when the last of the n came."""
    if start is None:
        return (
            select(Profile.id, Profile.referral_count.label("n"), Profile.last_confirmed_at.label("reached"))
            .join(User, User.id == Profile.user_id)
            .where(Profile.referral_count > 0, Profile.listed, User.is_active)
        )
    return (
        select(Profile.id, func.count().label("n"), func.max(Referral.decided_at).label("reached"))
        .join(Referral, Referral.referrer_id == Profile.id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.state == ReferralState.CONFIRMED, Referral.decided_at >= start, Profile.listed, User.is_active)
        .group_by(Profile.id)
    )


def _ranked(start: datetime | None) -> Select[*tuple[Any, ...]]:
    counted = _counted(start).subquery()
    place = func.row_number().over(order_by=(counted.c.n.desc(), counted.c.reached, counted.c.id))
    return (
        select(counted.c.id, counted.c.n, place.label("place"), shown_name(User).label("name"))
        .join(Profile, Profile.id == counted.c.id)
        .join(User, User.id == Profile.user_id)
    )


def _one_at_a_time(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":  # on SQLite the write lock does the same
        session.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _key(period: Period, now: datetime) -> str:
    start = period.start(now)
    return f"leaderboard:{period.value}:{start.date().isoformat() if start else 'ever'}"


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
