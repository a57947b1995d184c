"""Mail: nothing is lost, nothing is sent twice, and nothing is tried for ever."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask

from referralhub import mail
from referralhub.extensions import db
from referralhub.models import MessageKind, OutboxMessage, User
from referralhub.services import outbox
from tests.crowd import member
from tests.people import Clock, Person, PostOffice


@pytest.fixture
def queue(app: Flask, clock: Clock):
    """Queue messages to a member."""
    member(app, "alice", clock())

    def put(*keys: str, kind: MessageKind = MessageKind.VERIFY_ADDRESS, **payload: object) -> None:
        with app.app_context():
            for key in keys:
                outbox.queue(db.session(), kind, 1, key, payload, clock())
            db.session.commit()

    return put


@pytest.fixture
def deliver(app: Flask, clock: Clock):
    """Run the delivery once with a sender of the test's choice."""

    def run(send) -> int:
        with app.app_context():
            return outbox.deliver_due(send, clock)

    return run


def broken(message: OutboxMessage, user: User) -> None:
    raise OSError("the mail server is away")


def test_a_message_is_delivered_once(queue, deliver, records, clock):
    queue("one")
    sent = []
    assert deliver(lambda message, user: sent.append((message.key, user.username))) == 1
    assert sent == [("one", "alice")]
    assert records.one(OutboxMessage).delivered_at == clock()
    clock.advance(days=30)
    assert deliver(broken) == 0


def test_the_same_cause_makes_one_message(queue, records):
    queue("one", "one")
    queue("one")
    assert len(records.all(OutboxMessage)) == 1


def test_a_message_of_a_failed_transaction_does_not_exist(app, clock, records):
    member(app, "alice", clock())
    with app.app_context():
        outbox.queue(db.session(), MessageKind.VERIFY_ADDRESS, 1, "one", {}, clock())
        db.session.rollback()
    assert records.all(OutboxMessage) == []


def test_a_failing_message_is_tried_again_later_and_later_and_then_given_up(queue, deliver, records, clock):
    queue("one")
    for number, wait in enumerate(outbox.RETRIES, 1):
        assert deliver(broken) == 0
        row = records.one(OutboxMessage)
        assert (row.attempts, row.next_try_at, row.last_error) == (number, clock() + wait, "the mail server is away")
        clock.now += wait - timedelta(seconds=1)
        deliver(broken)
        assert records.one(OutboxMessage).attempts == number  # not before its time
        clock.now += timedelta(seconds=1)
    deliver(broken)
    row = records.one(OutboxMessage)
    assert (row.attempts, row.next_try_at, row.delivered_at) == (len(outbox.RETRIES) + 1, None, None)
    clock.advance(days=365)
    assert deliver(broken) == 0
    assert records.one(OutboxMessage).attempts == len(outbox.RETRIES) + 1


def test_a_message_that_fails_first_arrives_in_the_end(queue, deliver, records, clock):
    queue("one")
    deliver(broken)
    clock.now += outbox.RETRIES[0]
    assert deliver(lambda message, user: None) == 1
    row = records.one(OutboxMessage)
    assert (row.attempts, row.last_error) == (2, None)


def test_one_failing_message_holds_up_no_other(queue, deliver):
    queue("one", "two", "three")
    sent = []

    def send(message: OutboxMessage, user: User) -> None:
        if message.key == "one":
            raise OSError("no such mailbox")
        sent.append(message.key)

    assert deliver(send) == 2
    assert sent == ["two", "three"]


def test_a_message_whose_worker_died_is_sent_when_the_lease_is_over(queue, deliver, clock):
    queue("one")

    def die(message: OutboxMessage, user: User) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(die)
    assert deliver(lambda message, user: None) == 0
    clock.now += outbox.LEASE
    assert deliver(lambda message, user: None) == 1


def test_two_workers_never_send_the_same_message(app: Flask, queue, clock, records):
    keys = [f"message {number}" for number in range(30)]
    queue(*keys)
    sent: Counter[str] = Counter()
    lock, start = threading.Lock(), threading.Barrier(2)
    failures: list[BaseException] = []

    def send(message: OutboxMessage, user: User) -> None:
        with lock:
            sent[message.key] += 1

    def work() -> None:
        try:
            with app.app_context():
                start.wait()
                outbox.deliver_due(send, clock)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    assert sent == Counter(keys)
    assert all(row.attempts == 1 for row in records.all(OutboxMessage))


PAYLOADS = {
    MessageKind.VERIFY_ADDRESS: {},
    MessageKind.REFERRAL_CONFIRMED: {"friend": "bob", "amount": 10, "unit": "points", "total": 1},
    MessageKind.REFERRAL_HELD: {"friend": "bob"},
    MessageKind.REFERRAL_REVERSED: {"friend": "bob", "reason": "stolen", "total": 0},
    MessageKind.BADGE_EARNED: {"friend": "bob", "badge": "first", "total": 1},
}


@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_of_mail_can_be_written(app: Flask, queue, clock, kind: MessageKind):
    queue("one", kind=kind, **PAYLOADS[kind])
    post_office = PostOffice(app)
    assert post_office.deliver() == 1
    (letter,) = post_office.letters("alice@example.com")
    assert letter["Subject"]
    assert "ReferralHub" in letter["From"]
    assert letter["Message-ID"]
    assert "alice" in letter.get_content()
    assert "http://localhost/" in letter.get_content()
    assert "{" not in letter.get_content()


def test_a_repeated_delivery_can_be_told_by_its_id(app: Flask, queue, records):
    queue("one", "two")
    with app.test_request_context():
        user = db.session.get(User, 1)
        first, second = (
            [mail.compose(row, user, app.config["SETTINGS"])["Message-ID"] for _ in range(2)]
            for row in records.all(OutboxMessage)
        )
    assert first[0] == first[1] != second[0] == second[1]


def test_the_outbox_holds_no_token(alice: Person, records):
    alice.sign_up()
    assert records.one(OutboxMessage).payload == {}


def test_mail_cannot_be_given_headers_by_its_content(app: Flask, queue, records):
    """User names have no line breaks; should one ever have, the mail is refused rather than sent to others."""
    queue(
        "one", kind=MessageKind.REFERRAL_CONFIRMED, friend="x\r\nBcc: eve@example.com", amount=1, unit="points", total=1
    )
    with app.app_context():
        letter = mail.compose(records.one(OutboxMessage), db.session.get(User, 1), app.config["SETTINGS"])
    assert "Bcc" not in letter.keys()  # noqa: SIM118 - headers, not a dict
    assert letter["To"] == "alice@example.com"


def test_signing_up_wakes_the_worker(alice: Person, app: Flask):
    from referralhub.extensions import huey

    alice.sign_up()
    assert huey.pending_count() == 1


def test_a_signup_that_fails_wakes_nobody(alice: Person, bob: Person):
    from referralhub.extensions import huey

    alice.sign_up()
    bob.fill_in_signup(expect=422, username="alice")
    assert huey.pending_count() == 1
