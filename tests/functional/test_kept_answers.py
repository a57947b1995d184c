"""Kept answers: given again before Flask is entered while nothing changes, exactly as the view gives them."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import pytest
from flask import Flask
from redis import Redis, RedisError
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.kept_answers import KeptAnswers
from referralhub.models import FigureChange, Profile, User
from referralhub.services.accounts import administration, sign_ins
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.figure_changes import LEADERBOARD, TRUSTED, version_key
from tests.factories import befriend
from tests.pages import Page, Visitor
from tests.people import Clock, Person
from tests.servers import Valkey

DASHBOARD, STATS, BOARD = "/dashboard/", "/dashboard/stats", "/leaderboard"
PAGES = [DASHBOARD, STATS, BOARD, "/leaderboard?period=month&size=small"]
PARTIAL = {"HX-Request-Type": "partial"}


@pytest.fixture
def warm(app: Flask, alice: Person) -> Person:
    """A member with one friend, who has just been shown each page."""
    alice.sign_up()
    befriend(app, "alice", 1, app.config["CLOCK"]())
    for _ in ("to know the versions", "to keep"):
        for page in PAGES:
            alice.client.get(page)
            alice.client.get(page, headers=PARTIAL)
    return alice


@contextmanager
def commands(redis: type[Redis] = Redis) -> Iterator[list[str]]:
    """Note each round trip to Redis."""
    sent: list[str] = []
    old = redis.execute_command

    def execute(self: Redis, *args: object, **options: object) -> object:
        sent.append(str(args[0]))
        return old(self, *args, **options)

    with mock.patch.object(redis, "execute_command", execute):
        yield sent


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Let the views answer."""
    with mock.patch.object(KeptAnswers, "_find", return_value=None) as asked:
        yield
    assert asked.called


@pytest.fixture
def is_kept(app: Flask, count_queries) -> Callable[..., bool]:
    """Ask for a page, and tell whether it came from Redis alone."""

    def ask(person: Visitor, page: str, **headers: str) -> bool:
        flask = mock.patch.object(app, "full_dispatch_request", wraps=app.full_dispatch_request)
        with count_queries() as statements, flask as asked:
            person.client.get(page, headers=headers)
        assert asked.called or not len(statements)
        return not asked.called

    return ask


@pytest.mark.parametrize("page", PAGES)
def test_what_was_asked_for_before_is_one_round_trip_and_no_query(is_kept, warm: Person, page: str):
    for headers in ({}, PARTIAL):
        with commands() as sent:
            assert is_kept(warm, page, **headers)
        # The dashboard asks also whether there are visits to be booked.
        assert sent == (["MGET", "EXISTS"] if page == DASHBOARD else ["MGET"])


@pytest.mark.parametrize("page", PAGES)
def test_a_lease_that_has_ended_is_renewed_by_one_query_without_the_view(
    app: Flask, warm: Person, valkey: Valkey, count_queries, page: str
):
    valkey.client.delete(TRUSTED)
    flask = mock.patch.object(app, "full_dispatch_request", wraps=app.full_dispatch_request)
    with count_queries() as statements, flask as asked:
        assert warm.client.get(page).status_code == 200
    assert not asked.called
    assert len(statements) == 1
    assert valkey.client.exists(TRUSTED)


@pytest.mark.parametrize("page", PAGES)
def test_what_redis_missed_is_not_given_once_the_lease_has_ended(app: Flask, warm: Person, valkey: Valkey, page: str):
    with app.app_context(), transaction() as session:
        profile_id = session.scalars(select(Profile.id).join(Profile.user).where(User.username == "alice")).one()
        session.add_all([FigureChange(profile_id=profile_id), FigureChange(profile_id=LEADERBOARD)])
    valkey.client.delete(TRUSTED)
    with mock.patch.object(app, "full_dispatch_request", wraps=app.full_dispatch_request) as asked:
        warm.client.get(page)
    assert asked.called


