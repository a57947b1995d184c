"""A PostgreSQL that says nothing holds up no page.

The server's own limits (`statement_timeout`) are kept by the server, which is what does not work then, and poolers
refuse them as a parameter of a connection. So it is the client that looks at the time while it waits.
"""

from collections.abc import Callable, Generator
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from referralhub.breaker import Breaker

LOOK = 0.05  # seconds between two looks at the time
IN_DOUBT = 0.3  # seconds without an answer after which another connection asks whether there is anybody
ANSWERED = 0.6  # seconds that it has for that; a statement that only takes long goes on then
AGAIN = 1.0  # seconds until it is asked once more on behalf of the same statement
LONGEST = 30.0  # seconds for a statement of a page; nobody waits longer for a page

Answer = TypeVar("Answer")
Waiting = Generator[Any, Any, Answer]  # of the driver: it yields what it waits for, and is told what there is


def watch(engine: Engine, in_a_hurry: Callable[[], bool], options: dict[str, Any]) -> None:
    """Let whoever is in a hurry be told where nobody answers; commands and jobs wait. `options` are of a connection."""
    breaker = Breaker(_asking(create_engine(engine.url, poolclass=NullPool, connect_args=options)))

    class Connection(psycopg.Connection[Any]):
        def wait(self, gen: Waiting[Answer], interval: float = LOOK, timeout: float | None = None) -> Answer:
            return super().wait(_in_time(gen, breaker, self) if in_a_hurry() else gen, interval, timeout)

        @classmethod
        def _connect_gen(cls, conninfo: str = "") -> Waiting[Any]:  # the library gives no less than two seconds
            gen = super()._connect_gen(conninfo)
            return _in_time(gen, breaker) if in_a_hurry() else gen

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return Connection.connect(*arguments, **options)


def _asking(engine: Engine) -> Callable[[], None]:
    """Return what asks by a new connection, for as long as that takes."""

    def ask() -> None:
        with engine.connect() as connection:  # one that a pooler makes is no answer yet
            connection.execute(text("SELECT 1"))

    return ask


def _in_time(
    waiting: Waiting[Answer], breaker: Breaker, connection: psycopg.Connection[Any] | None = None
) -> Waiting[Answer]:
    """Wait as the driver does, but not for nobody. Raises OperationalError."""
    begun = monotonic()
    doubts_from = begun + IN_DOUBT
    ready: Any = None
    try:
        while True:
            if not ready:  # nothing yet
                now = monotonic()
                if breaker.away or now - begun > LONGEST:
                    raise _given_up(breaker, connection)
                if now > doubts_from:
                    breaker.doubt(ANSWERED)
                    doubts_from = now + AGAIN
            ready = yield waiting.send(ready)
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer


def _given_up(breaker: Breaker, connection: psycopg.Connection[Any] | None) -> psycopg.OperationalError:
    """Leave a connection that waits for an answer, which is of no use any more."""
    if breaker.away:
        why = "PostgreSQL was waited for in vain, and has not answered since"
    else:
        why = f"PostgreSQL took longer than {LONGEST:.0f} s for a statement of a page"
        if connection:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=1)
    if connection:
        connection.pgconn.finish()
    return psycopg.OperationalError(why)
