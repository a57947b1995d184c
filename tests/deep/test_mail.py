"""Mail through the real worker to a real server: nothing is lost when a part fails, and it is quick enough.

Each test says what it measured.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from referralhub.database import transaction
from referralhub.extensions import db, huey
from referralhub.models import MessageKind, OutboxMessage, Profile, Referral
from referralhub.services.mailing import outbox
from tests import servers
from tests.conftest import SECRET_KEY
from tests.factories import befriend, member
from tests.mail_server import MailServer
from tests.people import Records
from tests.servers import wait_until

pytestmark = pytest.mark.deep

KILLS, BETWEEN = 20, 30  # how often, and after how many mails of each worker
BOUNDARIES = ("claimed", "sent", "answered", "marked")
SWEEP = 60  # seconds between two looks at the outbox by the worker itself
START = 20  # seconds that a worker may take to begin


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def worker(app: Flask, database_url: str, valkey, mail_server: MailServer, tmp_path: Path) -> Iterator[servers.Worker]:
    """A worker that is not yet started."""
    mail_url = f"smtp://127.0.0.1:{mail_server.port}"
    worker = servers.Worker(tmp_path, database_url, valkey.url, MAIL_URL=mail_url, SECRET_KEY=SECRET_KEY)
    yield worker
    worker.stop(signal.SIGKILL)


@pytest.fixture
def alice(app: Flask, clock) -> int:
    """Make a member; gives the id of the account."""
    member(app, "alice", clock())
    return 1


@pytest.fixture
def queue(app: Flask, clock, alice: int) -> Callable[..., None]:
    """Queue mails in the member's name, to these addresses; it wakes the worker once, as a commit does."""

    def put(*addresses: str) -> None:
        with app.app_context(), transaction() as session:
            for address in addresses:
                kind = MessageKind.VERIFY_ADDRESS
                outbox.queue(session, kind, alice, f"to {address}", {}, clock(), address=address)

    return put