@pytest.mark.one_database
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("headers", [{}, PARTIAL])
def test_it_is_what_the_view_answers(warm: Person, page: str, headers: dict[str, str]):
    kept = warm.client.get(page, headers=headers)
    with nothing_kept():
        view = warm.client.get(page, headers=headers)
    assert (kept.status, _headers(kept), _tokenless(kept.text)) == (
        view.status, _headers(view), _tokenless(view.text),
    )  # fmt: skip


@pytest.mark.one_database
@pytest.mark.parametrize("more", [{"HX-PTag": "{tag}"}, {"If-None-Match": '"{tag}"'}, {"HX-PTag": "old"}])
def test_who_has_the_figures_hears_so_from_either(warm: Person, more: dict[str, str]):
    tag = warm.client.get(STATS).headers["HX-PTag"]
    headers = {name: value.format(tag=tag) for name, value in more.items()}
    kept = warm.client.get(STATS, headers=headers)
    with nothing_kept():
        view = warm.client.get(STATS, headers=headers)
    assert (kept.status, _headers(kept), kept.data) == (view.status, _headers(view), view.data)
    assert kept.status_code == (200 if "old" in more.values() else 304)


def _headers(answer: TestResponse) -> list[tuple[str, str]]:
    """Give what goes with the content; each request has a number of its own."""
    return sorted(header for header in answer.headers if header[0] != "X-Request-ID")


def _tokenless(html: str) -> list[str]:
    return [line for line in html.splitlines() if 'name="csrf_token"' not in line]


class TestWhatChangesIsShownAtOnce:
    def places(self, page: Page) -> list[str]:
        return [each["data-username"] for each in page.all("[data-rank]")]

    def test_a_friend_who_was_credited(self, app: Flask, warm: Person, clock: Clock):
        befriend(app, "alice", 1, clock())
        assert warm.get(DASHBOARD).stat("total_referrals") == 2
        assert len(warm.get(DASHBOARD).all("[data-referral]")) == 2

    def test_a_visit(self, warm: Person, visitor: Visitor):
        visitor.get(f"/{warm.code}/", 302)
        assert warm.get(DASHBOARD).stat("visits") == 1

    def test_new_rules(self, app: Flask, warm: Person, clock: Clock):
        with app.app_context():
            rules.change({"tiers": [{"name": "Wood", "at": 0}]}, clock(), OPERATOR)
        assert warm.get(DASHBOARD).one("[data-tier]")["data-tier"] == "Wood"

    def test_a_confirmed_address(self, warm: Person):
        assert "Confirm your address" in warm.get(DASHBOARD).text
        warm.confirm_address()
        warm.get(DASHBOARD)
        assert "Confirm your address" not in warm.get(DASHBOARD).text

    def test_another_address_that_was_confirmed(self, warm: Person):
        warm.change_address("alice@elsewhere.example")
        assert "Your new address is set" in warm.get(DASHBOARD).text
        assert "Confirm your address" not in warm.get(DASHBOARD).text

    def test_somebody_elses_place(self, app: Flask, warm: Person, bob: Person, clock: Clock, is_kept):
        bob.sign_up()
        befriend(app, "bob", 2, clock())
        for page in (BOARD, DASHBOARD):
            assert self.places(warm.get(page)) == ["bob", "alice"]

    def test_a_new_name_of_a_friend(self, app: Flask, warm: Person, bob: Person):
        bob.click(warm.link)
        bob.sign_up()
        assert warm.get(DASHBOARD).all("[data-referral]")[0]["data-username"] == "bob"
        _rename(bob, "Robert")
        assert warm.get(DASHBOARD).all("[data-referral]")[0]["data-username"] == "Robert"

    def test_a_new_name_on_the_leaderboard(self, warm: Person, visitor: Visitor):
        for _ in range(2):
            assert self.places(visitor.get(BOARD)) == ["alice"]
        _rename(warm, "Alicia")
        assert self.places(visitor.get(BOARD)) == ["Alicia"]

    def test_one_who_leaves_the_leaderboard(self, warm: Person, visitor: Visitor):
        for _ in range(2):
            visitor.get(BOARD)
        warm.delete_account()
        assert self.places(visitor.get(BOARD)) == []

    def test_a_new_month(self, warm: Person, visitor: Visitor, clock: Clock):
        for _ in range(2):
            assert self.places(visitor.get(f"{BOARD}?period=month")) == ["alice"]
        clock.now = (clock.now + timedelta(days=31)).replace(day=1)
        assert self.places(visitor.get(f"{BOARD}?period=month")) == []

    def test_how_long_ago_a_friend_came(self, warm: Person, clock: Clock):
        clock.advance(minutes=5)
        assert "5 min ago" in warm.get(DASHBOARD).one("#recent").text


