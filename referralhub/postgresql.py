"""A PostgreSQL that says nothing holds up no page.

The server's own limits (`statement_timeout`) are kept by the server, which is what does not work then, and poolers
refuse them as a parameter of a connection. So it is the client that looks at the time while it waits.
"""

from collections.abc import Callable, Generator
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from referralhub.breaker import Breaker

LOOK = 0.05  # seconds that one look for an answer takes
IN_DOUBT = 0.2  # seconds without an answer after which another connection asks whether there is anybody
ANSWERED = 0.4  # seconds that it has for that; a statement that only takes long goes on then
AGAIN = 1.0  # seconds until it is asked once more on behalf of the same statement
LONGEST = 30.0  # seconds for a statement of a page; nobody waits longer for a page
ASKED = 2  # seconds until it is asked by another connection

Answer = TypeVar("Answer")
Waiting = Generator[Any, Any, Answer]  # of the driver: it yields what it waits for, and is told what there is


def watch(engine: Engine, in_a_hurry: Callable[[], bool], options: dict[str, Any]) -> None:
    """Let whoever is in a hurry be told where nobody answers; commands and jobs wait. `options` are of a connection."""
    breaker = Breaker(_asking(engine.url, options | {"connect_timeout": ASKED}))

    class Connection(psycopg.Connection[Any]):
        def wait(self, gen: Waiting[Answer], interval: float = LOOK, timeout: float | None = None) -> Answer:
            return super().wait(_watched(gen, _impatient(breaker, self)) if in_a_hurry() else gen, interval, timeout)

        def rollback(self) -> None:
            try:
                super().rollback()
            except psycopg.OperationalError:  # the server has gone, and with it all that was to be taken back
                self.close()

        @classmethod
        def _connect_gen(cls, conninfo: str = "") -> Waiting[Any]:  # the library gives no less than two seconds
            gen = super()._connect_gen(conninfo)
            return _watched(gen, _impatient(breaker)) if in_a_hurry() else gen

    _connect_by(engine, Connection)


def _asking(url: URL, options: dict[str, Any]) -> Callable[[Breaker], None]:
    """Return what asks by a new connection, for as long as that takes, and calls the server away meanwhile."""

    def ask(breaker: Breaker) -> None:
        def look(silent: float) -> None:
            if silent > ANSWERED:
                breaker.call_away()

        class Connection(psycopg.Connection[Any]):
            def wait(self, gen: Waiting[Answer], interval: float = LOOK, timeout: float | None = None) -> Answer:
                return super().wait(_watched(gen, look), interval, timeout)

            @classmethod
            def _connect_gen(cls, conninfo: str = "") -> Waiting[Any]:
                return _watched(super()._connect_gen(conninfo), look)

        engine = create_engine(url, poolclass=NullPool, connect_args=options)
        _connect_by(engine, Connection)
        with engine.connect() as connection:  # one that a pooler makes is no answer yet
            connection.execute(text("SELECT 1"))

    return ask


def _connect_by(engine: Engine, connection: type[psycopg.Connection[Any]]) -> None:
    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return connection.connect(*arguments, **options)


def _watched(waiting: Waiting[Answer], look: Callable[[float], None]) -> Waiting[Answer]:
    """Wait as the driver does; `look` is told, again and again, for how many seconds there was surely no answer.

    That is up to the end of the last look for one. On a busy machine it is later by the time that we hear of it, and
    the answer may have come meanwhile.
    """
    look(0)
    begun = monotonic()
    ready: Any = None
    try:
        while True:
            wanted = waiting.send(ready)
            looked = monotonic()
            ready = yield wanted
            if not ready:
                look(looked + LOOK - begun)
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer


def _impatient(breaker: Breaker, connection: psycopg.Connection[Any] | None = None) -> Callable[[float], None]:
    """Return the look of a page, which does not wait for nobody. It raises OperationalError."""
    doubts_from = IN_DOUBT

    def look(silent: float) -> None:
        nonlocal doubts_from
        if breaker.away or silent > LONGEST:
            raise _given_up(breaker, connection)
        if silent > doubts_from:
            breaker.doubt()
            doubts_from = silent + AGAIN

    return look


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
