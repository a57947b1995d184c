"""Each process keeps the brand: no query more, no old page under a new brand, and pages without a database."""

from unittest import mock

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from referralhub.branding import shown
from referralhub.kept_answers import KeptAnswers
from referralhub.services.brand import in_force, texts, versions
from referralhub.services.brand.in_force import InForce
from referralhub.services.mailing.letters import Letter
from tests.pages import Visitor
from tests.people import Clock, Person

BOARD = "/leaderboard"


def name(page) -> str:
    return page.one('a[class="brand"]').text


@pytest.fixture
def elsewhere(make_app, app: Flask) -> Flask:
    """Another process: the same database and Redis, its own memory."""
    redis = app.extensions["redis"].connection_pool.connection_kwargs
    with mock.patch.object(type(app.extensions["redis"]), "flushdb"):
        other = make_app()
    assert other.extensions["redis"].connection_pool.connection_kwargs["path"] == redis["path"]
    return other


def rename(app: Flask, to: str) -> None:
    with app.app_context():
        versions.put_in_force({"name": to}, app.config["CLOCK"]())


class TestQueries:
    @pytest.mark.parametrize("path", ["/", BOARD, "/privacy", "/login"])
    def test_it_is_asked_for_once_in_five_seconds(self, visitor: Visitor, clock: Clock, count_queries, path: str):
        visitor.get(BOARD)
        visitor.get(path)
        with count_queries(of_brand=True) as first:
            visitor.get(path)
        assert "brand" not in str(first)
        clock.advance(seconds=6)
        with count_queries(of_brand=True) as later:
            visitor.get(path)
            visitor.get(path)
        expected = 0 if path == BOARD else 1  # that one comes from Redis
        assert sum("FROM brand" in each for each in later.sent) == expected

    def test_what_is_not_a_page_asks_for_none(self, visitor: Visitor, count_queries):
        with count_queries(of_brand=True) as statements:
            for path in ("/healthz", "/static/css/app.css", "/brand/e5342b.css", "/brand/e5342b.svg"):
                visitor.file(path)
        assert len(statements) == 0


class TestChanges:
    def test_the_process_that_changes_it_shows_it_at_once(self, app: Flask, visitor: Visitor):
        for path in ("/privacy", BOARD):
            visitor.get(path)
        rename(app, "Tomato Club")
        for path in ("/privacy", BOARD):
            assert name(visitor.get(path)) == "Tomato Club"

    def test_another_one_shows_it_at_once_where_answers_are_kept(self, app: Flask, visitor: Visitor, elsewhere: Flask):
        for _ in range(3):
            assert name(visitor.get(BOARD)) == "ReferralHub"
        rename(elsewhere, "Tomato Club")
        assert name(visitor.get(BOARD)) == "Tomato Club"

    def test_another_one_shows_it_after_five_seconds_everywhere(
        self, app: Flask, visitor: Visitor, elsewhere: Flask, clock: Clock
    ):
        assert name(visitor.get("/privacy")) == "ReferralHub"
        rename(elsewhere, "Tomato Club")
        clock.advance(seconds=6)
        assert name(visitor.get("/privacy")) == "Tomato Club"

    def test_a_clock_that_was_set_back_keeps_nothing_longer(self, visitor: Visitor, elsewhere: Flask, clock: Clock):
        visitor.get("/privacy")
        rename(elsewhere, "Tomato Club")
        clock.advance(hours=-3)
        assert name(visitor.get("/privacy")) == "Tomato Club"

    @pytest.mark.parametrize("moment", ["before the brand is loaded", "after the brand is loaded"])
    def test_no_page_of_the_old_brand_is_kept_under_the_new(
        self, app: Flask, visitor: Visitor, elsewhere: Flask, clock: Clock, moment: str
    ):
        """The change comes while a page is made; whoever asks afterwards sees the new one, and from Redis, too."""
        for _ in range(2):
            visitor.get(BOARD)
        clock.advance(minutes=6)  # nothing is kept any more
        ask = InForce._ask

        def change_meanwhile(self: InForce, *arguments):
            if moment.startswith("before"):
                rename(elsewhere, "Tomato Club")
            found = ask(self, *arguments)
            if moment.startswith("after"):
                rename(elsewhere, "Tomato Club")
            return found

        with mock.patch.object(InForce, "_ask", autospec=True, side_effect=change_meanwhile) as asked:
            visitor.get(BOARD)
        assert asked.call_count == 1
        for _ in range(3):
            assert name(visitor.get(BOARD)) == "Tomato Club"
        with mock.patch.object(KeptAnswers, "_ask", side_effect=AssertionError("it was not kept")):
            assert name(visitor.get(BOARD)) == "Tomato Club"

    def test_a_brand_that_could_not_be_loaded_is_kept_with_no_page(self, app: Flask, visitor: Visitor, clock: Clock):
        for _ in range(2):
            visitor.get(BOARD)
        rename(app, "Tomato Club")
        with mock.patch.object(in_force, "apart", side_effect=OperationalError("", None, Exception())):
            assert name(visitor.get(BOARD)) == "ReferralHub"
        clock.advance(seconds=6)
        assert name(visitor.get(BOARD)) == "Tomato Club"

    def test_one_answer_shows_one_brand(self, app: Flask, elsewhere: Flask, clock: Clock):
        with app.test_request_context("/privacy"):
            first = shown.brand.name
            rename(elsewhere, "Tomato Club")
            clock.advance(seconds=6)
            assert shown.brand.name == first


