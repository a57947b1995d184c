"""Through how many proxies requests come, where that is fewer than are believed.

Each proxy adds an address to X-Forwarded-For. Where more are believed than there are, everybody counts as coming from
the proxy, and who sends such a header chooses the address that they count as.
"""

from redis import Redis

FEWEST = "proxies:fewest"
KEPT = 3600  # seconds


def note_fewer(redis: Redis, number: int) -> None:
    """Note that a request came through so many, and more are believed. Raises RedisError."""
    redis.set(FEWEST, number, ex=KEPT)


def fewest(redis: Redis) -> int | None:
    """Return through how many such a request came lately; None if there was none. Raises RedisError."""
    found = redis.get(FEWEST)
    return int(found) if found else None
