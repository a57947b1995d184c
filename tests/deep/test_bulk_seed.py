"""A million members on PostgreSQL within three minutes, with every constraint and trigger on."""

import sys

import pytest
from sqlalchemy import text

from referralhub.extensions import db
from tests.deep.conftest import MEMBERS, Million
from tests.functional.sample.test_growth import program_at

pytestmark = pytest.mark.deep

MOST = 180  # seconds
SWITCHED_OFF = """
SELECT conname FROM pg_constraint WHERE NOT convalidated
UNION ALL SELECT tgname FROM pg_trigger WHERE tgenabled <> 'O'
"""


def test_a_million_members_are_loaded_in_time(million: Million, tmp_path, request, capfd):
    assert million.exit_code == 0, million.output
    with capfd.disabled():
        sys.stdout.write(
            f"\n{MEMBERS:,} members in {million.seconds:.0f} s, with at most {million.gibibytes:.1f} GiB\n"
        )
    assert million.members == MEMBERS
    with program_at(million.url, tmp_path, request) as app:
        assert db.session.scalars(text(SWITCHED_OFF)).all() == []
        db.session.rollback()
        books = app.test_cli_runner().invoke(args=["ledger", "verify"])
    assert books.exit_code == 0, books.output
    assert million.seconds < MOST  # on two processors with nothing else to do
