"""A PostgreSQL that was stopped, or is out of reach, and says nothing: pages fail soon, commands wait for it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, g
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from referralhub import postgresql as watched
from referralhub.database import reading
from tests.pages import Visitor
from tests.people import Person, path_of
from tests.servers import PostgreSQL, silence, wait_until

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

SECONDS = 1.2  # for the first; it is a second on a machine with nothing else to do


@pytest.fixture
def in_a_hurry(app: Flask) -> Iterator[None]:
    """The database as a page sees it."""
    with app.app_context():
        g.in_a_hurry = True
        yield


def test_pages_fail_soon_and_then_at_once_and_work_again_by_themselves(
    alice: Person, bob: Person, visitor: Visitor, postgresql: PostgreSQL
):
    alice.sign_up()
    link = path_of(alice.link)
    bob.get(link, 302)  # Redis knows it now
    with postgresql.hanging():
        begun = time.monotonic()
        visitor.get("/", 503)
        assert time.monotonic() - begun < SECONDS
        begun = time.monotonic()
        for _ in range(5):
            visitor.get("/", 503)
            alice.get("/dashboard/network", 503)
            bob.get(link, 302)
            visitor.get("/healthz")
            assert visitor.get("/readyz", 503).response.json == {"database": "unreachable", "redis": "ok"}
        assert time.monotonic() - begun < SECONDS
    wait_until(lambda: visitor.client.get("/readyz").status_code == 200, "it is found back by itself", patience=1)
    alice.get("/dashboard/network")


def test_nobody_waits_for_those_who_wait_already(app: Flask, postgresql: PostgreSQL):
    visitors = [Visitor(app) for _ in range(8)]
    for visitor in visitors:
        visitor.get("/")
    with postgresql.hanging(), ThreadPoolExecutor(len(visitors)) as threads:
        begun = time.monotonic()
        list(threads.map(lambda visitor: visitor.get("/", 503), visitors * 3))
        assert time.monotonic() - begun < SECONDS


def test_a_server_that_takes_connections_and_says_nothing_is_given_a_second(make_app):
    with silence() as port:
        app = make_app(database_url=f"postgresql+psycopg://x@127.0.0.1:{port}/x")
        begun = time.monotonic()
        Visitor(app).get("/", 503)
        assert time.monotonic() - begun < SECONDS


def test_a_statement_that_only_takes_long_is_waited_for(in_a_hurry):
    assert reading().scalar(text("SELECT 'here' FROM pg_sleep(1.5)")) == "here"
    asked = reading().scalar(text("SELECT sessions FROM pg_stat_database WHERE datname = current_database()"))
    assert reading().scalar(text("SELECT 'here' FROM pg_sleep(1.5)")) == "here"
    reading().rollback()
    again = text("SELECT sessions - :asked FROM pg_stat_database WHERE datname = current_database()")
    assert reading().scalar(again, {"asked": asked}) <= 3  # it is asked once a second whether there is anybody


def test_a_statement_that_takes_ever_so_long_is_ended_on_the_server_too(in_a_hurry, monkeypatch):
    monkeypatch.setattr(watched, "LONGEST", 0.5)
    with pytest.raises(OperationalError, match="took longer"):
        reading().execute(text("SELECT pg_sleep(60)"))
    reading().rollback()
    sleeping = text("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'")
    wait_until(lambda: reading().scalar(sleeping) == 0, "the server has ended it", patience=1)


def test_a_command_waits_until_the_server_goes_on(run, postgresql: PostgreSQL):
    run("program", "show")
    goes_on = threading.Event()

    def stop_for_a_while() -> None:
        with postgresql.hanging():
            goes_on.set()
            time.sleep(2)

    thread = threading.Thread(target=stop_for_a_while)
    thread.start()
    goes_on.wait()
    begun = time.monotonic()
    run("program", "show")
    assert time.monotonic() - begun > 1
    thread.join()
