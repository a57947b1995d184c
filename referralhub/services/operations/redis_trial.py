"""Whether Redis does what pages ask of it, which is more than to answer."""

from enum import StrEnum
from pathlib import Path
from ssl import SSLCertVerificationError

from redis import AuthenticationError, BusyLoadingError, OutOfMemoryError, ReadOnlyError, Redis, RedisError
from redis.exceptions import (
    AskError,
    AuthorizationError,
    ClusterCrossSlotError,
    ClusterDownError,
    ConnectionError,
    NoPermissionError,
    TimeoutError,
)

from referralhub.redis_client import ClusterNotSupported, TooOld
from referralhub.services.operations.doctor import Remark
from referralhub.services.shared.errors import in_short

SCRIPT = (Path(__file__).parent / "try_out.lua").read_text(encoding="utf-8")
KEYS = ("try-out:session", "try-out:count")  # two slots, were it a cluster


class Fault(StrEnum):
    """Why Redis is of no use."""

    AWAY = "away"
    CERTIFICATE = "certificate_unknown"  # it speaks TLS, and nobody vouches for it
    LOADING = "loading"  # it was started a moment ago, and reads its file
    PASSWORD = "not_let_in"  # noqa: S105 - a code
    CLUSTER = "cluster_not_supported"
    OLD = "too_old"
    READ_ONLY = "read_only"  # a replica
    FULL = "full"
    REFUSES = "refuses"  # whatever else


# The first that fits counts: the library calls some of the others lost connections, too.
FAULTS: tuple[tuple[tuple[type[RedisError], ...], Fault], ...] = (
    ((ClusterNotSupported, ClusterCrossSlotError, ClusterDownError, AskError), Fault.CLUSTER),
    ((TooOld,), Fault.OLD),
    ((BusyLoadingError,), Fault.LOADING),
    ((AuthenticationError, AuthorizationError, NoPermissionError), Fault.PASSWORD),
    ((ReadOnlyError,), Fault.READ_ONLY),
    ((OutOfMemoryError,), Fault.FULL),
    ((ConnectionError, TimeoutError), Fault.AWAY),
)


def try_out(redis: Redis) -> None:
    """Do what pages do, and leave nothing behind. Raises RedisError."""
    # By itself first: of what fails in a script, Redis 6 says only that the script failed.
    redis.set(KEYS[0], "", ex=60)
    redis.register_script(SCRIPT)(KEYS)


def fault_of(error: RedisError) -> Fault:
    """Return what an error says of Redis."""
    if isinstance(error.__context__, SSLCertVerificationError):  # the library calls it a lost connection
        return Fault.CERTIFICATE
    return next((fault for errors, fault in FAULTS if isinstance(error, errors)), Fault.REFUSES)


def remark_of(error: RedisError) -> Remark:
    """Return the remark for an error, as there are words and a remedy for it."""
    return Remark(f"redis_{fault_of(error)}", {"error": in_short(error)})
