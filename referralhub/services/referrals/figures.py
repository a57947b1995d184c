"""A member's figures from Redis while nothing has changed, else computed: as new as the database either way.

What keeps them exact is in `shared/figure_changes`.
"""

from datetime import UTC, datetime
from typing import cast

import msgspec
from redis import Redis, RedisError

from referralhub.database import reading
from referralhub.services.referrals import statistics
from referralhub.services.referrals.statistics import RecentReferral, Statistics, Story
from referralhub.services.shared import figure_changes
from referralhub.services.shared.figure_changes import AT_MOST, CHANGING, EVERYBODY, TRUSTED, version_key


class Figures(msgspec.Struct, array_like=True):
    """What is kept: figures, newest friends and their story, with their versions and until when they hold."""

    versions: tuple[bytes, bytes]
    until: datetime
    statistics: Statistics
    recent: list[RecentReferral]
    story: Story


_decoder, _encoder = msgspec.msgpack.Decoder(Figures), msgspec.msgpack.Encoder()


def read(redis: Redis, profile_id: int, now: datetime) -> Figures:
    """Read a member's figures: one round trip to Redis, or one query when something has changed.

    Once in a while there is a query anyway, which also finds what Redis could not be told.
    """
    try:
        keys = [TRUSTED, version_key(EVERYBODY), version_key(profile_id), _key(profile_id)]
        trusted, *versions, packed = cast(list[bytes | None], redis.mget(keys))
        kept = _valid(packed, versions, now)
        if trusted and kept:
            return kept
        return _compute(redis, profile_id, now, begun=None if trusted else figure_changes.moment(redis))
    except RedisError:
        found = statistics.of_member(profile_id, now)
        return Figures((CHANGING, CHANGING), now, found.statistics, found.recent, found.story)


def _key(profile_id: int) -> str:
    return f"figures:{profile_id}"


def _valid(packed: bytes | None, versions: list[bytes | None], now: datetime) -> Figures | None:
    try:
        kept = _decoder.decode(packed) if packed else None
    except msgspec.DecodeError:  # an older release kept it
        return None
    return kept if kept and list(kept.versions) == versions and now < kept.until else None


def _compute(redis: Redis, profile_id: int, now: datetime, begun: int | None) -> Figures:
    """Compute and keep the figures; where kept ones are not to be believed, since `begun` they are again."""
    everybody, own = figure_changes.versions(redis, EVERYBODY, profile_id)
    reading().commit()  # a change that came before these versions must be seen
    found = statistics.of_member(profile_id, now)
    until = min(found.until, now.astimezone(UTC) + AT_MOST)  # hours are not reckoned with where clocks are changed
    figures = Figures((everybody, own), until, found.statistics, found.recent, found.story)
    if CHANGING not in figures.versions:
        redis.set(_key(profile_id), _encoder.encode(figures), ex=AT_MOST)
    if begun is not None:
        figure_changes.grant_lease(redis, begun, found.missed)
    return figures
