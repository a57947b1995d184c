"""A million members on PostgreSQL within three minutes, with every constraint and trigger on."""

import resource
import sys
import time

import pytest
from sqlalchemy import text

from referralhub.extensions import db
from tests.functional.sample.test_growth import empty_program

pytestmark = [pytest.mark.deep, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]

MEMBERS, MOST = 1_000_000, 180  # seconds
SWITCHED_OFF = """
SELECT conname FROM pg_constraint WHERE NOT convalidated
UNION ALL SELECT tgname FROM pg_trigger WHERE tgenabled <> 'O'
"""


def test_a_million_members_are_loaded_in_time(database, tmp_path, request, capfd):
    with empty_program(database, tmp_path, request) as app:
        run = app.test_cli_runner().invoke
        run(args=["leaderboard", "rebuild"])  # a worker was there before, so that everybody moves at once
        begun = time.perf_counter()
        loaded = run(args=["seed", "bulk", "--members", str(MEMBERS)])
        seconds = time.perf_counter() - begun
        assert loaded.exit_code == 0, loaded.output
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        with capfd.disabled():
            sys.stdout.write(f"\n{MEMBERS:,} members in {seconds:.0f} s, with at most {memory:.1f} GiB\n")
        assert db.session.scalars(text(SWITCHED_OFF)).all() == []
        assert db.session.scalar(text('SELECT count(*) FROM "user"')) == MEMBERS
        db.session.rollback()
        books = run(args=["ledger", "verify"])
        assert books.exit_code == 0, books.output
        assert seconds < MOST  # on two processors with nothing else to do
