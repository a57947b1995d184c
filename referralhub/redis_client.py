"""Connecting to Redis, whichever way the operator names it."""

import os
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Sequence
from math import modf
from pathlib import Path
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

from hiredis import pack_command
from redis import ConnectionPool, DataError, Redis, RedisError, ResponseError, TimeoutError
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

    def call_with_retry(
        self, do: Callable[[], Any], fail: Callable[..., Any], *_: Any, with_failure_count: bool = False, **__: Any
    ) -> Any:
        """Let it be tried, and `fail` hear of an error. Raises TimeoutError at once where it is of no use."""
        if self._breaker.away:
            raise TimeoutError("Redis was waited for in vain, and has not answered since")
        begun = monotonic()
        try:
            return do()
        except self._supported_errors as error:
            if monotonic() - begun > AT_ONCE:
                self._breaker.call_away()
            fail(error, *[1] * with_failure_count)
            if isinstance(error.__context__, BlockingIOError):  # what the kernel says when the time is over
                raise TimeoutError("Redis was waited for in vain") from None
            raise


class _Packing:
    """Packs commands as the library does, but for a look at the type of each argument, which takes longer than that."""

    def pack(self, name: str, *arguments: Any) -> list[bytes]:
        """Write one command as Redis reads it. Raises DataError."""
        words = (*name.split(), *arguments) if " " in name else (name, *arguments)
        try:
            return [pack_command(words)]
        except TypeError as error:
            raise DataError(error) from None


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
        if self.pid != os.getpid():
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


def ask(redis: Redis, *commands: Sequence[Any]) -> list[Any]:
    """Send commands at once and return the answer to each, in less time than the library takes for one.

    Raises RedisError with the first answer that is an error; the other commands may have done their work.
    """
    pool = redis.connection_pool
    connection: Any = pool.get_connection()

    def send() -> list[Any]:
        packed = [connection.pack_command(*command)[0] for command in commands]
        connection.send_packed_command([b"".join(packed)], check_health=False)
        return [connection.read_response() for _ in commands]

    try:
        return cast(list[Any], connection.retry.call_with_retry(send, lambda _: None))
    except BaseException:
        connection.disconnect()  # answers that nobody has read may still be on their way
        raise
    finally:
        pool.release(connection)


def run(script: Script, keys: Sequence[str], values: Sequence[Any]) -> Any:
    """Run a script as `script(keys, values)` does. Raises RedisError."""
    try:
        return ask(cast(Redis, script.registered_client), ("EVALSHA", script.sha, len(keys), *keys, *values))[0]
    except NoScriptError:
        return script(keys, values)


def connect(url: str, timeout: float = 0.5, prefix: str = "") -> Redis:
    """Make a client for `redis://`, `rediss://`, `unix://` or `sentinel://host:port,host:port/service/db`.

    After a `?` may be what the library knows, such as `ssl_ca_certs=FILE` for a server with a certificate of its own.
    `timeout` is in seconds and there is no second try: a page that waits for a dead Redis helps nobody. Once it was
    waited for in vain, everything fails at once until it answers. Nothing is sent yet; each connection raises
    NotSupported at a server that can never do, so that nothing there works by half. With a `prefix` it reaches no other
    keys than those that begin so, and whoever uses it need not know.
    """
    asking = _connect(url, timeout, Retry(NoBackoff(), 0))

    def ping(_: Breaker) -> None:
        with asking:  # each time by a new connection
            asking.ping()

    packing = Prefixing(prefix) if prefix else _Packing()
    return _connect(url, timeout, _OneTry(Breaker(ping)), command_packer=packing)


def check(url: str) -> None:
    """Raise ValueError for an address that is not to be understood. Nothing is sent."""
    try:
        connection: Any = connect(url).connection_pool.make_connection()
    except (TypeError, RedisError):  # a parameter that the library does not know, or a value
        raise ValueError("it has a parameter that makes no sense") from None
    if not connection.socket_timeout or connection.socket_timeout < 0:
        raise ValueError("socket_timeout has to be more than 0")
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
    _let_kernel_keep_time(connection)
    connection.send_command("INFO", "cluster")
    try:
        told = str(connection.read_response())
    except ResponseError:  # it may not be asked; then what is tried out shows it
        return
    if "cluster_enabled:1" in told:
        raise ClusterNotSupported("REDIS_URL names a Redis Cluster, which is not supported: name a server by itself")


def _let_kernel_keep_time(connection: Any) -> None:
    """Leave the timeout to the kernel: Python's own makes two system calls of each one, and a change of thread."""
    sock = connection._sock
    if isinstance(sock, ssl.SSLSocket):  # which has to know by itself
        return
    fraction, seconds = modf(connection.socket_timeout)
    timeout = struct.pack("ll", int(seconds), int(fraction * 1_000_000))
    sock.settimeout(None)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, timeout)
