"""How many addresses requests name in X-Forwarded-For: each proxy adds one.

Where more proxies are believed than there are, everybody counts as coming from the proxy, and who sends such a header
chooses the address that they count as. Where fewer are believed, everybody counts as coming from a proxy, too. Anybody
can name more than there are proxies, nobody fewer: the fewest that was seen is what counts.
"""

from redis import Redis

SEEN = "proxies:seen:%d"
KEPT = 3600  # seconds


def note(redis: Redis, number: int) -> None:
    """Note that a request named so many. Raises RedisError."""
    redis.set(SEEN % number, 1, ex=KEPT)


def fewest(redis: Redis, most: int) -> int | None:
    """Return the fewest, up to `most`, that a request named lately; None if none named any. Raises RedisError."""
    numbers = range(1, most + 1)
    seen = redis.mget([SEEN % number for number in numbers])
    return next((number for number, found in zip(numbers, seen, strict=True) if found), None)
