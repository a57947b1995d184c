"""Filling a table with any number of rows, in the caller's transaction and with all constraints and triggers on."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, Table, insert, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

BATCH = 1000  # rows that SQLite takes at once

Row = dict[str, Any]


def forget_plans(session: Session) -> None:
    """Let PostgreSQL plan the checks of foreign keys anew: what it knows may be a plan for tables that were empty."""
    if _is_postgresql(session):
        session.execute(text("DISCARD PLANS"))


def fill(session: Session, table: Table, rows: Iterator[Row]) -> None:
    """Insert the rows, which all name the same columns; a column that they do not name gets the database's default.

    PostgreSQL gets them in one COPY, and checks foreign keys at its end, when it sees how large the tables are.
    """
    if _is_postgresql(session):
        _copy(session.connection(), table, rows)
    else:
        while batch := list(islice(rows, BATCH)):
            session.execute(insert(table), batch)


def _copy(connection: Connection, table: Table, rows: Iterator[Row]) -> None:
    """Send the rows past SQLAlchemy, which knows no COPY, and raise its errors."""
    first = next(rows, None)
    if first is None:
        return
    quoted = connection.dialect.identifier_preparer
    columns = ", ".join(quoted.quote(name) for name in first)
    statement = text(f"COPY {quoted.format_table(table)} ({columns}) FROM STDIN").text
    dbapi = connection.dialect.loaded_dbapi
    try:
        with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]  # psycopg's
            for row in _as_stored(connection, table, first, chain([first], rows)):
                copy.write_row(row)
    except dbapi.OperationalError as error:
        raise OperationalError(statement, None, error) from error
    except (dbapi.IntegrityError, dbapi.DataError) as error:
        raise IntegrityError(statement, None, error) from error


def _as_stored(
    connection: Connection, table: Table, names: Iterable[str], rows: Iterable[Row]
) -> Iterator[tuple[Any, ...]]:
    """Give the values of each row as the types of the columns store them."""
    types = [(name, table.columns[name].type.dialect_impl(connection.dialect)) for name in names]
    columns = [(name, kind.bind_processor(connection.dialect) or _as_it_is) for name, kind in types]
    for row in rows:
        yield tuple([store(row[name]) for name, store in columns])


def _as_it_is(value: Any) -> Any:
    return value


def _is_postgresql(session: Session) -> bool:
    return session.connection().dialect.name == "postgresql"
