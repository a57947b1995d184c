"""Ten thousand events of 500 customers, each sent once to five times, all mixed up, from 20 threads to two web
processes that are killed ten times: in the end there are exactly the credits that one quiet pass gives, and the books
hold.
"""

import http.client
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from referralhub import create_app
from referralhub.extensions import db
from referralhub.models import Conversion, Event, ExternalMember, Profile, RewardEntry, Scope
from referralhub.services.conversions import recount
from referralhub.services.integration import keys, members
from referralhub.services.integration.members import Given
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from tests import servers
from tests.conftest import SECRET_KEY, extra_database, make_settings
from tests.deep.conftest import Table

pytestmark = pytest.mark.deep

CUSTOMERS, EVENTS, REFERRERS = 500, 10_000, 20
THREADS, KILLS = 20, 10
RULES: dict[str, Any] = {
    "qualifies_on": "purchase", "unit": "money", "currency": "EUR", "referrer_amount": 0, "referrer_share": 1250,
    "friend_amount": 777, "earning_events": 12, "condition": {"plan": "pro"}, "referral_cap": 9_000,
}  # fmt: skip
Sent = list[dict[str, Any]]


class Web(servers.Server):
    """One web process; after a kill it is started at the same address."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port, self.environment = servers.free_port(), environment

    def command(self) -> list[str | Path]:
        there = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port), "--blocking-threads", "4"]
        return [servers.BIN / "granian", *there, "--no-ws", "--log-level", "critical", "wsgi:app"]

    def options(self) -> dict[str, object]:
        return {"cwd": servers.PROJECT, "env": self.environment, "start_new_session": True}

    def answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            finally:
                connection.close()
        return False

    def kill(self) -> None:
        """Kill it with all that it has started."""
        with suppress(ProcessLookupError):
            servers.os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


def story(codes: list[str], begin: datetime) -> Sent:
    """Make up what the customers did; it is the same each time, but for the codes."""
    chance, events = random.Random(20), []
    for number in range(CUSTOMERS):
        who = {"external_id": f"customer{number}"}
        if number % 5 == 0:
            who["organization_id"] = f"organization{number // 25}"
        at = begin + timedelta(minutes=number)
        code = {"code": codes[number % len(codes)]} if number % 10 else {}
        events.append({"type": "signup", "customer": who, "occurred_at": at.isoformat(), **code})
    bought: list[int] = []
    while len(events) < EVENTS:
        number = chance.randrange(CUSTOMERS)
        at = begin + timedelta(days=1, seconds=chance.randrange(20 * 24 * 3600))
        event = {"customer": {"external_id": f"customer{number}"}, "occurred_at": at.isoformat(), "currency": "EUR"}
        if bought and chance.random() < 0.2:
            named = chance.choice(bought)
            event |= {"type": "refund", "customer": events[named]["customer"], "amount": chance.randrange(1, 9_000)}
            if chance.random() < 0.7:
                event["refund_of"] = f"event{named}"
        else:
            bought.append(len(events))
            plan = {"plan": chance.choice(["pro", "pro", "free"])}
            event |= {"type": "purchase", "amount": chance.randrange(1, 20_000), "metadata": plan}
        events.append(event)
    return [event | {"id": f"event{number}"} for number, event in enumerate(events)]


def prepare(app: Flask) -> tuple[str, list[str]]:
    """Put the rules in force, make the referrers, and give a key and their codes."""
    with app.app_context():
        now = app.config["CLOCK"]()
        rules.change(RULES, now)
        _, secret = keys.create("shop", [Scope.EVENTS], OPERATOR, now)
        found = [members.put(f"referrer{number}", Given(), OPERATOR, now)[0].code for number in range(REFERRERS)]
        return secret, found


def state(app: Flask) -> dict[str, Any]:
    """Read what became of each event, and what each member has."""
    with app.app_context():
        events = db.session.execute(
            select(Event.own_id, Event.state, Event.reason_code, Conversion.refunded, Conversion.referrer_amount,
                   Conversion.friend_amount)
            .outerjoin(Conversion, Conversion.event_id == Event.id)
        )  # fmt: skip
        credits_ = db.session.execute(
            select(ExternalMember.external_id, RewardEntry.unit, func.sum(RewardEntry.amount))
            .join(Profile, Profile.user_id == ExternalMember.user_id)
            .join(RewardEntry, RewardEntry.profile_id == Profile.id)
            .group_by(ExternalMember.external_id, RewardEntry.unit)
        )
        return {
            "events": {row[0]: tuple(row[1:]) for row in events},
            "credits": {row[0]: (row[1], int(row[2])) for row in credits_ if row[2]},
            "drifts": list(recount.drifts()),
        }


def quiet_pass(app: Flask, begin: datetime) -> dict[str, Any]:
    secret, codes = prepare(app)
    client, headers = app.test_client(), {"Authorization": f"Bearer {secret}"}
    events = story(codes, begin)
    for start in range(0, len(events), 100):
        answer = client.post("/api/v1/events", json=events[start : start + 100], headers=headers)
        assert answer.status_code == 202
    return state(app)


def send(events: Sent, webs: list[Web], secret: str, seed: int) -> None:
    """Send events in small lists, each again and again until it was taken in."""
    chance = random.Random(seed)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    connections: dict[int, http.client.HTTPConnection] = {}
    while events:
        size = chance.choice([1, 3, 10, 50])
        some, events = events[:size], events[size:]
        while True:
            port = chance.choice(webs).port
            try:
                if port not in connections:
                    connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection = connections[port]
                connection.request("POST", "/api/v1/events", json.dumps(some), headers)
                answer = connection.getresponse()
                told = json.loads(answer.read() or b"{}")
                if answer.status == 202:
                    assert all(each["status"] != "refused" or "errors" not in each for each in told["results"])
                    break
                assert answer.status == 503, told
            except (OSError, http.client.HTTPException):
                if port in connections:
                    connections.pop(port).close()
            time.sleep(0.1)
    for connection in connections.values():
        connection.close()


def kill_again_and_again(webs: list[Web], over: threading.Event) -> int:
    """Kill one after the other, and start it once more; return how often."""
    killed = 0
    while killed < KILLS and not over.wait(2):
        web = webs[killed % len(webs)]
        web.kill()
        killed += 1
        web.start()
    return killed


@contextmanager
def program_at(url: str, redis_url: str, folder: Path) -> Iterator[Flask]:
    app = create_app(make_settings(url, redis_url, folder, ratelimit_enabled=False))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_credits_are_those_of_a_quiet_pass(kind: str, valkey, tmp_path: Path, request, table: Table):
    begin = datetime.now().astimezone() - timedelta(days=25)
    with extra_database(kind, tmp_path, request, migrated=True) as url, program_at(url, valkey.url, tmp_path) as app:
        begun = time.perf_counter()
        wanted = quiet_pass(app, begin)
        quiet = time.perf_counter() - begun
    valkey.client.flushdb()
    changes = {"SECRET_KEY": SECRET_KEY, "RATELIMIT_ENABLED": "false", "BASE_URL": "http://localhost"}
    with extra_database(kind, tmp_path, request, migrated=True) as url, program_at(url, valkey.url, tmp_path) as app:
        secret, codes = prepare(app)
        chance = random.Random(21)
        events = [event for event in story(codes, begin) for _ in range(chance.randrange(1, 6))]
        chance.shuffle(events)
        environment = servers.environment_of(tmp_path, url, valkey.url) | changes
        with Web(environment) as one, Web(environment) as other:
            begun, over = time.perf_counter(), threading.Event()
            parts = [events[number::THREADS] for number in range(THREADS)]
            threads = [
                threading.Thread(target=send, args=(part, [one, other], secret, number))
                for number, part in enumerate(parts)
            ]
            for thread in threads:
                thread.start()
            killed = kill_again_and_again([one, other], over)
            for thread in threads:
                thread.join()
            took = time.perf_counter() - begun
        found = state(app)
    table.append((
        f"events, {kind}", f"{len(events):,} sent, {killed} kills", f"{took:.0f} s, quietly {quiet:.0f} s",
        f"{len(wanted['credits'])} members have the same credits", f"{len(found['drifts'])} drifts",
    ))  # fmt: skip
    assert killed == KILLS
    assert (wanted["drifts"], found["drifts"]) == ([], [])
    assert found["events"] == wanted["events"]
    assert found["credits"] == wanted["credits"]
