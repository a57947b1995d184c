"""Who brought the most friends."""

from datetime import UTC, datetime, timedelta
from unittest import mock
from urllib.parse import urlencode

import pytest
from sqlalchemy.exc import OperationalError

from referralhub.extensions import db
from referralhub.models import Profile, ReferralState, User
from referralhub.services.ledger import leaderboard
from tests.factories import befriend, member
from tests.pages import Visitor
from tests.people import Person


@pytest.fixture(autouse=True)
def _a_wednesday(clock):
    clock.now = datetime(2026, 5, 20, 12, tzinfo=UTC)


def test_most_confirmed_referrals_first(app, visitor: Visitor, clock):
    for name, friends in (("ann", 2), ("ben", 5), ("cat", 1), ("dan", 0)):
        member(app, name, clock())
        befriend(app, name, friends, clock())
    befriend(app, "dan", 9, clock(), ReferralState.PENDING)
    page = visitor.get("/leaderboard")
    assert page.leaders == [(1, "ben", 5), (2, "ann", 2), (3, "cat", 1)]


@pytest.mark.parametrize("period", ["all", "month", "week"])
def test_of_equals_the_one_who_got_there_first_is_ahead(app, visitor: Visitor, clock, period: str):
    for name in ("ann", "ben", "cat"):
        member(app, name, clock() - timedelta(days=2))
    befriend(app, "ben", 2, clock() - timedelta(hours=3))
    befriend(app, "cat", 2, clock() - timedelta(hours=2))
    befriend(app, "ann", 1, clock() - timedelta(hours=9))
    befriend(app, "ann", 1, clock() - timedelta(hours=1))
    leaders = visitor.get(f"/leaderboard?period={period}").leaders
    assert leaders == [(1, "ben", 2), (2, "cat", 2), (3, "ann", 2)]


@pytest.mark.parametrize("period", ["all", "month", "week"])
def test_of_perfect_equals_the_one_who_joined_first_is_ahead(app, visitor: Visitor, clock, period: str):
    for name in ("zoe", "ann"):
        member(app, name, clock())
    befriend(app, "ann", 1, clock())
    befriend(app, "zoe", 1, clock())
    assert visitor.get(f"/leaderboard?period={period}").leaders == [(1, "zoe", 1), (2, "ann", 1)]


def test_periods_are_those_of_the_calendar(app, visitor: Visitor, clock):
    member(app, "ann", clock())
    befriend(app, "ann", 1, datetime(2026, 4, 30, 23, 59, tzinfo=UTC))
    befriend(app, "ann", 2, datetime(2026, 5, 1, 0, 0, tzinfo=UTC))
    befriend(app, "ann", 4, datetime(2026, 5, 17, 23, 59, tzinfo=UTC))  # a Sunday
    befriend(app, "ann", 8, datetime(2026, 5, 18, 0, 0, tzinfo=UTC))  # a Monday
    assert visitor.get("/leaderboard?period=all").leaders == [(1, "ann", 15)]
    assert visitor.get("/leaderboard?period=month").leaders == [(1, "ann", 14)]
    assert visitor.get("/leaderboard?period=week").leaders == [(1, "ann", 8)]


def test_a_member_further_down_sees_the_own_rank(app, alice: Person, visitor: Visitor, clock, subtests):
    alice.sign_up()
    befriend(app, "alice", 1, clock())
    for number in range(25):
        member(app, f"member{number}", clock())
        befriend(app, f"member{number}", 2, clock())
    for period in ("all", "month", "week"):
        for size, shown in (("large", 20), ("small", 5)):
            with subtests.test(period=period, size=size):
                path = f"/leaderboard?size={size}&period={period}"
                leaders = alice.get(path).leaders
                assert leaders[-1] == (26, "alice", 1)
                assert [rank for rank, _, _ in leaders] == [*range(1, shown + 1), 26]
                assert len(visitor.get(path).leaders) == shown


