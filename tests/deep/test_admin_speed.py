"""The panel with a million members on PostgreSQL: each page within a second, with as many queries as for a hundred.

What adds up the whole program, the growth page and its tables, has longer: that is in `docs/scaling.md`.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event

from referralhub import create_app
from referralhub.admin.growth.tables import Table
from referralhub.clock import system_clock
from referralhub.extensions import db
from referralhub.models import Unit
from referralhub.services.accounts import administration, signup
from referralhub.services.perks import catalogue, claims
from referralhub.services.sample import bulk
from referralhub.services.shared.audit import OPERATOR
from tests import servers
from tests.conftest import extra_database, make_settings
from tests.deep.conftest import Million
from tests.functional.sample.test_growth import look_at_tables
from tests.people import Person, PostOffice

pytestmark = pytest.mark.deep

YEAR = (Path(__file__).parent / "busy_year.sql").read_text(encoding="utf-8")
SMALL = 100
MOST, MOST_IN_ALL = 1.0, 5.0  # seconds, for a page and for what adds up the whole program
LISTS = ("members", "referrals", "rewards", "perks", "claims", "invitations", "mail", "audit")
QUERIES = ("", "?search=mira", "?search=zzzz", "?search=Mira+Lund", "?search=42", "?sort=0", "?page=199")
PAGES = (
    "/admin/", "/admin/?from=2026-01-01&to=2026-06-30", "/admin/review/", "/admin/members/10/", "/admin/referrals/10/",
    "/admin/perks/1/", "/admin/perks/new", "/admin/program/", "/admin/program/edit", "/admin/audit/verify",
    *(f"/admin/{name}/{query}" for name in LISTS for query in QUERIES),
    "/admin/members/?search=*zzzz", "/admin/members/?search=*zzzz&sort=1", "/admin/members/?sort=1&desc=1",
    "/admin/referrals/?flt_state=held", "/admin/referrals/?search=mira&flt_state=confirmed&sort=0",
    *(f"/admin/growth/{table.value}.csv" for table in Table),
    "/admin/rewards/?flt_kind=reversal", "/admin/members/?flt_joined_since=2026-06-01&flt_active=1",
    "/admin/rewards-due/", "/admin/review/missing/", "/admin/customers/", "/admin/webhooks/", "/admin/connection/",
)  # fmt: skip


@contextmanager
def few_members(folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with extra_database("postgresql", folder, request, migrated=True) as url:
        app = create_app(make_settings(url, request.getfixturevalue("valkey").url, folder))
        with app.app_context():
            assert bulk.load(SMALL, system_clock(), lambda _: None)
            db.session.remove()
            db.engine.dispose()
        app.extensions["redis"].close()
        yield url


@contextmanager
def many_members(million: Million, postgresql: servers.PostgreSQL) -> Iterator[str]:
    """A copy of them, since others want them as they are."""
    original = million.url.partition("@/")[2].partition("?")[0]
    postgresql.execute(f"CREATE DATABASE panel TEMPLATE {original}")
    yield postgresql.url("panel")
    postgresql.execute("DROP DATABASE panel WITH (FORCE)")


@contextmanager
def running(url: str, folder: Path, redis_url: str) -> Iterator[Flask]:
    """A program with a busy year behind it, and something of everything."""
    app = create_app(make_settings(url, redis_url, folder, ratelimit_enabled=False))
    with app.app_context():
        now = system_clock()
        with db.engine.begin() as connection:
            connection.connection.driver_connection.execute(YEAR)
        signup.create_admin("warden", "warden@example.com", "warden likes tea", now)
        catalogue.add("Cup", "", now, price=10)
        for unit in (Unit.POINTS, "EUR"):  # each is asked for by itself, and who has brought many has both
            administration.adjust(10, 50, unit, "a present", f"a-present-of-{unit}", OPERATOR, now)
        claims.redeem(10, 1, "the-first-one", now)
        db.session.commit()
        look_at_tables()
    yield app
    with app.app_context():
        db.engine.dispose()
    app.extensions["redis"].close()


def measured(app: Flask) -> dict[str, tuple[int, float]]:
    """Give the number of statements and the median of three times, in seconds, of each page.

    Every five seconds some request asks for the brand again: of the numbers, the smallest is the page's own.
    """
    admin = Person(app, PostOffice(app), "warden")
    admin.sign_in()
    with app.app_context():
        engine = db.engine
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    found = {}
    for path in PAGES:
        times, statements = [], []
        for _ in range(3):
            sent.clear()
            begun = time.perf_counter()
            answer = admin.client.get(path)
            answer.get_data()
            times.append(time.perf_counter() - begun)
            statements.append(len(sent))
            assert answer.status_code == 200, path
        found[path] = (min(statements), statistics.median(times))
    return found


def test_every_page_is_as_cheap_for_many_as_for_few(million, postgresql, tmp_path, request, valkey, capfd):
    valkey.client.flushdb()
    with few_members(tmp_path, request) as url, running(url, tmp_path, valkey.url) as app:
        few = measured(app)
    valkey.client.flushdb()
    with many_members(million, postgresql) as url, running(url, tmp_path, valkey.url) as app:
        many = measured(app)
    with capfd.disabled():
        sys.stdout.write("\n")
        for path, (queries, seconds) in sorted(many.items(), key=lambda each: -each[1][1]):
            sys.stdout.write(f"{seconds * 1000:7.0f} ms  {few[path][0]:3} and {queries:3} queries  {path}\n")
    assert {path: many[path][0] for path in many if shows_rows(path)} == {
        path: few[path][0] for path in few if shows_rows(path)
    }
    assert {path: seconds for path, (_, seconds) in many.items() if seconds >= allowed(path)} == {}


def allowed(path: str) -> float:
    """Give how many seconds a page may take."""
    return MOST_IN_ALL if path.startswith(("/admin/?", "/admin/growth/")) or path == "/admin/" else MOST


def shows_rows(path: str) -> bool:
    """Whether it has rows with few members, too: without any, what belongs to them is not asked for."""
    return "page=" not in path and "search=" not in path
