"""PostgreSQL is killed in the middle of a page: it says 503, or goes on with another connection, and never 500."""

from collections.abc import Callable
from unittest import mock

import pytest
from flask import Flask
from sqlalchemy import text

from referralhub.database import reading
from referralhub.landing import views
from referralhub.models import Referral, ReferralState
from referralhub.services.fraud import signals
from referralhub.services.ledger import leaderboard
from tests.pages import Visitor
from tests.people import Person, Records
from tests.servers import PostgreSQL

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def losing_its_connection(app: Flask, postgresql: PostgreSQL) -> Callable[[Callable], Callable]:
    """Let a function of a page find the page's connection gone."""

    def first_lose(function: Callable) -> Callable:
        def without(*values, **named):
            number = reading().scalar(text("SELECT pg_backend_pid()"))
            postgresql.execute(f"SELECT pg_terminate_backend({number}, 5000)")
            return function(*values, **named)

        return without

    return first_lose


def test_a_connection_that_is_lost_after_its_last_statement_is_not_missed(visitor: Visitor, losing_its_connection):
    with mock.patch.object(views, "render_template", losing_its_connection(views.render_template)):
        visitor.get("/")
    visitor.get("/")


def test_a_leaderboard_is_counted_by_another_connection(app: Flask, visitor: Visitor, clock, losing_its_connection):
    with app.app_context():
        leaderboard.catch_up(app.extensions["redis"], clock())
    with mock.patch.object(leaderboard, "_names", losing_its_connection(leaderboard._names)):
        visitor.get("/leaderboard")
        visitor.get("/")


def test_a_friend_who_was_to_be_judged_just_then_confirms_once_more(
    app: Flask, alice: Person, bob: Person, records: Records, losing_its_connection
):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    path = bob.verification_path()
    with mock.patch.object(signals, "gather", losing_its_connection(signals.gather)):
        bob.submit(bob.get(path).form(path), 503)
    assert records.one(Referral).state is ReferralState.PENDING
    bob.submit(bob.get(path).form(path))
    assert records.one(Referral).state is ReferralState.CONFIRMED


def test_while_there_is_none_to_be_had_it_says_so(
    app: Flask, visitor: Visitor, clock, postgresql: PostgreSQL, losing_its_connection
):
    def for_good(*values):
        postgresql.stop()
        return names(*values)

    names = leaderboard._names
    with app.app_context():
        leaderboard.catch_up(app.extensions["redis"], clock())
    try:
        with mock.patch.object(leaderboard, "_names", for_good):
            assert visitor.get("/leaderboard", 503).headers["Retry-After"] == "5"
    finally:
        postgresql.start()
