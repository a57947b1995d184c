"""How the code talks to the database, in one of three ways.

What only reads asks for `reading()`. What writes does so in one `with transaction() as session`. What is a part of
somebody else's transaction takes that session as its first argument, and neither commits nor rolls back.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = str(Path(__file__).resolve().parent.parent / "migrations")

SQLITE_WAITS = 15  # seconds for a lock
TOGETHER = "together"  # in what a session knows of itself
MIGRATING, IMPORTING = 4712, 4713  # PostgreSQL advisory locks

# To PostgreSQL. Commands and jobs notice after 20 s that a machine has gone, after 5 that nobody lets them in; pages
# are in a hurry. All of this is the driver's own, so that a pooler has nothing to refuse.
CONNECTION = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2,
    "tcp_user_timeout": 20_000, "prepare_threshold": None,
}  # fmt: skip

_sessions: Callable[[], Session]


def use(sessions: Callable[[], Session]) -> None:
    """Take the session of each request, job or command from here: the web's extension hands it out, not this module."""
    global _sessions  # noqa: PLW0603 - there is one source of sessions, as there is one application at work
    _sessions = sessions


def reading() -> Session:
    """Return the session of the request, job or command at work, for what only reads."""
    return _sessions()


def snapshot() -> Session:
    """Return the session of the command at work, which until its commit sees the database as it is now."""
    session = reading()
    session.commit()
    if session.get_bind().dialect.name == "postgresql":  # SQLite's readers do so anyhow
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return session


def dialect() -> str:
    """Return the name of the database in use: "sqlite" or "postgresql"."""
    return reading().get_bind().dialect.name


@contextmanager
def apart() -> Iterator[Session]:
    """Open a session of its own for a short look: it sees what is committed, whatever the one at work began to read."""
    with Session(reading().get_bind()) as session:
        yield session


@contextmanager
def transaction() -> Iterator[Session]:
    """Do one unit of work: all of it is committed at the end, or none of it after an error.

    SQLite takes its write lock at the start, so that two writers wait for each other instead of failing.
    """
    session = reading()
    if session.info.get(TOGETHER):
        yield session
        return
    session.commit()  # ends the read that the view began; its snapshot may be older than the write to come
    session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


@contextmanager
def together() -> Iterator[Session]:
    """Let several units of work be one: what services do inside is committed at the end of this, or none of it.

    An error of one of them is to end this, too: what it had done so far is undone with the rest only.
    """
    with transaction() as session:
        session.info[TOGETHER] = True
        try:
            yield session
        finally:
            del session.info[TOGETHER]


def insert(model: type[Any]) -> "postgresql.Insert | sqlite.Insert":
    """Return an INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`, for the database in use."""
    return sqlite.insert(model) if dialect() == "sqlite" else postgresql.insert(model)


def is_unmigrated(error: BaseException | None) -> bool:
    """Whether a statement failed since a table or column is not there: the migrations were not run."""
    cause = getattr(error, "orig", None)
    undefined = getattr(cause, "sqlstate", None) in ("42P01", "42703")  # of PostgreSQL: table, column
    return undefined or re.search("no such (table|column)|has no column", str(cause)) is not None


def wait_for_migrations(connection: Connection, say_so: Callable[[], None]) -> None:
    """Let nobody else migrate until this transaction ends, after who does so already; SQLite has a lock of its own."""
    if connection.dialect.name == "postgresql" and not connection.scalar(
        select(func.pg_try_advisory_xact_lock(MIGRATING))
    ):
        say_so()
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))


def keep_others_out(session: Session, tables: Sequence[Table]) -> bool:
    """Let nobody else write to these tables until this transaction ends, after who does so already; everybody may read.

    Returns False, at once, while somebody else keeps others out. SQLite's transaction has the whole file anyhow.
    """
    if session.connection().dialect.name != "postgresql":
        return True
    if not session.scalar(select(func.pg_try_advisory_xact_lock(IMPORTING))):
        return False
    named = ", ".join(map(session.connection().dialect.identifier_preparer.format_table, tables))
    session.execute(text(f"LOCK TABLE {named} IN EXCLUSIVE MODE"))
    return True


def is_locked(error: BaseException) -> bool:
    """Whether SQLite has given up waiting for whoever writes."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def has_collided(error: BaseException) -> bool:
    """Whether PostgreSQL has ended a transaction in favour of another: the same work, done again, succeeds."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in ("40001", "40P01")


def engine_options(url: str, web_threads: int, kept: int = 5) -> dict[str, Any]:
    """Pool settings: a connection that died while idle is replaced before a request notices; each thread has its own.

    So many are `kept` while nobody needs them.
    Errors do not quote the values of a statement: they are logged, and the log outlives an account.
    On PostgreSQL nothing is prepared on the server: behind a pooler the next transaction may meet another connection.
    """
    if url.startswith("sqlite"):
        return {"hide_parameters": True, "connect_args": {"timeout": SQLITE_WAITS}}
    return {
        "hide_parameters": True, "pool_pre_ping": True, "pool_timeout": 1, "pool_size": kept,
        "max_overflow": max(10, web_threads),
        "connect_args": CONNECTION,
    }  # fmt: skip


def prepare(engine: Engine, in_a_hurry: Callable[[], bool]) -> None:
    """Let SQLite behave as the rest of the code expects, and a silent PostgreSQL hold up nobody who is in a hurry."""
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        from referralhub import postgresql  # noqa: PLC0415 - with SQLite its driver is not loaded

        postgresql.watch(engine, in_a_hurry, CONNECTION)


def create_file(engine: Engine) -> None:
    """Make the SQLite file where there is none, for its owner alone; only migrating may do that."""
    if engine.dialect.name == "sqlite":
        file_of(engine.url).touch(mode=0o600)  # as those that SQLite makes beside it then are


def file_of(url: URL) -> Path:
    """Return which file a SQLite database is."""
    return Path(str(url.database).removeprefix("file:"))


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work side by side. While somebody writes to a new file, SQLite refuses that at once."""
    patient_until = monotonic() + SQLITE_WAITS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > patient_until:
                raise
            sleep(0.01)
        else:
            return


def _prepare_sqlite(engine: Engine) -> None:
    file = file_of(engine.url)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; the driver would say it too late
        _use_wal(connection)
        connection.execute("PRAGMA foreign_keys=ON")
        entry.info["inode"] = file.stat().st_ino

    @event.listens_for(engine, "checkout")
    def still_the_same_file(connection: sqlite3.Connection, entry: ConnectionPoolEntry, _: object) -> None:
        # Somebody moved the file away or put a backup in its place: what we write must not go to the old one.
        try:
            same = file.stat().st_ino == entry.info["inode"]
        except OSError:
            same = False
        if not same:
            raise DisconnectionError(f"{file} is not the file it was")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        statement = f"BEGIN {connection.get_execution_options().get('sqlite_begin', 'DEFERRED')}"
        try:  # past SQLAlchemy, so that it counts as no statement; a checked-out connection has a driver below
            connection.connection.driver_connection.execute(statement)  # type: ignore[union-attr]  # it is checked out
        except sqlite3.OperationalError as error:  # somebody else has been writing for too long
            raise OperationalError(statement, None, error) from error
