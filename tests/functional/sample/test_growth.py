"""Loading ten times the members takes about ten times as long, also where PostgreSQL took the tables for empty."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from referralhub import create_app
from referralhub.clock import system_clock
from referralhub.extensions import db
from referralhub.services.sample import bulk
from referralhub.services.sample.progress import PERCENT
from tests import servers
from tests.conftest import extra_database, make_settings

FEW, MANY = 2_000, 20_000
MOST = 12  # times as much for ten times the members
TRIES = 3  # of which one must do: others use the processors, too


@contextmanager
def empty_program(database: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """A program with no members, which PostgreSQL knows: its first plans are for tables with nothing in them."""
    with extra_database(database, folder, request, migrated=True) as url, program_at(url, folder, request) as app:
        if database == "postgresql":
            look_at_tables()
        yield app


def look_at_tables() -> None:
    """Let PostgreSQL know how large its tables are, as autovacuum does in its own time."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


@contextmanager
def program_at(url: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The program with the database that is there."""
    valkey: servers.Valkey = request.getfixturevalue("valkey")
    app = create_app(make_settings(url, valkey.url, folder))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
    app.extensions["redis"].close()


def rows_read_one_after_the_other() -> int:
    """Count the rows that PostgreSQL has read without an index so far."""
    db.session.execute(text("SELECT pg_stat_force_next_flush()"))
    db.session.commit()
    return db.session.execute(text("SELECT sum(seq_tup_read) FROM pg_stat_user_tables")).scalar_one()


@pytest.fixture
def seconds(database: str, tmp_path: Path, request: pytest.FixtureRequest):
    # SQLite works in this process, whose own time others do not stretch.
    measured = time.process_time if database == "sqlite" else time.perf_counter

    def load(number: int) -> float:
        with empty_program(database, tmp_path, request):
            begun = measured()
            assert bulk.load(number, system_clock(), lambda _: None)
            return measured() - begun

    return load


def test_ten_times_the_members_take_at_most_twelve_times_the_time(seconds):
    pairs = ((seconds(FEW), seconds(MANY)) for _ in range(TRIES))  # side by side, as busy as the machine is then
    assert any(many <= MOST * few for few, many in pairs)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_no_row_is_looked_for_by_reading_the_others(database: str, tmp_path: Path, request: pytest.FixtureRequest):
    read = {}
    for number in (FEW, MANY):
        with empty_program(database, tmp_path, request):
            before = rows_read_one_after_the_other()
            bulk.load(number, system_clock(), lambda _: None)
            read[number] = rows_read_one_after_the_other() - before
    assert read[MANY] <= MOST * read[FEW]


def test_progress_is_told_from_the_beginning_to_the_end(database: str, tmp_path: Path, request: pytest.FixtureRequest):
    told: list[int] = []
    with empty_program(database, tmp_path, request):
        bulk.load(300, system_clock(), told.append)
    assert sum(told) == bulk.PHASES * PERCENT
    assert told.count(1) == (bulk.PHASES - 1) * PERCENT  # the recount at the end is one step
