"""Which codes are live, as Redis believes for an hour; at the signup the database is asked."""

from contextlib import suppress

from redis import Redis, RedisError

KNOWN_FOR = 3600  # seconds


def key(code: str) -> str:
    """Return the key that is there while a code is known to be live."""
    return f"link:{code}"


def learn(redis: Redis, code: str) -> None:
    """Let Redis know for an hour that a code is live. Raises RedisError."""
    redis.set(key(code), 1, ex=KNOWN_FOR)


def unlearn(redis: Redis, code: str) -> None:
    """Let Redis know at once that a code is nobody's any more; one that is away forgets it within an hour.

    It comes after the commit, so that an error here would call undone what is done.
    """
    with suppress(RedisError):
        redis.delete(key(code))
