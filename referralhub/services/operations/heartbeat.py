"""The worker's sign of life: a moment in Redis, written anew every minute."""

from datetime import datetime

from redis import Redis

KEY = "worker:seen"


def beat(redis: Redis, now: datetime) -> None:
    """Note that the worker works. Raises RedisError."""
    redis.set(KEY, now.isoformat())


def last(redis: Redis) -> datetime | None:
    """Return the moment of its last sign of life, None if there never was one. Raises RedisError."""
    seen = redis.get(KEY)
    return datetime.fromisoformat(seen if isinstance(seen, str) else seen.decode()) if seen else None
