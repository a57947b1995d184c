"""Connecting to Redis, whichever way the operator names it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel


def connect(url: str, timeout: float = 0.5) -> Redis:
    """Make a client for `redis://`, `rediss://`, `unix://` or `sentinel://host:port,host:port/service/db`.

    `timeout` is in seconds and there is no second try: a page that waits for a dead Redis helps nobody.
    """
    options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
    parts = urlsplit(url)
    if parts.scheme != "sentinel":
        return Redis.from_url(url, **options)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, number = parts.path.strip("/").partition("/")
    sentinels = [(host, int(port or 26379)) for host, _, port in (h.partition(":") for h in hosts.split(","))]
    watch: Callable[..., Any] = Sentinel  # the library has no types for this part of it
    password = credentials.partition(":")[2] or None
    master: Redis = watch(sentinels, sentinel_kwargs=options).master_for(
        service, db=int(number or 0), password=password, **options
    )
    return master
