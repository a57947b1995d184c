"""A member's figures from Redis while nothing has changed, else computed: as new as the database either way.

What keeps them exact is in `shared/figure_changes`. Beside the figures the answer is kept that was made of them, with
the sign-ins to which it may be given again; a sign-in that ends is a change.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import cast

import msgspec
from redis import Redis, RedisError

from referralhub.database import reading
from referralhub.services.referrals import statistics
from referralhub.services.referrals.statistics import Statistics
from referralhub.services.shared import figure_changes
from referralhub.services.shared.figure_changes import CHANGING, EVERYBODY, TRUSTED, VERSIONS_KEPT, version_key

KEPT = 3600  # seconds
AT_MOST = timedelta(minutes=5)  # should somebody change the database behind our back


class Figures(msgspec.Struct, array_like=True):
    """What is kept: the figures, the versions that they belong to, and until when time alone does not change them."""

    versions: tuple[bytes, bytes]
    until: datetime
    statistics: Statistics
    sign_ins: list[int] = []
    tag: str = ""
    answer: bytes = b""


_decoder, _encoder = msgspec.msgpack.Decoder(Figures), msgspec.msgpack.Encoder()


def keys(profile_id: int) -> list[str]:
    """Return the keys of what `believed` looks at."""
    return [TRUSTED, version_key(EVERYBODY), version_key(profile_id), _key(profile_id)]


def _key(profile_id: int) -> str:
    return f"figures:{profile_id}"


def versions_in(found: Sequence[bytes | None]) -> tuple[bytes | None, bytes | None]:
    """Return the versions of everybody's and of the member's figures among what is kept under these keys."""
    return found[1], found[2]


def believed(found: Sequence[bytes | None], now: datetime) -> Figures | None:
    """Return what is kept under these keys, if it is as good as the database; None if not."""
    trusted, packed = found[0], found[3]
    if not trusted or packed is None:
        return None
    try:
        kept = _decoder.decode(packed)
    except msgspec.DecodeError:  # an older release kept it
        return None
    return kept if kept.versions == versions_in(found) and now < kept.until else None


def read(redis: Redis, profile_id: int, now: datetime) -> Figures:
    """Read a member's figures: one round trip to Redis, or one query when something has changed.

    Once in a while there is another query, of what Redis could not be told.
    """
    try:
        found = _bytes(redis, keys(profile_id))
        if not found[0]:
            figure_changes.renew_lease(redis)
            found = _bytes(redis, keys(profile_id))
        return believed(found, now) or _compute(redis, profile_id, now)
    except RedisError:
        return Figures((CHANGING, CHANGING), now, statistics.of_member(profile_id, now)[0])


def keep_answer(redis: Redis, profile_id: int, figures: Figures, sign_in_id: int, tag: str, answer: bytes) -> None:
    """Keep what was answered, to be answered again to this sign-in and those that had it before.

    The caller has asked for these versions before it was asked whether the sign-in is in force: its end is a change.
    """
    if CHANGING in figures.versions or sign_in_id in figures.sign_ins:
        return
    figures.sign_ins, figures.tag, figures.answer = [*figures.sign_ins, sign_in_id], tag, answer
    with suppress(RedisError):
        _keep(redis, profile_id, figures)


def _compute(redis: Redis, profile_id: int, now: datetime) -> Figures:
    versions = _versions(redis, profile_id)
    reading().commit()  # a change that came before these versions must be seen
    found, until = statistics.of_member(profile_id, now)
    figures = Figures(versions, min(until, now + AT_MOST), found)
    if CHANGING not in versions:
        _keep(redis, profile_id, figures)
    return figures


def _keep(redis: Redis, profile_id: int, figures: Figures) -> None:
    redis.set(_key(profile_id), _encoder.encode(figures), ex=KEPT)


def _versions(redis: Redis, profile_id: int) -> tuple[bytes, bytes]:
    """Read the versions of everybody's and of the member's figures; those that are gone begin anew."""
    both = [version_key(EVERYBODY), version_key(profile_id)]
    found = _bytes(redis, both)
    if None in found:
        for key in both:
            redis.set(key, figure_changes.new_version(), nx=True, ex=VERSIONS_KEPT)
        found = _bytes(redis, both)
    return found[0] or CHANGING, found[1] or CHANGING


def _bytes(redis: Redis, keys: list[str]) -> list[bytes | None]:
    return cast(list[bytes | None], redis.mget(keys))
