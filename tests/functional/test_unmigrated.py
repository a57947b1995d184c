"""A database that lacks migrations, is being migrated, or is away: it is said, in a sentence."""

import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from referralhub import create_app
from referralhub.config import PROJECT
from referralhub.database import MIGRATING, create_file
from referralhub.extensions import db
from referralhub.migrations import downgrade, upgrade
from tests.conftest import extra_database, make_settings
from tests.pages import Visitor
from tests.servers import BIN, environment_of

OURS = (
    "audit verify",
    "growth report",
    "leaderboard rebuild",
    "ledger verify",
    "mail dead",
    "program show",
)
AWAY = {"sqlite": "sqlite:////nowhere/at/all.sqlite3", "postgresql": "postgresql+psycopg://x@/x?host=/nowhere"}


@pytest.fixture
def other(database: str, tmp_path: Path, valkey, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """An application with a database that may be spoilt."""
    valkey.client.flushdb()
    with extra_database(database, tmp_path, request, migrated=True) as url:
        app = create_app(make_settings(url, valkey.url, tmp_path))
        yield app
        with app.app_context():
            db.engine.dispose()


def behind(app: Flask) -> None:
    with app.app_context():
        downgrade(revision="-1")


def empty(app: Flask) -> None:
    with app.app_context():
        downgrade(revision="base")


def without_any_table(app: Flask) -> None:
    empty(app)
    with app.app_context():
        db.session.execute(text("DROP TABLE alembic_version"))
        db.session.commit()


def ready(app: Flask) -> tuple[int, str]:
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.json["database"]


@pytest.mark.parametrize("spoil", [behind, empty, without_any_table])
def test_a_database_that_lacks_migrations_is_not_ready(other: Flask, spoil: Callable[[Flask], None]):
    assert ready(other) == (200, "ok")
    spoil(other)
    assert ready(other) == (503, "migrations_pending")


def test_a_database_of_a_newer_version_serves_the_older_one(other: Flask):
    """As it does while one process after the other is replaced."""
    with other.app_context():
        db.session.execute(text("UPDATE alembic_version SET version_num = 'tomorrow'"))
        db.session.commit()
    assert ready(other) == (200, "ok")


def test_pages_without_tables_are_plainly_unavailable(other: Flask):
    empty(other)
    for path in ("/", "/leaderboard", "/abcdefgh/"):
        page = Visitor(other).get(path, 503)
        assert "again in a moment" in page.text
        assert page.headers["Retry-After"]


def test_commands_without_tables_say_what_to_do(other: Flask):
    empty(other)
    for command in OURS:
        result = other.test_cli_runner().invoke(args=command.split())
        assert (result.exit_code, result.stderr) == (
            1,
            "Error: The database lacks migrations: run `flask --app wsgi db upgrade`\n",
        )


@pytest.mark.one_database
def test_a_new_file_that_somebody_writes_to_is_waited_for(tmp_path, valkey, request):
    with extra_database("sqlite", tmp_path, request, migrated=False) as url:
        app = create_app(make_settings(url, valkey.url, tmp_path))
        with app.app_context():
            create_file(db.engine)
            other = sqlite3.connect(db.engine.url.database, uri=True, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            done = threading.Timer(0.3, lambda: other.execute("COMMIT"))
            done.start()
            assert db.session.scalar(text("PRAGMA journal_mode")) == "wal"
            done.join()
            other.close()
            db.engine.dispose()


@pytest.mark.one_database
def test_a_new_file_and_what_sqlite_puts_beside_it_are_for_the_owner_alone(tmp_path, valkey, request):
    """Whatever the umask: addresses and hashes are in it."""
    with extra_database("sqlite", tmp_path, request, migrated=False) as url:
        app = create_app(make_settings(url, valkey.url, tmp_path))
        with app.app_context():
            upgrade()
            files = list(tmp_path.glob("*.sqlite3*"))
            assert len(files) == 3
            assert [file.name for file in files if file.stat().st_mode & 0o077] == []
            db.session.remove()
            db.engine.dispose()


def test_two_migrations_at_once_are_one_after_the_other(database, tmp_path, valkey, request):
    with extra_database(database, tmp_path, request, migrated=False) as url:
        command = [BIN / "flask", "--app", "wsgi", "db", "upgrade"]
        both = [
            subprocess.Popen(
                command,
                cwd=PROJECT,
                env=environment_of(tmp_path, url, valkey.url),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(2)
        ]
        said = [each.communicate(timeout=60)[0] for each in both]
        assert [each.returncode for each in both] == [0, 0], said
        app = create_app(make_settings(url, valkey.url, tmp_path))
        assert ready(app) == (200, "ok")
        with app.app_context():
            db.engine.dispose()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_migration_that_waits_for_another_says_so(other: Flask):
    with other.app_context():
        engine = db.engine
    with engine.connect() as connection, ThreadPoolExecutor() as threads:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
        upgrade = threads.submit(other.test_cli_runner().invoke, args=["db", "upgrade"])
        time.sleep(1)
        assert not upgrade.done()
        connection.rollback()
        result = upgrade.result()
    assert result.exit_code == 0
    assert "Another migration is at work. This one waits until it is done.\n" in result.stderr


def flask(command: str, tmp_path: Path, url: str, redis_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command.split(),
        cwd=PROJECT,
        env=environment_of(tmp_path, url, redis_url),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "command", ["flask --app wsgi db upgrade", "flask --app wsgi program show", "python -m referralhub.launch"]
)
def test_where_the_database_is_away_a_sentence_says_so(database: str, tmp_path: Path, valkey, command: str):
    done = flask(f"{BIN}/{command}", tmp_path, AWAY[database], valkey.url)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