def _rename(person: Person, name: str) -> None:
    person.submit(person.get("/account/profile").form("/account/profile"), display_name=name)


class TestWhoIsGivenWhat:
    @pytest.mark.parametrize("page", [DASHBOARD, STATS])
    @pytest.mark.parametrize("how", ["signed out", "signed out from elsewhere", "switched off", "erased"])
    def test_one_who_is_no_member_any_more_gets_nothing(self, app: Flask, warm: Person, clock, page: str, how: str):
        cookie = warm.session_id()
        with app.app_context():
            if how == "signed out from elsewhere":
                sign_ins.end_others(1, 0)
            if how == "switched off":
                administration.set_active(1, False, "asked for it", OPERATOR, clock())
        if how == "signed out":
            warm.sign_out()
        if how == "erased":
            warm.delete_account()
        warm.client.set_cookie("referralhub", cookie)
        assert warm.client.get(page).status_code == 302

    def test_one_whose_session_names_another_member_gets_nothing(self, warm: Person, bob: Person, records):
        bob.sign_up()
        bob.fragment(STATS)
        sid = bob.session_id()
        assert sid.endswith(f".{records.one(User, username='bob').profile.id}")
        bob.client.set_cookie("referralhub", f"{sid.rpartition('.')[0]}.1")
        assert bob.client.get(STATS).status_code == 302
        assert "alice" not in bob.client.get(BOARD).text.replace('data-username="alice"', "").replace(">alice<", "")

    def test_a_stranger_with_a_made_up_session_takes_nothing_away(self, warm: Person, visitor: Visitor, is_kept):
        visitor.client.set_cookie("referralhub", "made-up.1")
        for _ in range(2):
            assert "Sign out" not in visitor.get(BOARD).text
        assert is_kept(warm, BOARD)
        assert "Sign out" in warm.get(BOARD).text

    def test_a_member_whose_session_does_not_name_them_gives_nothing_away(self, warm: Person, visitor: Visitor, valkey):
        visitor.get("/signup")  # where there is a form, so that the session has a token
        for _ in range(2):
            visitor.get(BOARD)
        valkey.client.rename(f"session:{warm.session_id()}", "session:an-older-release")
        warm.client.set_cookie("referralhub", "an-older-release")
        for _ in range(2):
            assert "Sign out" in warm.get(BOARD).text
        assert "Sign out" not in visitor.get(BOARD).text

    @pytest.mark.parametrize("page", PAGES)
    def test_one_whose_sign_in_ends_while_the_view_is_at_work(self, app: Flask, warm: Person, clock: Clock, page: str):
        def ended_since(sign_in_id: int) -> tuple[User, str] | None:
            found = member(sign_in_id)
            sign_ins.end_others(1, 0)
            return found

        member = sign_ins.member
        befriend(app, "alice", 1, clock())  # so that the view is asked
        with mock.patch.object(sign_ins, "member", ended_since):
            assert warm.client.get(page).status_code == 200
        assert "Sign out" not in warm.client.get(page).text

    def test_another_browser_gets_it_too_with_a_form_token_of_its_own(self, warm: Person, is_kept):
        phone = warm.in_another_browser()
        phone.sign_in()
        phone.get(DASHBOARD)
        phone.get(DASHBOARD)
        assert is_kept(phone, DASHBOARD) and is_kept(warm, DASHBOARD)
        forms = [(browser, browser.get(DASHBOARD).form("/logout")) for browser in (phone, warm)]
        for browser, form in forms:
            browser.submit(form)
            assert browser.client.get(DASHBOARD).status_code == 302

    def test_a_notice_is_shown_once(self, warm: Person):
        form = warm.get(DASHBOARD).form("/verify/resend")
        assert "We sent the mail again" in warm.follow(warm.submit(form)).text
        assert "We sent the mail again" not in warm.get(DASHBOARD).text

    def test_a_member_reads_of_their_own_place_and_a_visitor_of_nobodys(self, warm: Person, visitor: Visitor, is_kept):
        for _ in range(2):
            assert not visitor.get(BOARD).all('[class="own"]')
        assert is_kept(visitor, BOARD)
        assert warm.get(BOARD).all('[class="own"]')

    def test_a_visitor_who_followed_a_link_is_given_what_others_are(self, warm: Person, visitor: Visitor, is_kept):
        visitor.get(BOARD)
        visitor.get(BOARD)
        visitor.get(f"/{warm.code}/", 302)
        assert is_kept(visitor, BOARD)

    def test_a_member_is_seen_each_hour_all_the_same(self, warm: Person, clock: Clock, records):
        for _ in range(3):
            clock.advance(minutes=61)
            warm.get(DASHBOARD)
            assert records.one(User, username="alice").last_seen_at == clock()