@pytest.mark.parametrize("period", ["all", "month", "week"])
def test_own_rank_agrees_with_the_list(app, alice: Person, clock, period: str):
    """Whatever the ties, the rank in the small list is the place in the large one."""
    alice.sign_up()
    for number, (friends, minutes) in enumerate([(3, 5), (1, 90), (1, 30), (1, 60), (2, 9), (1, 60), (1, 10)]):
        member(app, f"member{number}", clock())
        befriend(app, f"member{number}", friends, clock() - timedelta(minutes=minutes))
    befriend(app, "alice", 1, clock() - timedelta(minutes=60))
    large = alice.get(f"/leaderboard?period={period}").leaders
    small = alice.get(f"/leaderboard?period={period}&size=small").leaders
    (rank,) = [rank for rank, name, _ in large if name == "alice"]
    assert [place for place in large if place[0] <= 5 or place[0] == rank] == small


@pytest.mark.parametrize("period", ["all", "month", "week"])
def test_members_who_were_switched_off_are_not_listed_and_leave_no_gap(app, alice: Person, clock, records, period):
    alice.sign_up()
    befriend(app, "alice", 1, clock())
    for name in ("ann", "ben"):
        member(app, name, clock())
        befriend(app, name, 2, clock())

    def switch_off() -> None:
        db.session.scalars(db.select(User).filter_by(username="ann")).one().is_active = False

    records.change(switch_off)
    assert alice.get(f"/leaderboard?period={period}").leaders == [(1, "ben", 2), (2, "alice", 1)]


def test_the_dashboard_shows_this_months_first_five_and_the_own_place(app, alice: Person, clock):
    alice.sign_up()
    befriend(app, "alice", 1, clock())
    for number in range(7):
        member(app, f"member{number}", clock())
        befriend(app, f"member{number}", 2, clock())
    befriend(app, "alice", 9, clock() - timedelta(days=40))
    assert [rank for rank, _, _ in alice.get("/dashboard/").leaders] == [1, 2, 3, 4, 5, 8]


def test_an_unknown_period_is_all_time(app, visitor: Visitor, clock, subtests):
    member(app, "ann", clock())
    befriend(app, "ann", 1, clock() - timedelta(days=400))
    for period in ("year", "", "ALL", "all;drop table user", "\0", "💥", "x" * 300):
        with subtests.test(period=period):
            page = visitor.get(f"/leaderboard?{urlencode({'period': period})}")
            assert page.leaders == [(1, "ann", 1)]


def test_fragment_and_page_show_the_same_and_caches_can_tell_them_apart(app, alice: Person, clock):
    alice.sign_up()
    befriend(app, "alice", 1, clock())
    page, fragment = alice.get("/leaderboard"), alice.fragment("/leaderboard")
    assert page.one("#leaderboard") == fragment.one("#leaderboard")
    assert "HX-Request-Type" in page.headers["Vary"]
    assert "HX-Request-Type" in fragment.headers["Vary"]


def test_an_empty_leaderboard_says_so(visitor: Visitor):
    page = visitor.get("/leaderboard")
    assert page.leaders == []
    assert page.one("#leaderboard").text


def test_it_is_right_when_more_moved_at_once_than_a_statement_can_name(app, visitor: Visitor, clock, monkeypatch):
    monkeypatch.setattr(leaderboard, "MANY", 2)
    redis = app.extensions["redis"]
    with app.app_context():
        leaderboard.rebuild(redis, clock())
    for number, name in enumerate(("ann", "ben", "cat", "dan", "eve"), 1):
        member(app, name, clock())
        befriend(app, name, number, clock())
    with app.app_context():
        for each in db.session.scalars(db.select(Profile.id)):
            leaderboard.changed(db.session(), each)
        db.session.commit()
        assert leaderboard.differences(redis, clock()) == []
    assert visitor.get("/leaderboard").leaders == [
        (1, "eve", 5),
        (2, "dan", 4),
        (3, "cat", 3),
        (4, "ben", 2),
        (5, "ann", 1),
    ]


