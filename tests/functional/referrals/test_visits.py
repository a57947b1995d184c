"""Visits get from Redis into the database exactly once, whatever breaks on the way."""

from unittest import mock

import pytest
from flask import Flask
from redis import Redis, RedisError

from referralhub.models import Channel, VisitDaily
from referralhub.services.links import visits
from tests.pages import Visitor
from tests.people import Person, all_at_once, path_of


@pytest.fixture
def link(alice: Person) -> str:
    """Alice's link, as a path."""
    alice.sign_up()
    return path_of(alice.link)


def counted(records) -> list[tuple[int, int]]:
    return [(day.visits, day.visitors) for day in records.visits()]


def test_a_crash_after_the_commit_does_not_count_twice(app: Flask, link: str, visitor: Visitor, records):
    visitor.get(link, 302)
    redis = app.extensions["redis"]
    with app.app_context(), mock.patch.object(Redis, "delete", side_effect=RedisError), pytest.raises(RedisError):
        visits.book_all(redis, app.config["CLOCK"]())
    assert redis.scard(visits.BATCHES) == 1
    visitor.get(link, 302)
    assert counted(records) == [(2, 1)]
    assert counted(records) == [(2, 1)]
    assert redis.scard(visits.BATCHES) == 0
    assert not redis.keys("visits:*")


def test_a_crash_before_the_commit_loses_nothing(app: Flask, link: str, visitor: Visitor, records):
    visitor.get(link, 302)
    crash = mock.patch.object(visits, "_add", side_effect=RuntimeError)
    with app.app_context(), crash, pytest.raises(RuntimeError):
        visits.book_all(app.extensions["redis"], app.config["CLOCK"]())
    assert records.all(VisitDaily) == []
    assert counted(records) == [(1, 1)]


def test_workers_that_book_at_once_book_once(app: Flask, link: str, records):
    for _ in range(10):
        Visitor(app).get(link, 302)
    redis = app.extensions["redis"]
    with app.app_context(), mock.patch.object(Redis, "delete", side_effect=RedisError), pytest.raises(RedisError):
        visits.book_all(redis, app.config["CLOCK"]())  # leaves a batch that all will try
    Visitor(app).get(link, 302)

    def work() -> None:
        with app.app_context():
            visits.book_all(redis, app.config["CLOCK"]())

    all_at_once([work] * 5)
    assert counted(records) == [(11, 11)]


def test_a_redis_that_forgets_loses_only_what_was_not_booked(app: Flask, alice: Person, link: str, records, valkey):
    Visitor(app).get(link, 302)
    alice.get("/dashboard/")
    Visitor(app).get(link, 302)
    valkey.client.flushdb()
    assert counted(records) == [(1, 1)]
    Visitor(app).get(link, 302)
    assert counted(records) == [(2, 2)]


def test_a_member_whom_the_database_does_not_know_holds_up_nobody(app: Flask, link: str, visitor: Visitor, records):
    visits.count(app.extensions["redis"], "nobodys1", Channel.LINK, "visits", app.config["CLOCK"]())
    visitor.get(link, 302)
    assert counted(records) == [(1, 1)]
    assert not app.extensions["redis"].keys("visits:*")


def test_what_was_counted_by_the_number_of_a_profile_is_booked_too(app: Flask, link: str, records):
    """So were visits counted before; an upgrade finds some of them waiting."""
    redis, day = app.extensions["redis"], app.config["CLOCK"]().date()
    redis.hset("visits:1", mapping={f"{day.isoformat()}|link|{kind}": 3 for kind in ("visits", "visitors")})
    redis.sadd(visits.WAITING, 1)
    assert counted(records) == [(3, 3)]
    assert not redis.keys("visits:*")


def test_a_code_whose_visits_were_taken_before_it_was_put_among_those_that_wait_does_not_stay_there(
    app: Flask, link: str, visitor: Visitor, records
):
    redis = app.extensions["redis"]
    redis.sadd(visits.WAITING, "abcdefgh")
    visitor.get(link, 302)
    assert counted(records) == [(1, 1)]
    assert not redis.exists(visits.WAITING)


def test_days_of_long_ago_become_a_sum(app: Flask, alice: Person, link: str, records, clock):
    for _ in range(3):
        visitor = Visitor(app)
        visitor.get(link, 302)
        visitor.get(f"{link}?via=x", 302)
        records.visits()
        clock.advance(days=1)
    clock.advance(days=88, seconds=1)  # the first day is 91 days ago
    with app.app_context():
        visits.fold(clock())
        visits.fold(clock())
    rows = records.all(VisitDaily)
    assert sorted((row.day == visits.FOLDED, row.channel) for row in rows) == [
        (False, Channel.LINK), (False, Channel.LINK), (False, Channel.X), (False, Channel.X),
        (True, Channel.LINK), (True, Channel.X),
    ]  # fmt: skip
    assert (sum(row.visits for row in rows), sum(row.visitors for row in rows)) == (6, 3)
    clock.advance(days=2)
    with app.app_context():
        visits.fold(clock())
    rows = records.all(VisitDaily)
    assert [(row.visits, row.visitors, row.channel) for row in rows] == [(3, 3, Channel.LINK), (3, 0, Channel.X)]
