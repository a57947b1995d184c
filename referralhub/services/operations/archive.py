"""Moving everything to another database: each table as lines of JSON, in one ZIP file; see docs/archive.md."""

import hashlib
import os
import tempfile
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec
from sqlalchemy import JSON, Column, Table, delete, exists, func, select, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from referralhub.database import SQLITE_WAITS, is_locked, keep_others_out, reading, snapshot, transaction
from referralhub.models import Base, Brand, Program
from referralhub.models.base import UtcDateTime
from referralhub.services.shared import figure_changes
from referralhub.services.shared.errors import AlreadyDone, BadFile, Conflict
from referralhub.services.shared.tables import fill, forget_plans

FORMAT = 1
MANIFEST = "manifest.json"
BATCH = 2000  # rows that are read at once
FOR_REDIS = {"figure_change", "leaderboard_change"}  # what the Redis of this place is still to be told
BEGIN_WITH_ONE = (Program, Brand)  # row, the first version, which is in every database from the beginning
# Each after those that it refers to.
TABLES: list[Table] = [table for table in Base.metadata.sorted_tables if table.name not in FOR_REDIS]

Row = dict[str, Any]
Progress = Callable[[int], None]


class Content(msgspec.Struct, frozen=True):
    """How many rows a table has, and the SHA-256 of its lines."""

    rows: int
    sha256: str


class Seal:
    """Makes up the content of lines, one after the other."""

    def __init__(self) -> None:
        self.rows, self.digest = 0, hashlib.sha256()

    def add(self, line: bytes) -> None:
        """Add the next line."""
        self.rows += 1
        self.digest.update(line)

    @property
    def content(self) -> Content:
        """What all of them are."""
        return Content(self.rows, self.digest.hexdigest())


class Manifest(msgspec.Struct, frozen=True):
    """What an archive says of itself: the schema it was made of, and each table."""

    revision: str
    tables: dict[str, Content]
    format: int = FORMAT


def count() -> int:
    """Count the rows of all tables. A query for each."""
    return sum(reading().scalar(select(func.count()).select_from(table)) or 0 for table in TABLES)


def save(path: Path, progress: Progress = lambda _: None) -> Manifest:
    """Write all tables as they are at one moment into a new file, which nobody else may read.

    `progress` hears of each row. Raises Conflict for a file that is there already, BadFile for one that cannot be made.
    """
    if path.exists():
        raise Conflict("archive_exists")
    try:
        return _save(path, progress)
    except OSError as error:
        raise BadFile("archive_not_writable", why=error.strerror or type(error).__name__) from error


def _save(path: Path, progress: Progress) -> Manifest:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                manifest = _write(archive, progress)
            file.flush()
            os.fsync(file.fileno())
            path.hardlink_to(file.name)  # fails where somebody else was quicker
        finally:
            Path(file.name).unlink()
    return manifest


def manifest_of(path: Path) -> Manifest:
    """Read what an archive says of itself. Raises BadFile."""
    with _opened(path) as archive:
        return _manifest(archive)


def restore(path: Path, progress: Progress = lambda _: None) -> Manifest:
    """Fill an empty database from an archive: all of it, or nothing.

    `progress` hears of each row. Raises BadFile for what is no whole archive of this schema, AlreadyDone where the
    database has exactly this already, and Conflict where it has anything else, or while somebody else fills it.
    """
    with _opened(path) as archive:
        manifest = _manifest(archive)
        with _alone() as session:
            ours = _revision(session)
            if manifest.revision != ours:
                raise BadFile("archive_of_other_schema", theirs=manifest.revision, ours=ours)
            if manifest.format != FORMAT or manifest.tables.keys() != {table.name for table in TABLES}:
                raise BadFile("archive_damaged")
            if not _is_empty(session):
                raise AlreadyDone("archive_is_here") if _has(session, manifest) else Conflict("database_not_empty")
            for each in BEGIN_WITH_ONE:
                session.execute(delete(each))
            try:
                for table in TABLES:
                    forget_plans(session)
                    fill(session, table, _rows(archive, table, manifest.tables[table.name], progress))
            except (IntegrityError, DataError) as error:
                raise BadFile("archive_contradicts_itself") from error
            _continue_numbers(session)
            figure_changes.note(session, figure_changes.EVERYBODY, figure_changes.LEADERBOARD)
    return manifest


