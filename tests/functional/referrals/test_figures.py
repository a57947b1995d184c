"""Figures from Redis: answered before Flask is entered while nothing changes, exactly as the view answers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import msgspec
import pytest
from flask import Flask
from redis import Redis

from referralhub.dashboard.fast_path import FastPath
from referralhub.models import User
from referralhub.services.accounts import administration, sign_ins
from referralhub.services.program import rules
from referralhub.services.referrals import figures
from referralhub.services.shared import figure_changes
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.figure_changes import TRUSTED
from tests.factories import befriend
from tests.people import Clock, Person

STATS = "/dashboard/stats"


@pytest.fixture
def warm(alice: Person) -> Person:
    """A member with one friend, who has just been shown her figures."""
    alice.sign_up()
    befriend(alice.post_office.app, "alice", 1, alice.post_office.app.config["CLOCK"]())
    alice.fragment(STATS)
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


def total(person: Person) -> int:
    return person.fragment(STATS).stat("total_referrals")


def test_a_warm_poll_is_one_round_trip_and_no_query(app: Flask, warm: Person, count_queries):
    tag = warm.client.get(STATS).headers["HX-PTag"]
    for expect, more in ((200, {}), (304, {"HX_PTag": tag}), (304, {"If_None_Match": f'"{tag}"'})):
        with (
            count_queries() as statements,
            commands() as sent,
            mock.patch.object(app, "full_dispatch_request") as flask,
        ):
            warm.fragment(STATS, expect=expect, **more)
        assert (len(statements), sent, flask.called) == (0, ["MGET"], False)


@pytest.mark.one_database
@pytest.mark.parametrize("more", [{}, {"HX-PTag": "{tag}"}, {"If-None-Match": '"{tag}"'}, {"HX-PTag": "old"}])
def test_it_answers_as_the_view_does(warm: Person, more: dict[str, str]):
    tag = warm.client.get(STATS).headers["HX-PTag"]
    headers = {name: value.format(tag=tag) for name, value in more.items()}
    early = warm.client.get(STATS, headers=headers)
    with mock.patch.object(FastPath, "__call__", return_value=None) as asked:
        view = warm.client.get(STATS, headers=headers)
    assert asked.called
    assert (early.status, sorted(early.headers), early.data) == (view.status, sorted(view.headers), view.data)


def test_who_brings_a_friend_sees_it_at_once(app: Flask, warm: Person, clock: Clock):
    assert total(warm) == 1
    befriend(app, "alice", 1, clock())
    assert total(warm) == 2


def test_new_rules_are_shown_at_once(app: Flask, warm: Person, clock: Clock):
    with app.app_context():
        rules.change({"tiers": [{"name": "Wood", "at": 0}]}, clock(), OPERATOR)
    assert warm.fragment(STATS).one("[data-tier]")["data-tier"] == "Wood"


def test_a_friend_who_was_not_seen_for_a_month_is_not_active(warm: Person, clock: Clock):
    assert warm.fragment(STATS).stat("active_network") == 1
    clock.advance(days=30, seconds=1)
    assert warm.fragment(STATS).stat("active_network") == 0


class TestWhoGetsNothing:
    def test_one_who_signed_out(self, warm: Person):
        cookie = warm.session_id()
        warm.sign_out()
        warm.client.set_cookie("session", cookie)
        assert warm.client.get(STATS).status_code == 302

    def test_a_browser_that_was_signed_out_from_another(self, app: Flask, warm: Person):
        with app.app_context():
            sign_ins.end_others(1, 0)
        assert warm.client.get(STATS).status_code == 302

    def test_one_who_was_switched_off(self, app: Flask, warm: Person, clock: Clock):
        with app.app_context():
            administration.set_active(1, False, "asked for it", OPERATOR, clock())
        assert warm.client.get(STATS).status_code == 302

    def test_one_who_erased_the_account(self, warm: Person):
        cookie = warm.session_id()
        warm.delete_account()
        warm.client.set_cookie("session", cookie)
        assert warm.client.get(STATS).status_code == 302

    def test_one_whose_id_names_another_member(self, warm: Person, bob: Person, records):
        bob.sign_up()
        bob.fragment(STATS)
        sid = bob.session_id()
        assert sid.endswith(f".{records.one(User, username='bob').profile.id}")
        bob.client.set_cookie("session", f"{sid.rpartition('.')[0]}.1")
        assert bob.client.get(STATS).status_code == 302

    def test_one_whose_sign_in_ends_while_the_figures_are_read(self, app: Flask, warm: Person, clock: Clock):
        def ended_since(sign_in_id: int) -> User | None:
            user = member(sign_in_id)
            sign_ins.end_others(1, 0)
            return user

        member = sign_ins.member
        befriend(app, "alice", 1, clock())  # so that the view is asked
        with mock.patch.object(sign_ins, "member", ended_since):
            assert warm.client.get(STATS).status_code == 200
        assert warm.client.get(STATS).status_code == 302


class TestRedis:
    @pytest.fixture(autouse=True)
    def short_lease(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let nobody wait for long; the lease that there is was the usual one."""
        monkeypatch.setattr(figure_changes, "LEASE", 300)

    def test_that_forgets_everything_but_sessions_is_asked_anew(self, warm: Person, valkey):
        valkey.client.delete(*valkey.client.keys("figures*"))
        assert total(warm) == 1

    def test_that_hangs_while_something_changes_shows_nothing_old(self, app: Flask, warm: Person, clock: Clock, valkey):
        assert total(warm) == 1
        valkey.client.pexpire(TRUSTED, figure_changes.LEASE)
        with valkey.hanging():
            befriend(app, "alice", 1, clock())
        assert total(warm) == 2

    def test_that_comes_back_with_older_memory_is_not_believed(self, app: Flask, warm: Person, clock: Clock, valkey):
        valkey.client.delete(TRUSTED)
        assert total(warm) == 1
        valkey.client.save()
        befriend(app, "alice", 1, clock())
        valkey.process.kill()
        valkey.process.wait()
        valkey.start()
        time.sleep(figure_changes.LEASE / 1000)  # what was left of the lease
        assert total(warm) == 2

    def test_with_what_another_release_kept_is_asked_anew(self, warm: Person, valkey):
        valkey.client.set("figures:1", msgspec.msgpack.encode([1, 2, 3]), ex=60)
        assert total(warm) == 1

    def test_that_is_told_by_nobody_since_the_process_was_killed_shows_nothing_old(
        self, app: Flask, warm: Person, clock: Clock
    ):
        with mock.patch("referralhub.services.shared.figure_changes.settle"):
            befriend(app, "alice", 1, clock())
        assert total(warm) == 2


def test_two_who_change_the_same_figures_wait_for_both(app: Flask, warm: Person, valkey, clock: Clock):
    """Figures that were computed while the second has not committed yet are not believed after it has."""
    redis = app.extensions["redis"]
    with app.app_context():
        for token in ("one", "other"):
            figure_changes._tell(redis, figure_changes.BEGIN, {1}, token)
        figure_changes._tell(redis, figure_changes.END, {1}, "one")
        assert figures.read(redis, 1, clock()).versions[1] == figure_changes.CHANGING
        figure_changes._tell(redis, figure_changes.END, {1}, "other")
        assert figures.read(redis, 1, clock()).versions[1] != figure_changes.CHANGING
