"""The audit log proves that it is whole, and finds whatever was done to it past the triggers."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralhub.extensions import db
from referralhub.models import AuditLine
from referralhub.services.program import rules
from referralhub.services.shared import audit

COPY = "SELECT 'admin', actor_id, action, subject, subject_id, before, after, reason, created, :previous, :digest"
COLUMNS = "role, actor_id, action, subject, subject_id, before, after, reason, created, previous, digest"


@pytest.fixture
def tamper(app: Flask) -> Callable[..., None]:
    """Change the log as only somebody with all power over the database can: its triggers are silenced first."""

    def run(*statements: str, **values: object) -> None:
        with app.app_context():
            if db.engine.dialect.name == "postgresql":
                db.session.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_log'"
                for name in db.session.scalars(text(triggers)).all():
                    db.session.execute(text(f"DROP TRIGGER {name}"))
            for statement in statements:
                db.session.execute(text(statement), values)
            db.session.commit()

    return run


@pytest.fixture
def log(app: Flask, clock, records) -> list[AuditLine]:
    """Five lines."""
    with app.app_context():
        for days in range(1, 6):
            rules.change({"hold_days": days}, clock())
    lines = records.all(AuditLine)
    assert [line.id for line in lines] == [1, 2, 3, 4, 5]
    return lines


def test_a_log_that_is_whole(log, ask, run):
    assert ask("audit", "verify") == {"lines": 5, "head": log[-1].digest, "broken_at": None}
    assert run("audit", "verify").stdout.splitlines() == ["Lines: 5", f"Head:  {log[-1].digest}"]


def test_a_log_without_lines(ask):
    assert ask("audit", "verify") == {"lines": 0, "head": audit.BEGINNING, "broken_at": None}


@pytest.mark.parametrize("line", [1, 3, 5])
@pytest.mark.parametrize(
    "change",
    [
        "after = '{\"hold_days\": 29}'",
        "before = '{\"hold_days\": 29}'",
        "action = 'program.look'",
        "role = 'admin'",
        "subject_id = 99",
        "reason = 'was asked to'",
        "created = '2026-01-01 00:00:00'",
    ],
)
def test_a_line_that_was_changed_is_found(log, ask, tamper, line: int, change: str):
    tamper(f"UPDATE audit_log SET {change} WHERE id = {line}")
    found = ask("audit", "verify", expect=1)
    assert (found["broken_at"], found["lines"]) == (line, line - 1)
    assert found["head"] == (log[line - 2].digest if line > 1 else audit.BEGINNING)


def test_people_are_told_which_line(log, run, tamper):
    tamper("UPDATE audit_log SET reason = 'x' WHERE id = 3")
    assert run("audit", "verify", expect=1).stdout.startswith("Line 3 was changed, put in, or follows one")


@pytest.mark.parametrize("gone", [1, 3])
def test_a_line_that_is_gone_is_found_by_the_one_after_it(log, ask, tamper, gone: int):
    tamper(f"DELETE FROM audit_log WHERE id = {gone}")
    assert ask("audit", "verify", expect=1)["broken_at"] == gone + 1


def test_a_line_that_was_put_in_is_found(log, ask, tamper):
    tamper(
        f"INSERT INTO audit_log ({COLUMNS}) {COPY} FROM audit_log WHERE id = 5",
        previous="1" * 64,
        digest="2" * 64,
    )
    assert ask("audit", "verify", expect=1)["broken_at"] == 6


def test_a_line_that_was_put_in_between_and_sealed_well_is_found_by_the_next(app: Flask, log, ask, tamper, records):
    """Whoever knows how lines are sealed can seal one more, but must then seal all that follow."""
    with app.app_context():
        forged = records.one(AuditLine, id=3)
        forged.previous, forged.reason = log[1].digest, "never happened"
        seal = audit._digest(forged)
    tamper(
        "UPDATE audit_log SET id = id + 10 WHERE id > 2",
        "UPDATE audit_log SET previous = :digest WHERE id = 13",
        f"INSERT INTO audit_log (id, {COLUMNS}) {COPY.replace('SELECT', 'SELECT 3,').replace('reason', ':reason')} "
        "FROM audit_log WHERE id = 13",
        previous=log[1].digest,
        digest=seal,
        reason="never happened",
    )
    tamper("UPDATE audit_log SET role = 'operator' WHERE id = 3")
    assert ask("audit", "verify", expect=1)["broken_at"] == 13


def test_two_lines_that_changed_places_are_found(log, ask, tamper):
    tamper(
        "UPDATE audit_log SET id = 99 WHERE id = 2",
        "UPDATE audit_log SET id = 2 WHERE id = 3",
        "UPDATE audit_log SET id = 3 WHERE id = 99",
    )
    assert ask("audit", "verify", expect=1)["broken_at"] == 2


def test_lines_off_the_end_leave_another_head(log, ask, tamper):
    """From inside nothing is missing: the head that somebody kept tells."""
    head = ask("audit", "verify")["head"]
    tamper("DELETE FROM audit_log WHERE id = 5")
    assert ask("audit", "verify") == {"lines": 4, "head": log[3].digest, "broken_at": None}
    assert head != log[3].digest


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET reason = 'x'", "DELETE FROM audit_log"])
def test_the_database_refuses_all_that(app: Flask, log, statement: str):
    with app.app_context(), pytest.raises(DBAPIError, match="audit_log is append-only"):
        db.session.execute(text(statement))
