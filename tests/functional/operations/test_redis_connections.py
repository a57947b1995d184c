"""Connections to Redis that are used again without a look at them: what the look was good for still holds."""

from contextlib import suppress
from time import monotonic, sleep
from unittest import mock

import pytest
from redis import Redis, ResponseError, TimeoutError
from redis.connection import AbstractConnection

from referralhub.redis_client import ask, check, connect, run
from tests.servers import Valkey

pytestmark = pytest.mark.one_database


@pytest.fixture
def redis(valkey: Valkey) -> Redis:
    valkey.client.flushdb()
    return connect(valkey.url)


def test_one_that_was_just_used_is_used_again_without_a_look(redis: Redis):
    redis.set("a", 1)
    with mock.patch.object(AbstractConnection, "can_read") as look:
        redis.get("a")
    assert not look.called


def test_an_answer_that_nobody_waited_for_is_nobody_elses(redis: Redis):
    redis.mset({"a": "of a", "b": "of b"})
    interrupted = mock.patch.object(AbstractConnection, "read_response", side_effect=KeyboardInterrupt)
    with interrupted, pytest.raises(KeyboardInterrupt):
        redis.get("a")
    assert redis.get("b") == b"of b"


def test_of_several_commands_an_error_leaves_no_answer_to_others(redis: Redis):
    redis.mset({"a": "no number", "b": "of b"})
    with pytest.raises(ResponseError):
        ask(redis, ("INCR", "a"), ("SET", "c", "of c"), ("GET", "c"))
    with mock.patch.object(AbstractConnection, "can_read", return_value=False):  # as if the rest were on its way
        assert ask(redis, ("GET", "b"), ("GET", "c")) == [b"of b", b"of c"]


def test_an_answer_that_comes_too_late_is_nobody_elses(valkey: Valkey):
    """Also where the library does not hang up by itself, as with Sentinel, and the answer has not come yet."""
    redis, read = connect(valkey.url, timeout=0.2), AbstractConnection.read_response

    def read_as_sentinel(connection: AbstractConnection, **more: object) -> object:
        return read(connection, **{"disconnect_on_error": False} | more)

    redis.mset({"a": "of a", "b": "of b"})
    with (
        mock.patch.object(AbstractConnection, "read_response", read_as_sentinel),
        mock.patch.object(AbstractConnection, "can_read", return_value=False),
    ):
        with valkey.hanging(), pytest.raises(TimeoutError):
            ask(redis, ("GET", "a"))
        for _ in range(100):
            with suppress(TimeoutError):  # until it is known that it answers again
                assert ask(redis, ("GET", "b")) == [b"of b"]
                break
            sleep(0.05)
        else:
            pytest.fail("It was not found out that Redis answers again")


def test_waiting_for_no_time_or_for_ever_is_refused():
    for seconds in ("0", "-1"):
        with pytest.raises(ValueError, match="socket_timeout has to be more than 0"):
            check(f"redis://localhost?socket_timeout={seconds}")


def test_one_that_says_nothing_is_waited_for_as_long_as_was_said(valkey: Valkey):
    redis = connect(valkey.url, timeout=0.2)
    redis.ping()
    with valkey.hanging():
        begun = monotonic()
        with pytest.raises(TimeoutError, match="waited for in vain"):
            redis.get("a")
        assert 0.2 <= monotonic() - begun < 0.4


def test_a_process_that_was_split_off_has_connections_of_its_own(redis: Redis):
    before = redis.client_id()
    assert redis.client_id() == before
    redis.connection_pool.pid = -1  # as the library knows that it is in another process
    assert redis.client_id() != before


def test_redis_that_is_started_anew_is_found_at_once(redis: Redis, valkey: Valkey):
    redis.set("a", 1)
    with valkey.away():
        pass
    assert redis.ping()


def test_a_script_runs_also_where_redis_has_forgotten_it(redis: Redis):
    script = redis.register_script("return {KEYS[1], ARGV[1]}")
    for _ in range(2):
        redis.script_flush()
        assert run(script, ["a"], [1]) == [b"a", b"1"]
