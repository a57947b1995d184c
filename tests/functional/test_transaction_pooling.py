"""A pooler that lends a PostgreSQL connection for one transaction: whoever gets it next must find nothing of ours.

PgBouncer does so with `pool_mode = transaction`. `tests/deep/test_pgbouncer.py` puts the real one in between.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import Engine, event, select, text
from sqlalchemy.pool import ConnectionPoolEntry

from referralhub import test_program
from referralhub.database import reading
from referralhub.extensions import db
from referralhub.models import Scope, User
from referralhub.services.shared.audit import OPERATOR
from tests.people import Person, PostOffice

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

USES = 12  # of one statement; the driver would keep it on the server from the fifth on
KEPT_BY_A_CONNECTION = """
SELECT 'prepared statement: ' || statement FROM pg_prepared_statements
UNION ALL SELECT 'cursor: ' || name FROM pg_cursors
UNION ALL SELECT 'advisory lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'channel: ' || pg_listening_channels()
UNION ALL SELECT 'setting: ' || name FROM pg_settings WHERE source = 'session' AND setting IS DISTINCT FROM reset_val
UNION ALL SELECT 'temporary table: ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
"""


@contextmanager
def looking_at_what_is_handed_back(engine: Engine) -> Iterator[list[str]]:
    """Note everything that a connection still holds after its transaction."""
    kept: list[str] = []

    def look(connection, _: ConnectionPoolEntry) -> None:
        if connection is not None:
            kept.extend(what for (what,) in connection.execute(KEPT_BY_A_CONNECTION, prepare=False))
            connection.rollback()

    event.listen(engine, "checkin", look)
    try:
        yield kept
    finally:
        event.remove(engine, "checkin", look)


@pytest.fixture
def kept(app: Flask) -> Iterator[list[str]]:
    with app.app_context():
        engine = db.engine
    with looking_at_what_is_handed_back(engine) as found:
        yield found


def test_a_statement_that_is_used_often_is_not_prepared_on_the_server(app: Flask):
    with app.app_context():
        for name in range(USES):
            reading().execute(select(User.id).where(User.username == str(name)))
        assert reading().scalars(text("SELECT statement FROM pg_prepared_statements")).all() == []


def test_pages_mail_and_exports_leave_nothing_behind(
    kept: list[str], admin: Person, alice: Person, bob: Person, post_office: PostOffice
):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    bob.confirm_address()
    for _ in range(USES):
        alice.get("/dashboard/")
    admin.file("/admin/members/rows.csv")  # read piece by piece, with a cursor
    admin.get("/admin/audit/verify")
    post_office.deliver()
    assert kept == []


@pytest.mark.parametrize(
    "command",
    ["db upgrade", "leaderboard rebuild", "ledger verify", "audit verify", "seed bulk --members 100", "doctor"],
)
def test_commands_leave_nothing_behind(kept: list[str], run: Callable, command: str):
    run(*command.split(), expect=1 if command == "doctor" else 0)  # the doctor has its findings on a test's settings
    assert kept == []


def test_where_the_test_program_looks_is_found_by_nobody_else(app: Flask, clock):
    with app.app_context():
        _, secret = test_program.create_key("shop", [*Scope], OPERATOR, clock(), for_tests=True)
    program: test_program.TestProgram = app.extensions["test_program"]
    with program.app.app_context():
        engine = db.engine
    with looking_at_what_is_handed_back(engine) as found:
        answer = app.test_client().put("/api/v1/members/42", json={}, headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, found) == (201, [])
    with app.app_context():
        program.delete(OPERATOR, clock())