class TestRedis:
    def test_keeps_what_a_member_asks_for_the_first_time(self, alice: Person, visitor: Visitor, is_kept):
        visitor.get(BOARD)  # so that Redis is believed
        alice.sign_up()
        assert not is_kept(alice, STATS)
        assert is_kept(alice, STATS)

    def test_takes_no_versions_of_made_up_members(self, visitor: Visitor, valkey):
        visitor.client.set_cookie("referralhub", "made-up.4711")
        visitor.get(BOARD)
        assert not valkey.client.exists(version_key(4711))

    def test_that_is_away_is_asked_once(self, warm: Person):
        asked = mock.Mock(side_effect=RedisError("away"))
        with mock.patch.object(Redis, "mget", asked):
            assert warm.client.get(DASHBOARD).status_code == 503
        assert asked.call_count == 1

    def test_with_what_another_release_kept_is_asked_anew(self, app: Flask, warm: Person, is_kept):
        layer = app.wsgi_app
        while not isinstance(layer, KeptAnswers):
            layer = getattr(layer, "app", None) or layer.inner
        with mock.patch.object(layer, "release", "another"):
            assert not is_kept(warm, DASHBOARD)

    def test_keeps_nothing_for_addresses_that_are_not_ours(self, warm: Person, valkey):
        before = len(valkey.client.keys("answer:*"))
        for page in (f"{BOARD}?period=all&x=1", f"{BOARD}?period=never", f"{DASHBOARD}?x=1", "/dashboard/referrals"):
            for _ in range(2):
                warm.client.get(page)
        assert len(valkey.client.keys("answer:*")) == before


@pytest.mark.one_database
def test_a_kept_answer_is_compressed_for_who_wants_that(warm: Person):
    warm.confirm_address()  # so that the page says no more what it is
    for _ in range(3):
        warm.get(DASHBOARD)
    plain, gzipped = (warm.client.get(DASHBOARD, headers={"Accept-Encoding": way}) for way in ("identity", "gzip"))
    assert _tokenless(gzip.decompress(gzipped.data).decode()) == _tokenless(plain.text)
    assert (gzipped.headers["Content-Encoding"], gzipped.headers["Vary"]) == ("gzip", plain.headers["Vary"])
    assert int(gzipped.headers["Content-Length"]) == len(gzipped.data) < len(plain.data) / 3
    with nothing_kept():
        assert warm.client.get(DASHBOARD, headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_nothing_of_a_newer_database_is_shown_once_the_leaderboard_of_a_restored_one_is_written(
    app: Flask, warm: Person, run, clock: Clock
):
    """A backup was put back behind everybody's back, beside a Redis that lived on."""
    before = {page: warm.get(page).text for page in (DASHBOARD, BOARD)}
    with app.app_context():
        db.session.execute(update(Profile).values(referral_count=0))
        db.session.execute(update(User).where(User.username == "alice").values(display_name="Alice of before"))
        db.session.commit()
    run("leaderboard", "rebuild")
    assert {page: warm.get(page).text for page in before} != before
    assert "Alice of before" in warm.get(DASHBOARD).text
