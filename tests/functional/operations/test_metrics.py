"""What a monitoring system reads."""

import math
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from referralhub.metrics import version
from referralhub.models import OutboxMessage, Reason, ReferralState
from referralhub.services.program import rules
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from tests.factories import befriend, member
from tests.people import Clock

TOKEN = "a token for tests: 0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Sample = dict[tuple[str, ...], float]


@pytest.fixture
def app(lend_app: Callable[..., Flask]) -> Flask:
    return lend_app(metrics_token=TOKEN)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def scrape(client: FlaskClient) -> Callable[[], Sample]:
    """Read the figures by name, and by label where there is one."""

    def read() -> Sample:
        answer = client.get("/metrics", headers=BEARER)
        assert answer.status_code == 200, answer.text
        return {
            (sample.name.removeprefix("referralhub_"), *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return read


def test_an_empty_program_has_every_figure(scrape, database: str):
    found = scrape()
    build = next(key for key in found if key[0] == "build_info")
    assert version() in build
    counted = {
        "redis_up", "worker_silent_seconds", "database_connections", "processes", "redis_memory_bytes",
        "redis_memory_limit_bytes",
    }  # fmt: skip
    assert 50_000 < found.pop(("database_bytes",)) < 100_000_000
    open_, most = found.pop(("database_server_connections",)), found.pop(("database_server_connections_limit",))
    assert (0 < open_ < most == 100) if database == "postgresql" else (open_ == 0 and most == math.inf)
    assert {key: value for key, value in found.items() if key != build and key[0] not in counted and value != 0} == {}
    names = {key[0] for key in found} - counted
    assert names == {
        "build_info", "members", "referrals", "held_oldest_age_seconds", "visits_total", "visitors_total", "bots_total",
        "ledger_entries_total", "outbox_waiting", "outbox_dead", "outbox_oldest_due_age_seconds", "audit_last_line",
        "webhooks_waiting", "webhooks_given_up", "webhooks_oldest_due_age_seconds", "webhook_endpoints_off",
        "events", "conversions_total", "rewards",
    }  # fmt: skip


def test_the_figures(app: Flask, scrape, queue, clock: Clock, records):
    queue("one", "two", "three")  # mail to alice
    befriend(app, "alice", 2, clock(), ReferralState.PENDING)
    befriend(app, "alice", 3, clock())
    with app.app_context():
        lifecycle.hold(1, OPERATOR, Reason.stated("looks odd"), clock())
        rules.change({"hold_days": 7}, clock())
    clock.advance(hours=2)
    with app.app_context():
        lifecycle.hold(2, OPERATOR, Reason.stated("looks odd"), clock())
        lifecycle.reverse(3, OPERATOR, Reason.stated("stolen"), clock())
    one, two = records.all(OutboxMessage)[:2]

    def deliver_one_and_give_up_two() -> None:
        from referralhub.extensions import db

        db.session.get(OutboxMessage, one.id).delivered_at = clock()
        dead = db.session.get(OutboxMessage, two.id)
        dead.next_try_at, dead.last_error = None, "550 no such mailbox"

    records.change(deliver_one_and_give_up_two)
    clock.advance(minutes=1)
    found = scrape()
    states = {key[1]: value for key, value in found.items() if key[0] == "referrals"}
    assert states == {"pending": 0, "confirmed": 2, "held": 2, "rejected": 0, "reversed": 1, "expired": 0}
    assert found["members",] == 6
    assert found["held_oldest_age_seconds",] == 2 * 3600 + 60
    kinds = {key[1]: value for key, value in found.items() if key[0] == "ledger_entries_total"}
    assert {kind: number for kind, number in kinds.items() if number} == {"referrer": 3, "reversal": 1}
    assert found["outbox_waiting",] == len(records.all(OutboxMessage)) - 2
    assert found["outbox_dead",] == 1
    assert found["outbox_oldest_due_age_seconds",] == 2 * 3600 + 60
    assert found["audit_last_line",] == 4


def test_booked_visits(app: Flask, scrape, clock: Clock, records):
    from referralhub.models import Channel, Profile
    from referralhub.services.links import visits

    member(app, "alice", clock())
    code = records.one(Profile).code
    for kind in ("visits", "visits", "visitors", "bots"):
        visits.count(app.extensions["redis"], code, Channel.LINK, kind, clock())
    assert scrape()["visits_total",] == 0
    records.visits()
    found = scrape()
    assert (found["visits_total",], found["visitors_total",], found["bots_total",]) == (2, 1, 1)


def test_mail_that_is_not_due_is_not_overdue(app: Flask, scrape, queue, clock: Clock, records):
    queue("one")
    clock.advance(minutes=-5)
    assert scrape()["outbox_oldest_due_age_seconds",] == 0
    assert scrape()["outbox_waiting",] == 1


def test_it_takes_the_same_few_queries_whatever_there_is(app: Flask, client, count_queries, queue, clock: Clock):
    def statements() -> int:
        with count_queries() as sent:
            client.get("/metrics", headers=BEARER)
        return len(sent)

    assert statements() == 12
    queue("one", "two")
    befriend(app, "alice", 4, clock())
    befriend(app, "alice", 2, clock(), ReferralState.HELD)
    assert statements() == 12


@pytest.mark.parametrize(
    "header",
    [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
     "Bearer t\xf6ken"],
)  # fmt: skip
@pytest.mark.one_database
def test_nobody_reads_it_without_the_token(client: FlaskClient, header: str | None):
    answer = client.get("/metrics", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "referralhub_" not in answer.text


@pytest.mark.parametrize("header", ["", "Bearer ", f"Bearer {TOKEN}"])
@pytest.mark.one_database
def test_without_a_configured_token_there_is_nothing(make_app, header: str):
    assert make_app().test_client().get("/metrics", headers={"Authorization": header}).status_code == 404


@pytest.mark.one_database
def test_it_needs_no_redis_no_session_and_has_no_limit(client: FlaskClient, valkey):
    client.set_cookie("referralhub", "a" * 43)  # of a session that nobody has
    with valkey.away():
        for _ in range(3):
            answer = client.get("/metrics", headers=BEARER)
            assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_without_the_database_it_says_so_plainly(database_url: str, database: str, make_app, tmp_path, records):
    from referralhub import create_app
    from tests.conftest import make_settings, sqlite_url

    gone = sqlite_url(tmp_path / "gone") if database == "sqlite" else "postgresql+psycopg://x@/x?host=/nowhere"
    app = create_app(make_settings(gone, f"unix://{tmp_path}/nothing.sock", tmp_path, metrics_token=TOKEN))
    answer = app.test_client().get("/metrics", headers=BEARER)
    assert (answer.status_code, answer.mimetype) == (503, "text/plain")
    assert answer.text == "The database does not answer.\n"


@pytest.mark.one_database
def test_two_applications_share_nothing(make_app, client: FlaskClient):
    other = make_app(metrics_token=TOKEN[::-1]).test_client()
    assert client.get("/metrics", headers=BEARER).status_code == 200
    assert other.get("/metrics", headers=BEARER).status_code == 401
    assert other.get("/metrics", headers={"Authorization": f"Bearer {TOKEN[::-1]}"}).status_code == 200