def test_it_is_right_after_redis_came_back_with_older_memory(app, alice: Person, visitor: Visitor, clock, valkey):
    alice.sign_up()
    befriend(app, "alice", 1, clock())
    redis = app.extensions["redis"]
    with app.app_context():
        leaderboard.catch_up(redis, clock())
        valkey.client.save()
        befriend(app, "alice", 1, clock())
        leaderboard.catch_up(redis, clock())
        valkey.process.kill()
        valkey.process.wait()
        valkey.start()
        leaderboard.catch_up(redis, clock())
    assert visitor.get("/leaderboard").leaders == [(1, "alice", 2)]


def test_it_is_right_when_redis_is_told_while_somebody_reads(app, alice: Person, visitor: Visitor, clock):
    def just_before_they_are_told(*values):
        ranks = read(*values)
        leaderboard.catch_up(redis, clock())
        return ranks

    alice.sign_up()
    redis, read = app.extensions["redis"], leaderboard._ranks
    with app.app_context():
        leaderboard.catch_up(redis, clock())
    befriend(app, "alice", 1, clock())
    with mock.patch.object(leaderboard, "_ranks", just_before_they_are_told):
        assert visitor.get("/leaderboard").leaders == [(1, "alice", 1)]


def test_a_change_that_redis_was_not_told_of_ranks_nobody_anew(app, alice: Person, visitor: Visitor, clock):
    alice.sign_up()
    with app.app_context():
        leaderboard.catch_up(app.extensions["redis"], clock())
    befriend(app, "alice", 1, clock())
    with mock.patch.object(leaderboard, "rank") as ranked:
        assert visitor.get("/leaderboard").leaders == [(1, "alice", 1)]
    assert not ranked.called


def test_where_nothing_can_be_written_it_is_counted_by_sql(app, alice: Person, visitor: Visitor, clock):
    alice.sign_up()
    with app.app_context():
        leaderboard.catch_up(app.extensions["redis"], clock())
    befriend(app, "alice", 1, clock())
    refused = OperationalError("DELETE", {}, Exception("read-only"))
    with mock.patch.object(leaderboard, "_catch_up", side_effect=refused):
        assert visitor.get("/leaderboard").leaders == [(1, "alice", 1)]


def test_who_moves_while_redis_is_told_of_others_has_nobody_ranked_anew(app, alice: Person, visitor: Visitor, clock):
    """When many sign up there is somebody at every moment."""

    def and_somebody_moves(*values):
        told(*values)
        befriend(app, "bob", 1, clock())

    alice.sign_up()
    member(app, "bob", clock())
    redis, told = app.extensions["redis"], leaderboard._catch_up
    with app.app_context():
        leaderboard.catch_up(redis, clock())
    befriend(app, "alice", 2, clock())
    with (
        mock.patch.object(leaderboard, "_catch_up", and_somebody_moves),
        mock.patch.object(leaderboard, "rank") as ranked,
    ):
        assert visitor.get("/leaderboard").leaders == [(1, "alice", 2)]
    assert not ranked.called
    assert visitor.get("/leaderboard").leaders == [(1, "alice", 2), (2, "bob", 1)]


@pytest.mark.parametrize("when", ["_kept", "_moving"])
def test_who_moves_while_it_is_compared_is_no_difference(app, clock, when: str):
    """Whether Redis has been told by then or not."""

    def and_somebody_moves(*values):
        found = look(*values)
        befriend(app, "ann", 1, clock())
        befriend(app, "ben", 1, clock())
        with app.app_context():
            leaderboard.catch_up(redis, clock())
        befriend(app, "ben", 1, clock())
        return found

    for name in ("ann", "ben"):
        member(app, name, clock())
    redis, look = app.extensions["redis"], getattr(leaderboard, when)
    with app.app_context():
        with mock.patch.object(leaderboard, when, and_somebody_moves):
            assert leaderboard.differences(redis, clock()) == []
        redis.zadd("leaderboard:all:ever", {"0000000001": -7})
        assert leaderboard.differences(redis, clock()) == [leaderboard.Period.ALL]