@contextmanager
def _alone() -> Iterator[Session]:
    """Begin a transaction in which nobody else writes: a member who joins meanwhile would look like a contradiction."""
    try:
        with transaction() as session:
            if not keep_others_out(session, TABLES):
                raise Conflict("import_running")
            yield session
    except OperationalError as error:
        if is_locked(error):
            raise Conflict("database_busy", seconds=SQLITE_WAITS) from error
        raise


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(path) as archive:
            yield archive
    except (BadZipFile, EOFError, zlib.error, NotImplementedError) as error:  # the last: packed as we do not know
        raise BadFile("archive_damaged") from error


def _manifest(archive: ZipFile) -> Manifest:
    try:
        return msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.MsgspecError) as error:
        raise BadFile("archive_damaged") from error


def _write(archive: ZipFile, progress: Progress) -> Manifest:
    session, contents = snapshot(), {}
    for table in TABLES:
        with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as lines:
            contents[table.name] = _sealed(_lines(session, table, progress), lines)
    manifest = Manifest(_revision(session), contents)
    archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


_encode = msgspec.json.Encoder(order="sorted").encode  # so that equal rows are equal lines, whatever keeps them


def _lines(session: Session, table: Table, progress: Progress) -> Iterator[bytes]:
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=BATCH)
    for row in session.connection().execute(query).mappings():
        yield _encode(dict(row)) + b"\n"
        progress(1)


def _sealed(lines: Iterable[bytes], out: IO[bytes] | None = None) -> Content:
    seal = Seal()
    for line in lines:
        seal.add(line)
        if out:
            out.write(line)
    return seal.content


def _rows(archive: ZipFile, table: Table, content: Content, progress: Progress) -> Iterator[Row]:
    """Read a table's rows. Raises BadFile, at the end also for rows that are not those that the manifest speaks of."""
    seal = Seal()
    try:
        lines = archive.open(f"{table.name}.jsonl")
    except KeyError as error:
        raise BadFile("archive_damaged") from error
    with lines:
        for line in lines:
            seal.add(line)
            yield _row(table, line, seal.rows)
            progress(1)
    if seal.content != content:
        raise BadFile("archive_damaged")


def _row(table: Table, line: bytes, number: int) -> Row:
    try:
        row = msgspec.json.decode(line, type=dict[str, Any])
        if row.keys() != set(table.columns.keys()):
            raise ValueError
        return {column.name: _value(column, row[column.name]) for column in table.columns}
    except (ValueError, TypeError, msgspec.MsgspecError) as error:
        raise BadFile("archive_line_foreign", table=table.name, line=number) from error


def _value(column: Column[Any], value: Any) -> Any:
    """Return a value as its column has it. Raises ValueError or TypeError for one that it cannot have."""
    if value is None or isinstance(column.type, JSON):
        return value
    if isinstance(column.type, UtcDateTime):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    kind = column.type.python_type
    if kind is date:
        return date.fromisoformat(value)
    if kind is bytes:
        return b64decode(value, validate=True)
    if issubclass(kind, Enum):
        return kind(value)
    if type(value) is not kind:
        raise TypeError
    return value


def _revision(session: Session) -> str:
    return str(session.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def _is_empty(session: Session) -> bool:
    """Whether nothing has happened in this database yet."""
    if any(session.scalar(select(func.count()).select_from(each)) != 1 for each in BEGIN_WITH_ONE):
        return False
    others = (table for table in TABLES if table not in {each.__table__ for each in BEGIN_WITH_ONE})
    return not any(session.scalar(select(exists(select(table)))) for table in others)


def _has(session: Session, manifest: Manifest) -> bool:
    """Whether the database has exactly what an archive has."""
    return all(_sealed(_lines(session, table, lambda _: None)) == manifest.tables[table.name] for table in TABLES)


def _continue_numbers(session: Session) -> None:
    """Let PostgreSQL give new rows the numbers after those that are there; SQLite does so by itself."""
    if session.connection().dialect.name != "postgresql":
        return
    for table in TABLES:
        column = table.autoincrement_column
        if column is not None:
            name = session.connection().dialect.identifier_preparer.format_table(table)
            last = select(func.max(column)).scalar_subquery()
            sequence = func.pg_get_serial_sequence(name, column.name)
            session.execute(select(func.setval(sequence, last)).where(last.is_not(None)))
