"""Connecting to Redis, whichever way the operator names it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel


class NotSupported(RedisError):
    """REDIS_URL names what can never do, however long one waits."""


class ClusterNotSupported(NotSupported):
    """It is a node of a Redis Cluster, where a script cannot touch all the keys that ours touch."""


class TooOld(NotSupported):
    """It does not speak the protocol of Redis 6."""


def connect(url: str, timeout: float = 0.5) -> Redis:
    """Make a client for `redis://`, `rediss://`, `unix://` or `sentinel://host:port,host:port/service/db`.

    `timeout` is in seconds and there is no second try: a page that waits for a dead Redis helps nobody. Nothing is sent
    yet; each connection raises NotSupported at a server that can never do, so that nothing there works by half.
    """
    patience = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
    options = {**patience, "redis_connect_func": _sign_in}
    parts = urlsplit(url)
    if parts.scheme != "sentinel":
        return Redis.from_url(url, **options)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, number = parts.path.strip("/").partition("/")
    sentinels = [(host, int(port or 26379)) for host, _, port in (h.partition(":") for h in hosts.split(","))]
    watch: Callable[..., Any] = Sentinel  # the library has no types for this part of it
    password = credentials.partition(":")[2] or None
    master: Redis = watch(sentinels, sentinel_kwargs=patience).master_for(
        service, db=int(number or 0), password=password, **options
    )
    return master


def _sign_in(connection: Any) -> None:
    """Sign in as the library does, and ask what it is. Raises NotSupported."""
    try:
        connection.on_connect()
    except ResponseError as error:
        if "unknown command" not in str(error):
            raise
        # Not the error itself: in it the server says again what it was sent, the password.
        raise TooOld("REDIS_URL names a Redis before version 6, which is not supported: name a newer one") from None
    connection.send_command("INFO", "cluster")
    try:
        told = str(connection.read_response())
    except ResponseError:  # it may not be asked; then what is tried out shows it
        return
    if "cluster_enabled:1" in told:
        raise ClusterNotSupported("REDIS_URL names a Redis Cluster, which is not supported: name a server by itself")
