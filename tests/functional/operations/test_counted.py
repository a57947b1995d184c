"""What all processes together have done, as a monitoring system reads it."""

from collections.abc import Callable
from unittest import mock

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from redis import TimeoutError as NoAnswer

from referralhub.extensions import huey
from referralhub.observing.counters import EVERY, Tally
from referralhub.services.operations import heartbeat
from tests import servers
from tests.callers import NAVIGATES
from tests.pages import Visitor
from tests.people import Clock, Person, PostOffice

TOKEN = "a token for tests: 0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.one_database


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(metrics_token=TOKEN)


@pytest.fixture
def another_process(app: Flask, make_app: Callable[..., Flask], valkey: servers.Valkey) -> Flask:
    with mock.patch.object(valkey.client, "flushdb"):
        return make_app(metrics_token=TOKEN)


def read(app: Flask, name: str) -> dict[tuple[str, ...], float]:
    """Scrape one metric, by its labels in the order of their names."""
    answer = app.test_client().get("/metrics", headers=BEARER)
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == f"referralhub_{name}"
    }


def test_requests_by_method_form_of_the_path_and_status(app: Flask, visitor: Visitor):
    visitor.get("/login")
    visitor.get("/login?next=/dashboard/")
    visitor.client.post("/login")
    visitor.client.get("/verify/one-token")
    visitor.client.get("/verify/another-token")
    visitor.client.get("/nothing/here")
    visitor.client.open("/login", method="FETCHALL")
    assert read(app, "requests_total") == {
        ("GET", "/login", "200"): 2,
        ("POST", "/login", "400"): 1,
        ("GET", "/verify/<token>", "200"): 2,
        ("GET", "(none)", "404"): 1,
        ("other", "(none)", "405"): 1,
    }
    assert read(app, "requests_total")["GET", "/metrics", "200"] == 1


def test_how_long_they_took(app: Flask):
    tally: Tally = app.extensions["tally"]
    for seconds in (0.0009, 0.001, 0.003, 0.2, 7):
        tally.request({"method": "GET", "route": "/slow"}, 200, seconds)
    buckets = read(app, "request_seconds_bucket")
    found = {bound: number for (bound, route), number in buckets.items() if route == "/slow"}
    assert (found["0.001"], found["0.0025"], found["0.005"], found["0.1"], found["0.25"]) == (2, 2, 3, 3, 4)
    assert (found["5.0"], found["+Inf"]) == (4, 5)
    assert read(app, "request_seconds_count")["/slow",] == 5
    assert read(app, "request_seconds_sum")["/slow",] == pytest.approx(7.2049)


def test_answers_that_were_given_and_made(app: Flask, post_office: PostOffice, visitor: Visitor):
    alice = Person(app, post_office, "alice")
    alice.sign_up()
    link = alice.link
    for _ in range(4):
        visitor.client.get(f"/{alice.code}/", headers=NAVIGATES)
        visitor.client.get("/leaderboard")
    assert link
    found = read(app, "answers_total")
    assert found["early", "made"] == 1
    assert found["early", "given"] == 3
    assert found["kept", "given"] >= 1
    assert found["kept", "made"] >= 1


def test_jobs(app: Flask, monkeypatch: pytest.MonkeyPatch):
    from referralhub.tasks import give_sign_of_life, update_leaderboard

    def fail(*_: object) -> None:
        raise KeyError("x")

    for _ in range(2):
        huey.execute(give_sign_of_life.s())
    monkeypatch.setattr("referralhub.services.ledger.leaderboard.catch_up", fail)
    huey.execute(update_leaderboard.s())
    assert read(app, "jobs_total") == {("done", "give_sign_of_life"): 2, ("failed", "update_leaderboard"): 1}
    assert 0 < read(app, "job_seconds_total")["give_sign_of_life",] < 60


def test_every_process_tells_the_same_and_a_new_one_goes_on(app: Flask, another_process: Flask, make_app, valkey):
    app.test_client().get("/login")
    another_process.test_client().get("/login")
    another_process.extensions["tally"].leave()  # as at its end
    assert read(app, "requests_total")["GET", "/login", "200"] == 2
    with mock.patch.object(valkey.client, "flushdb"):
        started_anew = make_app(metrics_token=TOKEN)
    assert read(started_anew, "requests_total")["GET", "/login", "200"] == 2
    started_anew.test_client().get("/login")
    assert read(started_anew, "requests_total")["GET", "/login", "200"] == 3


def test_counts_reach_redis_by_themselves(app: Flask, another_process: Flask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("referralhub.observing.counters.EVERY", 0.05)
    another_process.test_client().get("/login")
    servers.wait_until(lambda: read(app, "requests_total").get(("GET", "/login", "200")) == 1, "they are there")
    assert EVERY == 5


def test_an_answer_that_was_lost_counts_nothing_twice(app: Flask):
    tally: Tally = app.extensions["tally"]
    app.test_client().get("/login")
    add = tally._script

    def add_and_lose(*arguments: object) -> None:
        add(*arguments)
        raise NoAnswer

    with mock.patch.object(tally, "_script", add_and_lose):
        for _ in range(3):
            with pytest.raises(NoAnswer):
                tally.send()
            app.test_client().get("/login")
    assert read(app, "requests_total")["GET", "/login", "200"] == 4


def test_while_redis_is_away_it_says_so_and_loses_nothing(app: Flask, valkey: servers.Valkey):
    with valkey.away():
        app.test_client().get("/healthz")
        assert read(app, "redis_up") == {(): 0}
        assert read(app, "requests_total") == {}
        assert read(app, "members") == {(): 0}
    assert read(app, "redis_up") == {(): 1}
    assert read(app, "requests_total")["GET", "/healthz", "200"] == 1


def test_how_full_redis_is(app: Flask, valkey: servers.Valkey):
    (used,) = read(app, "redis_memory_bytes").values()
    assert 500_000 < used < 100_000_000
    assert read(app, "redis_memory_limit_bytes") == {(): float("inf")}
    valkey.client.config_set("maxmemory", "64mb")
    try:
        assert read(app, "redis_memory_limit_bytes") == {(): 64 * 1024**2}
    finally:
        valkey.client.config_set("maxmemory", "0")


def test_a_worker_that_is_silent(app: Flask, clock: Clock):
    assert read(app, "worker_silent_seconds") == {(): float("inf")}
    heartbeat.beat(app.extensions["redis"], clock())
    clock.advance(minutes=7)
    assert read(app, "worker_silent_seconds") == {(): 420}


def test_connections_of_the_fullest_process_lately(app: Flask, another_process: Flask, clock: Clock):
    from referralhub.extensions import db

    other: Tally = another_process.extensions["tally"]
    other.program = "worker"
    with another_process.app_context(), db.engine.connect(), db.engine.connect(), db.engine.connect():
        pass
    other.send()
    assert read(app, "database_connections")["worker",] == 3
    assert read(app, "processes") == {("web",): 1, ("worker",): 1}
    clock.advance(minutes=2)
    assert read(app, "database_connections")["worker",] == 0
    assert read(app, "processes") == {("web",): 1, ("worker",): 0}
    clock.advance(days=2)
    read(app, "database_connections")
    assert app.extensions["redis"].hlen("metrics:pools") == 1


def test_where_nobody_reads_them_nothing_is_counted(make_app, valkey: servers.Valkey):
    app = make_app()
    app.test_client().get("/login")
    assert "tally" not in app.extensions
    assert not valkey.client.keys("metrics:*")
