"""Where the test program is kept: a schema of its own in the same PostgreSQL, or a SQLite file beside the real one.

Everything here but `stay_inside` takes the engine, or a connection, of the real program.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, event, func, make_url, select, text
from sqlalchemy.schema import CreateSchema, DropSchema

from referralhub.database import file_of

SCHEMA = "referralhub_test"
MAKING = 4714  # PostgreSQL advisory lock


def address(database_url: str) -> str:
    """Return the address of the test program's database for that of the real one."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return database_url
    file = file_of(url)
    return database_url.replace(str(file), str(_beside(file)), 1)


def stay_inside(engine: Engine) -> None:
    """Let the test program's engine see its own schema and nothing else.

    The path is set for each transaction: a pooler refuses it as a parameter of a connection, and what is set for a
    connection would be found by whoever is given it next.
    """
    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "begin")
    def look_there(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL search_path TO {SCHEMA}")


def is_there(engine: Engine) -> bool:
    """Whether there is a test program. No query on SQLite, else one."""
    if engine.dialect.name != "postgresql":
        return _beside(file_of(engine.url)).exists()
    with engine.connect() as connection:
        return connection.scalar(select(func.to_regclass(f"{SCHEMA}.alembic_version"))) is not None


def make_room(engine: Engine) -> bool:
    """Make the schema; SQLite's file is made by who migrates. Returns whether there was nothing before."""
    if engine.dialect.name != "postgresql":
        return not _beside(file_of(engine.url)).exists()
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(MAKING)))
        if connection.scalar(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA}):
            return False  # asked first: who may not make any may not say IF NOT EXISTS either
        connection.execute(CreateSchema(SCHEMA))
    return True


def delete(connection: Connection) -> None:
    """Delete it with everything in it; on PostgreSQL as a part of the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
        return
    file = _beside(file_of(connection.engine.url))
    for each in (f"{file}-wal", f"{file}-shm", str(file)):  # the file last: what begins as an empty one heeds no log
        Path(each).unlink(missing_ok=True)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.stem}-test{file.suffix}")