@pytest.fixture
def queue_mixed(app: Flask, clock, alice: int) -> Callable[[int], None]:
    """Queue so many messages: half to new members, half to the one whose link they used."""

    def put(number: int) -> None:
        befriend(app, "alice", number // 2, clock())
        with app.app_context(), transaction() as session:
            friends = select(Referral.id, Profile.user_id).join(Profile, Profile.id == Referral.friend_id)
            for referral_id, user_id in session.execute(friends).all():
                verify, confirmed = MessageKind.VERIFY_ADDRESS, MessageKind.REFERRAL_CONFIRMED
                payload = {"referral_id": referral_id, "amount": 10, "unit": "points", "total": referral_id}
                outbox.queue(session, verify, user_id, f"{verify.value}:{user_id}", {}, clock())
                outbox.queue(session, confirmed, alice, f"{confirmed.value}:{referral_id}:", payload, clock())

    return put


@pytest.fixture
def waiting(app: Flask) -> Callable[[], int]:
    """Count the messages that were not delivered yet."""

    def count() -> int:
        with app.app_context():
            return db.session.scalar(select(func.count()).where(OutboxMessage.delivered_at.is_(None))) or 0

    return count


def test_twenty_kills_lose_nothing_and_repeat_less(
    app, queue_mixed, worker, mail_server, waiting, report, records: Records
):
    """A repeated mail has the Message-ID of the first, so that a mail program shows one of them."""
    queue_mixed(1000)
    for number in range(KILLS):
        boundary = BOUNDARIES[number % len(BOUNDARIES)]
        state = kill_at(boundary, app, worker, mail_server)
        assert state in EXPECTED[boundary], boundary

    leased = give_leases_back(app)
    with worker:
        wait_until(lambda: not waiting(), "all are sent", 120)
    times = Counter(taken.message_id for taken in mail_server.taken)
    rows = {int(message_id[1:9]) for message_id in times}
    repeated = sum(times.values()) - len(times)
    report(f"{KILLS} kills, {leased} leases, {len(rows)} of 1000 arrived, {repeated} repeated")
    assert rows == {row.id for row in records.all(OutboxMessage)}
    assert len(rows) == len(times) == 1000  # one Message-ID for each row
    assert KILLS // len(BOUNDARIES) <= repeated <= KILLS  # at least those that were killed as they were sent


# Whether the mail of the moment of the kill was taken by the server, and whether the row says so.
EXPECTED = {
    "claimed": {(False, False)},
    "sent": {(True, False)},
    "answered": {(True, False), (True, True)},
    "marked": {(True, True)},
}


def kill_at(boundary: str, app: Flask, worker: servers.Worker, mail_server: MailServer) -> tuple[bool, bool]:
    """Run a worker for some mails and kill it there."""
    first = len(mail_server.taken)
    at = {"claimed": "RCPT"}.get(boundary, "DATA")
    struck: list[int] = []  # how many mails had been taken

    def interrupt(step: str) -> None:
        if step != at or len(mail_server.taken) < first + BETWEEN or struck:
            return
        struck.append(len(mail_server.taken))
        if boundary == "answered":
            asyncio.get_running_loop().call_later(0.002, kill)
        elif boundary != "marked":
            kill()

    def kill() -> None:
        os.kill(worker.process.pid, signal.SIGKILL)

    mail_server.interrupt = interrupt
    worker.start()
    if boundary == "marked":
        wait_until(lambda: bool(struck), "the mail of the kill was taken", SWEEP + START)
        row_id = mail_server.taken[struck[0] - 1].row_id
        while not is_marked(app, row_id):
            pass
        kill()
    worker.process.wait(SWEEP + START)
    mail_server.interrupt = lambda step: None
    if boundary == "claimed":
        return len(mail_server.taken) > struck[0], False
    return True, is_marked(app, mail_server.taken[struck[0] - 1].row_id)


def is_marked(app: Flask, row_id: int) -> bool:
    with app.app_context():
        return db.session.scalar(select(OutboxMessage.delivered_at).where(OutboxMessage.id == row_id)) is not None


def give_leases_back(app: Flask) -> int:
    """Do at once what the passing of three minutes would: the messages of dead workers are due again."""
    now = datetime.now(UTC)
    leased = (OutboxMessage.delivered_at.is_(None), OutboxMessage.next_try_at > now)
    with app.app_context(), transaction() as session:
        return len(
            session.scalars(
                update(OutboxMessage).where(*leased).values(next_try_at=now).returning(OutboxMessage.id)
            ).all()
        )


def test_ten_thousand_messages_are_sent_within_five_minutes(queue_mixed, worker, mail_server, waiting, report):
    queue_mixed(10_000)
    begun = time.monotonic()
    with worker:
        wait_until(lambda: len(mail_server.taken) >= 10_000 and not waiting(), "all are sent", 600)
        seconds = time.monotonic() - begun
    report(f"10,000 messages in {seconds:.0f} s, {10_000 / seconds:.0f} a second, start of the worker included")
    assert len({taken.message_id for taken in mail_server.taken}) == len(mail_server.taken) == 10_000
    assert seconds < 300


def test_a_receiver_that_hangs_for_half_a_minute_delays_others_by_less_than_ten_seconds(
    queue, worker, mail_server, waiting, report
):
    slow = [f"slow{number}@slow.example" for number in range(5)]
    others, more_others = (
        [f"{name}{number}@domain{number % 20}.example" for number in range(200)] for name in ("one", "two")
    )

    def time_for(addresses: list[str]) -> float:
        begun = time.monotonic()
        wait_until(lambda: set(addresses) <= set(mail_server.recipients), "they have their mail", 120)
        return time.monotonic() - begun

    with worker:
        queue("first@example.com")
        wait_until(lambda: not waiting(), "the worker is awake", START)
        queue(*others)
        usual = time_for(others)
        mail_server.naps["slow.example"] = 30
        queue(*slow, *more_others)
        delayed = time_for(more_others)
        mail_server.naps.clear()  # the first of the slow ones hangs, the others are taken at once
        wait_until(lambda: not waiting(), "all are sent", 30 + 3 * SWEEP)
    report(f"200 mails in {usual:.1f} s, and in {delayed:.1f} s behind five for a receiver that hangs")
    assert delayed - usual < 10
    assert Counter(mail_server.recipients) == Counter(["first@example.com", *slow, *others, *more_others])


def test_a_redis_that_forgets_everything_delays_a_thousand_messages_by_a_minute(
    queue_mixed, queue, worker, mail_server, waiting, valkey, report
):
    """What is to be mailed is in the database alone; the worker looks there each minute, whatever Redis says."""
    with worker:
        queue("first@example.com")
        wait_until(lambda: not waiting(), "the worker is awake", START)
        time.sleep(1)  # it has nothing more to do, and holds no lock
        with worker.hanging():
            time.sleep(2)  # Redis no longer waits to hand it a job
            queue_mixed(1000)
            assert huey.pending_count()
            valkey.client.flushall()
            assert not huey.pending_count()
            begun = time.monotonic()
        wait_until(lambda: len(mail_server.taken) > 500, "half of them are sent", 2 * SWEEP)
        valkey.client.flushall()
        wait_until(lambda: not waiting(), "all are sent", 2 * SWEEP)
        seconds = time.monotonic() - begun
    report(f"1,000 messages {seconds:.0f} s after Redis forgot them")
    assert len({taken.message_id for taken in mail_server.taken}) == len(mail_server.taken) == 1001


def test_a_redis_that_forgot_everything_while_the_worker_was_away_loses_nothing(
    queue_mixed, worker, mail_server, waiting, valkey, report
):
    queue_mixed(1000)
    valkey.client.flushall()
    begun = time.monotonic()
    with worker:
        wait_until(lambda: not waiting(), "all are sent", START + 2 * SWEEP)
    report(f"1,000 messages {time.monotonic() - begun:.0f} s after the worker came back")
    assert len({taken.message_id for taken in mail_server.taken}) == len(mail_server.taken) == 1000
