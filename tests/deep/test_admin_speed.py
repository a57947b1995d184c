"""The panel with 100,000 members on PostgreSQL: each page within a second, with as many queries as for a hundred."""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, text

from referralhub import create_app
from referralhub.admin.growth.tables import Table
from referralhub.clock import system_clock
from referralhub.extensions import db
from referralhub.models import Unit
from referralhub.services.accounts import administration, signup
from referralhub.services.perks import catalogue, claims
from referralhub.services.sample import bulk
from referralhub.services.shared.audit import OPERATOR
from tests.conftest import extra_database, make_settings
from tests.people import Person, PostOffice

pytestmark = pytest.mark.deep

SMALL, LARGE = 100, 100_000
MOST = 1.0  # seconds
LOADED = 240  # seconds; a minute on an idle machine with two processors
LISTS = ("members", "referrals", "rewards", "perks", "claims", "invitations", "mail", "audit")
PAGES = (
    "/admin/", "/admin/?from=2026-01-01&to=2026-06-30", "/admin/review/", "/admin/members/10/", "/admin/referrals/10/",
    "/admin/perks/1/", "/admin/perks/new", "/admin/program/", "/admin/program/edit", "/admin/audit/verify",
    *(f"/admin/{name}/{query}" for name in LISTS for query in ("", "?search=mira", "?sort=0", "?page=1")),
    "/admin/members/?page=1999", "/admin/rewards/?page=1999", "/admin/members/?sort=1&desc=1",
    "/admin/referrals/?flt_state=held", "/admin/referrals/?search=mira&flt_state=confirmed&sort=0",
    *(f"/admin/growth/{table.value}.csv" for table in Table),
    "/admin/rewards/?flt_kind=reversal", "/admin/members/?flt_joined_since=2026-06-01&flt_active=1",
)  # fmt: skip


@contextmanager
def running(number: int, folder: Path, request: pytest.FixtureRequest, redis_url: str) -> Iterator[Flask]:
    """A program with so many members, and something of everything."""
    with extra_database("postgresql", folder, request, migrated=True) as url:
        app = create_app(make_settings(url, redis_url, folder, ratelimit_enabled=False))
        with app.app_context():
            now = system_clock()
            began = time.monotonic()
            assert bulk.load(number, now, lambda _: None)
            assert time.monotonic() - began < LOADED
            signup.create_admin("warden", "warden@example.com", "warden likes tea", now)
            catalogue.add("Mug", "", now, price=10)
            administration.adjust(10, 50, Unit.POINTS, "a present", "a-present", OPERATOR, now)
            claims.redeem(10, 1, "the-first-one", now)
            db.session.commit()
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does in its own time
        yield app
        with app.app_context():
            db.engine.dispose()
        app.extensions["redis"].close()


def measured(app: Flask) -> dict[str, tuple[int, float]]:
    """Give the number of statements and the median of three times, in seconds, of each page."""
    admin = Person(app, PostOffice(app), "warden")
    admin.sign_in()
    with app.app_context():
        engine = db.engine
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    found = {}
    for path in PAGES:
        times = []
        for _ in range(3):
            sent.clear()
            begun = time.perf_counter()
            answer = admin.client.get(path)
            answer.get_data()
            times.append(time.perf_counter() - begun)
            assert answer.status_code == 200, path
        found[path] = (len(sent), statistics.median(times))
    return found


def test_every_page_is_as_cheap_for_many_as_for_few(tmp_path, request, valkey, capfd):
    valkey.client.flushdb()
    with running(SMALL, tmp_path, request, valkey.url) as app:
        few = measured(app)
    valkey.client.flushdb()
    with running(LARGE, tmp_path, request, valkey.url) as app:
        many = measured(app)
        books = app.test_cli_runner().invoke(args=["ledger", "verify"])
        assert books.exit_code == 0, books.output
    with capfd.disabled():
        sys.stdout.write("\n")
        for path, (queries, seconds) in sorted(many.items(), key=lambda each: -each[1][1]):
            sys.stdout.write(f"{seconds * 1000:7.0f} ms  {few[path][0]:3} and {queries:3} queries  {path}\n")
    assert {path: queries for path, (queries, _) in many.items()} == {path: q for path, (q, _) in few.items()}
    assert {path: seconds for path, (_, seconds) in many.items() if seconds >= MOST} == {}
