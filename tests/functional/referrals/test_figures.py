"""Figures from Redis: as new as the database, whatever becomes of Redis."""

import time
from unittest import mock

import msgspec
import pytest
from flask import Flask

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


def total(person: Person) -> int:
    return person.fragment(STATS).stat("total_referrals")


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
