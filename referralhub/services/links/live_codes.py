"""Which codes are live, as Redis believes for an hour; at the signup the database is asked.

Whichever of a member's codes is followed, the visit counts under the one that was drawn at their signup: Redis keeps
that one with each.
"""

from collections.abc import Collection
from contextlib import suppress

from redis import Redis, RedisError

KNOWN_FOR = 3600  # seconds


def key(code: str) -> str:
    """Return the key that is there while a code is known to be live, and says which drawn code it stands for."""
    return f"leads:{code}"


def learn(redis: Redis, code: str, drawn: str) -> None:
    """Let Redis know for an hour that a code is live, and which drawn one it stands for. Raises RedisError."""
    redis.set(key(code), drawn, ex=KNOWN_FOR)


def unlearn(redis: Redis, codes: Collection[str]) -> None:
    """Let Redis know at once that a member's codes are nobody's any more; one that is away forgets them in an hour.

    It comes after the commit, so that an error here would call undone what is done.
    """
    with suppress(RedisError):
        redis.delete(*map(key, codes))
