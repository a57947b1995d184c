"""Connecting to Redis, whichever way the operator names it."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

from redis import ConnectionError, ConnectionPool, Redis, RedisError, ResponseError, TimeoutError
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import NoScriptError
from redis.retry import Retry
from redis.sentinel import Sentinel

from referralhub.breaker import AT_ONCE, Breaker
from referralhub.redis_prefix import Prefixing

FRESH = 0.05  # seconds since a connection was used; no Redis is stopped and started again within so few


class NotSupported(RedisError):
    """REDIS_URL names what can never do, however long one waits."""


class ClusterNotSupported(NotSupported):
    """It is a node of a Redis Cluster, where a script cannot touch all the keys that ours touch."""


class TooOld(NotSupported):
    """It does not speak the protocol of Redis 6."""


class _OneTry(Retry):
    """No second try, and none at all while Redis is known to be silent: the library has each one made by this."""

    def __init__(self, breaker: Breaker) -> None:
        super().__init__(NoBackoff(), 0)
        self._breaker = breaker

    def __deepcopy__(self, _: dict[int, Any]) -> "_OneTry":
        return self  # the connections of a client share what they know

    def call_with_retry(self, do: Callable[[], Any], *args: Any, **options: Any) -> Any:
        """Let it be tried. Raises TimeoutError at once where it is of no use."""
        if self._breaker.away:
            raise TimeoutError("Redis was waited for in vain, and has not answered since")
        begun = monotonic()
        try:
            return super().call_with_retry(do, *args, **options)
        except (ConnectionError, TimeoutError):
            if monotonic() - begun > AT_ONCE:
                self._breaker.call_away()
            raise


class _Connections(ConnectionPool):
    """The library's pool, but for its look at each connection before each command, which costs as much as the command.

    The look finds out that Redis has hung up, or that an answer is left which nobody has read. It is left out where
    the connection was used a moment ago, and without an error.
    """

    def reset(self) -> None:
        """Begin anew, as a process that has forked must."""
        self._fresh: list[tuple[Any, float]] = []
        super().reset()

    def get_connection(self, *_: Any, **__: Any) -> Any:
        """Take the connection that was used last, or another one."""
        self._checkpid()
        try:
            connection, used_at = self._fresh.pop()
        except IndexError:
            return super().get_connection()
        if monotonic() - used_at < FRESH:
            return connection
        super().release(connection)
        return super().get_connection()

    def release(self, connection: Any) -> None:
        """Give a connection back; if that is because of an error, it is looked at before it is used again."""
        if sys.exception() is None:
            self._fresh.append((connection, monotonic()))
        else:
            super().release(connection)


def run(script: Script, keys: Sequence[str], values: Sequence[Any]) -> Any:
    """Run a script as `script(keys, values)` does, which takes longer to send it than Redis to run it.

    Raises RedisError.
    """
    pool = cast(Redis, script.registered_client).connection_pool
    connection: Any = pool.get_connection()

    def ask() -> Any:
        command = connection.pack_command("EVALSHA", script.sha, len(keys), *keys, *values)
        connection.send_packed_command(command, check_health=False)
        return connection.read_response()

    try:
        return connection.retry.call_with_retry(ask, lambda _: None)
    except NoScriptError:
        return script(keys, values)
    finally:
        pool.release(connection)


def connect(url: str, timeout: float = 0.5, prefix: str = "") -> Redis:
    """Make a client for `redis://`, `rediss://`, `unix://` or `sentinel://host:port,host:port/service/db`.

    After a `?` may be what the library knows, such as `ssl_ca_certs=FILE` for a server with a certificate of its own.
    `timeout` is in seconds and there is no second try: a page that waits for a dead Redis helps nobody. Once it was
    waited for in vain, everything fails at once until it answers. Nothing is sent yet; each connection raises
    NotSupported at a server that can never do, so that nothing there works by half. With a `prefix` it reaches no other
    keys than those that begin so, and whoever uses it need not know.
    """
    asking = _connect(url, timeout, Retry(NoBackoff(), 0))

    def ask(_: Breaker) -> None:
        with asking:  # each time by a new connection
            asking.ping()

    packing = {"command_packer": Prefixing(prefix)} if prefix else {}
    return _connect(url, timeout, _OneTry(Breaker(ask)), **packing)


def check(url: str) -> None:
    """Raise ValueError for an address that is not to be understood. Nothing is sent."""
    try:
        connection = connect(url).connection_pool.make_connection()
    except (TypeError, RedisError):  # a parameter that the library does not know, or a value
        raise ValueError("it has a parameter that makes no sense") from None
    authorities = getattr(connection, "ca_certs", None)
    if authorities and not Path(authorities).is_file():
        raise ValueError("ssl_ca_certs names no file")


def _connect(url: str, timeout: float, retry: Retry, **packing: Any) -> Redis:
    patience = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": retry}
    options = {**patience, **packing, "redis_connect_func": _sign_in}
    parts = urlsplit(url)
    if parts.scheme != "sentinel":
        return Redis.from_pool(_Connections.from_url(url, **options))
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