class TestWithoutADatabase:
    @pytest.fixture
    def away(self, app: Flask):
        failure = OperationalError("", None, Exception("away"))
        return mock.patch("sqlalchemy.engine.Engine.connect", side_effect=failure)

    def test_pages_are_made_with_the_last_brand_that_is_known(self, app: Flask, visitor: Visitor, away, clock: Clock):
        rename(app, "Tomato Club")
        visitor.get("/privacy")
        clock.advance(minutes=5)
        with away as asked:
            assert name(visitor.get("/privacy")) == "Tomato Club"
            calls = asked.call_count
            assert name(visitor.get("/privacy")) == "Tomato Club"
            assert asked.call_count == calls  # it is not waited for again
            assert name(visitor.get("/", 503)) == "Tomato Club"

    def test_or_with_our_own(self, visitor: Visitor, away):
        with away:
            assert name(visitor.get("/privacy")) == "ReferralHub"
            assert name(visitor.get("/", 503)) == "ReferralHub"
            assert visitor.file("/static/css/app.css").status_code == 200
            assert visitor.file("/brand/e5342b.css").status_code == 200

    def test_while_redis_is_away_the_error_page_has_the_brand(self, make_app, app: Flask):
        rename(app, "Tomato Club")
        alone = Visitor(make_app(redis_url="redis://127.0.0.1:1"))
        assert name(alone.get("/login", 503)) == "Tomato Club"


def test_a_member_who_comes_back_sees_the_new_brand(app: Flask, alice: Person):
    alice.sign_up()
    for _ in range(3):
        alice.get("/dashboard/")
    rename(app, "Tomato Club")
    page = alice.get("/dashboard/")
    assert name(page) == "Tomato Club"
    assert {each["data-share-title"] for each in page.all("[data-share]")} == {"Tomato Club"}
    assert all("I'm using Tomato Club" in each["data-share-text"] for each in page.all("[data-share]"))


def test_what_members_share_is_new_at_once_where_another_process_changed_it(alice: Person, elsewhere: Flask, clock):
    alice.sign_up()
    for _ in range(3):
        assert "Ahoy" not in alice.get("/dashboard/").response.text
    with elsewhere.app_context():
        texts.put_in_force("share", "en", Letter("Hey", "Ahoy {brand}:"), Letter("", ""), clock())
    assert "Ahoy" in alice.get("/dashboard/").response.text
