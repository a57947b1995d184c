"""Webhooks by the real worker to programs that fail, hang and lead elsewhere: each arrives, whatever is killed."""

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import WebhookDelivery, WebhookEndpoint, WebhookMessage, WebhookType
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import emitting, endpoints
from tests import servers
from tests.conftest import SECRET_KEY
from tests.people import Records
from tests.receiver import Receiver, Taken, yes
from tests.servers import wait_until

pytestmark = pytest.mark.deep

MESSAGES, KILLS, BETWEEN = 1000, 20, 30  # how many, how often, and after how many requests of each worker
HANGING, FAILING, LEADING = 50, 4, 5  # one of so many: its first try hangs, two fail, one is led elsewhere
START = 60  # seconds that a worker may take to begin


class Moody(Receiver):
    """Takes a message at its third try at the latest; what it has said yes to is kept."""

    def __init__(self, elsewhere: str) -> None:
        super().__init__(self.choose)
        self.elsewhere, self.lock = elsewhere, threading.Lock()
        self.tries: Counter[str] = Counter()
        self.said_yes: Counter[str] = Counter()
        self.moods: Counter[str] = Counter()

    def choose(self, taken: Taken) -> tuple[int, dict[str, str], bytes] | None:
        with self.lock:
            self.tries[taken.id] += 1
            number, nth = taken.message["data"]["number"], self.tries[taken.id]
        if number % HANGING == 0 and nth == 1:
            self.moods["hung"] += 1
            return self.hang(taken)
        if number % FAILING == 1 and nth <= 2:
            self.moods["failed"] += 1
            return 503, {}, b"soon"
        if number % LEADING == 2 and nth == 1:
            self.moods["led elsewhere"] += 1
            return 307, {"Location": self.elsewhere}, b""
        self.said_yes[taken.id] += 1
        return yes(taken)


@pytest.fixture
def worker(app: Flask, database_url: str, valkey, tmp_path: Path) -> Iterator[servers.Worker]:
    """A worker that is not yet started."""
    settings = {"SECRET_KEY": SECRET_KEY, "WEBHOOK_PRIVATE_ADDRESSES": "true"}
    worker = servers.Worker(tmp_path, database_url, valkey.url, **settings)
    yield worker
    worker.stop(signal.SIGKILL)


def test_twenty_kills_lose_nothing(app: Flask, worker: servers.Worker, clock, records: Records, report):
    """What is repeated has the id and the body of the first time; who is led elsewhere does not go there."""
    with Receiver() as elsewhere, Moody(elsewhere.url()) as moody, Receiver() as quick:
        moody.secret, quick.secret = write(app, clock, moody.url(), quick.url())
        begun = time.monotonic()
        for number in range(KILLS):
            kill(worker, moody, quick, mid_request=bool(number % 2))
            due_again(app)
        with worker:
            deadline = time.monotonic() + 300
            while left := due_again(app):
                assert time.monotonic() < deadline, f"{left} still wait"
                time.sleep(2)
        took = time.monotonic() - begun
        assert elsewhere.taken == []
        for receiver in (moody, quick):
            bodies = defaultdict(set)
            for taken in receiver.taken:
                bodies[taken.id].add(taken.body)
            assert receiver.forged == []
            assert set(bodies) == {each.public_id for each in records.all(WebhookMessage)}
            assert {len(each) for each in bodies.values()} == {1}
        assert set(moody.said_yes) == set(moody.tries)
        repeated = sum(moody.said_yes.values()) - MESSAGES, len(quick.taken) - MESSAGES
        report(
            f"{KILLS} kills, 2 × {len(moody.said_yes)} of {MESSAGES} arrived in {took:.0f} s, {repeated} repeated, "
            f"{dict(moody.moods)}"
        )
    assert {each.delivered_at is not None for each in records.all(WebhookDelivery)} == {True}
    assert [each.is_active for each in records.all(WebhookEndpoint)] == [True, True]
    assert max(repeated) <= KILLS * 4  # of each worker no more than was on its way


def write(app: Flask, clock, *urls: str) -> list[str]:
    """Tell these addresses of many things, and give their secrets."""
    with app.app_context():
        options = {"secret_key": SECRET_KEY, "private": True}
        secrets = [endpoints.add(url, (), OPERATOR, clock(), **options)[1] for url in urls]
        with transaction() as session:
            for number in range(MESSAGES):
                type_, data = WebhookType.MEMBER_UPDATED, {"number": number}
                emitting.emit(session, type_, "member", number % 50, lambda _, data=data: data, clock())
    return secrets


def kill(worker: servers.Worker, moody: Moody, quick: Receiver, mid_request: bool) -> None:
    """Run a worker until it has sent some, and kill it: while one of them waits for its answer, or in between."""
    first = len(moody.taken) + len(quick.taken)
    struck = threading.Event()
    if mid_request:

        def strike(taken: Taken) -> None:
            if len(moody.taken) + len(quick.taken) >= first + BETWEEN and not struck.is_set():
                struck.set()
                os.kill(worker.process.pid, signal.SIGKILL)

        def answer(taken: Taken) -> tuple[int, dict[str, str], bytes] | None:
            strike(taken)
            return yes(taken)

        quick.answer = answer
    worker.start()
    wait_until(lambda: struck.is_set() or len(moody.taken) + len(quick.taken) >= first + BETWEEN, "it sends", START)
    if mid_request:
        wait_until(lambda: struck.is_set() or worker.process.poll() is not None or not quick_left(quick), "struck", 5)
    worker.stop(signal.SIGKILL)
    quick.answer = yes


def quick_left(quick: Receiver) -> bool:
    """Whether the quick one has something to get yet, at which the worker can be struck."""
    return len({each.id for each in quick.taken}) < MESSAGES


def due_again(app: Flask) -> int:
    """Do at once what time would: all that was leased or is to be tried later is due. Gives how many wait."""
    with app.app_context(), transaction() as session:
        endpoints.lock(session)
        waiting = (WebhookDelivery.next_try_at.is_not(None), WebhookDelivery.next_try_at > datetime.now(UTC))
        session.execute(update(WebhookDelivery).where(*waiting).values(next_try_at=datetime.now(UTC)))
        session.info[emitting.WAITING] = True
        left = select(func.count()).where(WebhookDelivery.next_try_at.is_not(None))
        return db.session.scalar(left) or 0
