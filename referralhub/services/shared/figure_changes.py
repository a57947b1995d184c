"""Whose figures a transaction changes, and letting Redis know, so that what was computed before is never shown after.

Redis keeps a version for each member, and what was computed under another than the present one is worth nothing:

- Before the commit the version becomes CHANGING, under which nothing is kept or believed; after it, a new one. A writer
  that is killed in between leaves CHANGING behind, for a minute.
- If Redis cannot be told, a row of `figure_change` is written with the change. Kept figures are believed only under a
  lease of seconds, and who renews it tells Redis of these rows first. So the writer waits until no older one is left.
- A Redis that was started anew, or took over, may remember less: then everybody's version is a new one.

What follows is that figures from Redis are as new as those from the database, whatever dies or hangs.
"""

import secrets
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import cast

from redis import Redis, RedisError, TimeoutError
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import FigureChange, Profile

EVERYBODY = 0  # in place of a profile: the rules have changed, or all was counted anew
LEADERBOARD = -1  # in place of a profile: who is on which place, and what they are called
CHANGING = b"changing"  # so says begin_change.lua, too
COMMITTED_BY = 60  # seconds after the announcement
VERSIONS_KEPT = 24 * 3600  # seconds
AT_MOST = timedelta(minutes=5)  # that anything is believed, should somebody change the database behind our back
LEASE = 5000  # milliseconds, more than between two polls, for which nobody asks the database
TRUSTED, RUN = "figures:trusted", "figures:run"  # the lease, and the run of Redis that it was given for

NOTED = "figures_changed"  # in session.info: the profiles whose figures this transaction changes
ANNOUNCED = "figures_announced"  # in session.info: by which token Redis was told of them
UNHEARD = "unheard"  # in its place: Redis could not be told

BEGIN = (Path(__file__).parent / "begin_change.lua").read_text(encoding="utf-8")
END = (Path(__file__).parent / "end_change.lua").read_text(encoding="utf-8")


def note(session: Session, *profile_ids: int) -> None:
    """Note that the figures of these members change; part of the caller's transaction."""
    session.info.setdefault(NOTED, set()).update(profile_ids)


def note_member(session: Session, user_id: int) -> None:
    """Note that a member has another name, address or state: pages of theirs, and of who brought them, say so."""
    row = session.execute(select(Profile.id, Profile.referred_by_id).where(Profile.user_id == user_id)).one()
    note(session, *(each for each in row if each))


def version_key(profile_id: int) -> str:
    """Return the key of the version of a member's figures."""
    return f"figures:version:{profile_id}"


def versions(redis: Redis, *profile_ids: int) -> list[bytes]:
    """Read the versions of these members' figures; those that are gone begin anew. Raises RedisError."""
    keys = [version_key(each) for each in profile_ids]
    found = cast(list[bytes | None], redis.mget(keys))
    if None in found:
        for key in keys:
            redis.set(key, _new_version(), nx=True, ex=VERSIONS_KEPT)
        found = cast(list[bytes | None], redis.mget(keys))
    return [each or CHANGING for each in found]


def announce(redis: Redis, session: Session, must_hear: bool = False) -> None:
    """Before the commit: let nobody believe in kept figures of those that change.

    Where Redis `must_hear` of it, raises RedisError if it does not, and the commit fails.
    """
    profile_ids = session.info.get(NOTED)
    if not profile_ids or ANNOUNCED in session.info:
        return
    token = secrets.token_hex(8)
    try:
        _tell(redis, BEGIN, profile_ids, token)
    except RedisError:
        if must_hear:
            raise
        token = UNHEARD
        session.add_all(FigureChange(profile_id=profile_id) for profile_id in profile_ids)
    session.info[ANNOUNCED] = token


def settle(redis: Redis, session: Session, committed: bool) -> None:
    """After the commit, or after it failed: from now on what is computed anew may be kept and believed."""
    profile_ids, token = session.info.pop(NOTED, None), session.info.pop(ANNOUNCED, None)
    if not profile_ids or token is None:
        return
    with suppress(RedisError):  # where there is no Redis, nobody reads from it
        try:
            _tell(redis, END, profile_ids, token)
        except TimeoutError:
            if committed and token == UNHEARD:  # it hangs, and could show others what it has when it goes on
                sleep(LEASE / 1000)


def renew_lease(redis: Redis) -> None:
    """Let kept figures be believed for a while, once Redis knows what it missed. One query. Raises RedisError."""
    begun = moment(redis)
    reading().commit()  # what was read until now may be older
    grant_lease(redis, begun, missed=bool(reading().scalar(select(exists(select(FigureChange.id))))))


def moment(redis: Redis) -> int:
    """Return the time of Redis in milliseconds. Raises RedisError."""
    seconds, microseconds = redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def grant_lease(redis: Redis, begun: int, missed: bool) -> None:
    """Let kept figures be believed, from `begun` on: a moment of Redis before it was asked whether it `missed` changes.

    A pause in between only shortens the lease. Raises RedisError.
    """
    if missed:
        with transaction() as session:
            changed = session.scalars(delete(FigureChange).returning(FigureChange.profile_id)).all()
            _tell(redis, END, set(changed), UNHEARD)
    run: str = redis.info("server")["run_id"]
    if _text(redis.get(RUN)) != run:  # another Redis than before, or one that came back, with older memory perhaps
        _tell(redis, END, {EVERYBODY}, UNHEARD)
        redis.set(RUN, run)
    pipeline = redis.pipeline(transaction=True)  # Redis 6.0 has no SET with PXAT
    pipeline.set(TRUSTED, 1, px=LEASE)
    pipeline.pexpireat(TRUSTED, begun + LEASE)
    pipeline.execute()


def _new_version() -> str:
    return secrets.token_hex(8)


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _tell(redis: Redis, script: str, profile_ids: Collection[int], token: str) -> None:
    versions = [version_key(profile_id) for profile_id in profile_ids]
    keys = [*versions, *(f"{version}:changing" for version in versions)]
    redis.register_script(script)(keys, [token, COMMITTED_BY, _new_version(), VERSIONS_KEPT])
