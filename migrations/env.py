"""How Alembic reaches the database: through the application, so that both always mean the same one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from referralhub import database, models, test_program  # noqa: F401 - loading the models fills the metadata
from referralhub.extensions import db
from referralhub.services.shared.errors import in_short

DELETE = "flask --app wsgi test-program delete"


def run() -> None:
    """Migrate, and then the test program, if there is one. What fails there is said, and holds nobody up."""
    migrate()
    beside = test_program.beside()
    if beside and goes_somewhere() and beside.is_there():
        try:
            with beside.at_work():
                migrate()
        except Exception as error:
            say(f"The test program was not migrated: {in_short(error)}\nTo be rid of it: {DELETE}")


def goes_somewhere() -> bool:
    """Whether the command brings a database to another revision, and does not only look."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def migrate() -> None:
    """Migrate the database at hand in one transaction, so that a failure leaves the schema as it was."""
    with db.engine.connect() as connection, unguarded(connection), one_at_a_time(connection):
        context.configure(connection=connection, target_metadata=db.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()


@contextmanager
def unguarded(connection: Connection) -> Iterator[None]:
    """Let SQLite not look at foreign keys: to change a table, a migration puts another in its place.

    SQLite's own way of doing it (https://sqlite.org/lang_altertable.html#otheralter), and only outside a transaction.
    """
    driver = connection.connection.driver_connection if connection.dialect.name == "sqlite" else None
    if driver:
        driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        if driver:
            driver.execute("PRAGMA foreign_keys=ON")


@contextmanager
def one_at_a_time(connection: Connection) -> Iterator[None]:
    """Begin a transaction in which nobody else migrates."""
    connection.execution_options(sqlite_begin="IMMEDIATE")
    with connection.begin():
        database.wait_for_migrations(connection, say_so)
        yield


def say_so() -> None:
    """Tell whoever waits what for."""
    say("Another migration is at work. This one waits until it is done.")


def say(text: str) -> None:
    """Tell whoever migrates."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for who waits


def reach() -> None:
    """See that the database can be written to. Raises CommandError, of which the command prints a sentence."""
    try:
        database.create_file(db.engine)
        with db.engine.connect() as connection, one_at_a_time(connection):
            pass
    except (OperationalError, OSError) as error:
        raise CommandError(f"The database cannot be used now: {in_short(error)}") from None


reach()
run()
