"""Keys with something in front, put there where a command is written to the connection.

Whatever uses such a client, a library too, cannot reach a key of anybody else's: a command of which is not known here
which of its arguments are keys is refused.
"""

from typing import Any

from redis import DataError

ONE_KEY = {  # right behind the name
    "EXPIRE", "GET", "HDEL", "HGETALL", "HINCRBY", "HSET", "INCR", "INCRBY", "PEXPIRE", "PEXPIREAT", "SADD", "SET",
    "SMEMBERS", "SREM", "TTL", "ZADD", "ZCARD", "ZCOUNT", "ZRANGE", "ZRANK", "ZREM", "ZSCAN", "ZSCORE",
}  # fmt: skip
ALL_KEYS = {"DEL", "EXISTS", "MGET", "UNLINK"}
COUNTED_KEYS = {"EVAL", "EVALSHA"}  # a script, how many keys it has, and they
NO_KEYS = {
    "AUTH", "CLIENT", "COMMAND", "DISCARD", "EXEC", "HELLO", "INFO", "MULTI", "PING", "ROLE", "SCRIPT", "SELECT",
    "TIME",
}  # fmt: skip


class Prefixing:
    """Packs commands for the library, their keys with a prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()

    def pack(self, *command: Any) -> list[bytes]:
        """Write one command as Redis reads it. Raises DataError where it is not known which arguments are keys."""
        name, *arguments = map(_bytes, command)
        first, last = _keys(name.split()[0].decode().upper(), arguments)
        keys = [self._prefix + key for key in arguments[first:last]]
        words = [*name.split(), *arguments[:first], *keys, *arguments[last:]]
        return [b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)]


def _keys(name: str, arguments: list[bytes]) -> tuple[int, int]:
    """Return from which argument to which one there are keys. Raises DataError."""
    if name in NO_KEYS:
        return 0, 0
    if name in ONE_KEY:
        return 0, 1
    if name in ALL_KEYS:
        return 0, len(arguments)
    if name in COUNTED_KEYS:
        return 2, 2 + int(arguments[1])
    raise DataError(f"It is not known which arguments of {name} are keys")


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
