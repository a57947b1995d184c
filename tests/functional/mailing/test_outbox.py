"""Mail: nothing is lost, nothing is sent twice, and nothing is tried for ever."""

import threading
from collections import Counter
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask import Flask

from referralhub import mail_content
from referralhub.extensions import db
from referralhub.models import MessageKind, OneTimeToken, OutboxMessage, User
from referralhub.services.accounts import erasure
from referralhub.services.mailing import outbox
from referralhub.services.mailing.delivery import LEASE, RETRIES, Delivery, Post, Refused, Unwanted, Write
from referralhub.words.referrals import FORMER_MEMBER
from tests.factories import member
from tests.people import Clock, Person, PostOffice, all_at_once


def short_letter(message: OutboxMessage, user: User) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"], letter["To"] = message.key, message.address or user.email
    return letter


@pytest.fixture
def deliver(app: Flask, clock: Clock):
    """Run the delivery once with a way to post, and perhaps to write, of the test's choice."""

    def run(post: Post, write: Write = short_letter) -> int:
        with app.app_context():
            return Delivery(write, post, clock).run()

    return run


def accepted(letter: EmailMessage) -> None:
    pass


def broken(letter: EmailMessage) -> None:
    raise OSError("the mail server is away")


def test_a_message_is_delivered_once(queue, deliver, records, clock):
    queue("one")
    sent = []
    assert deliver(lambda letter: sent.append((letter["Subject"], letter["To"]))) == 1
    assert sent == [("one", "alice@example.com")]
    assert records.one(OutboxMessage).delivered_at == clock()
    clock.advance(days=30)
    assert deliver(broken) == 0


def test_a_message_to_another_address_goes_there(queue, deliver):
    queue("one", kind=MessageKind.CHANGE_ADDRESS, address="new@example.com")
    sent = []
    assert deliver(lambda letter: sent.append(letter["To"])) == 1
    assert sent == ["new@example.com"]


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
    for number, wait in enumerate(RETRIES, 1):
        assert deliver(broken) == 0
        row = records.one(OutboxMessage)
        assert (row.attempts, row.next_try_at, row.last_error) == (number, clock() + wait, "the mail server is away")
        clock.now += wait - timedelta(seconds=1)
        deliver(broken)
        assert records.one(OutboxMessage).attempts == number  # not before its time
        clock.now += timedelta(seconds=1)
    deliver(broken)
    row = records.one(OutboxMessage)
    assert (row.attempts, row.next_try_at, row.delivered_at) == (len(RETRIES) + 1, None, None)
    clock.advance(days=365)
    assert deliver(broken) == 0
    assert records.one(OutboxMessage).attempts == len(RETRIES) + 1


def test_a_message_that_fails_first_arrives_in_the_end(queue, deliver, records, clock):
    queue("one")
    deliver(broken)
    clock.now += RETRIES[0]
    assert deliver(accepted) == 1
    row = records.one(OutboxMessage)
    assert (row.attempts, row.last_error) == (2, None)


def test_a_message_that_cannot_be_written_is_tried_again_like_one_that_cannot_be_posted(queue, deliver, records, clock):
    queue("one")

    def out_of_ink(message: OutboxMessage, user: User) -> EmailMessage:
        raise RuntimeError("no template")

    assert deliver(accepted, out_of_ink) == 0
    row = records.one(OutboxMessage)
    assert (row.attempts, row.next_try_at, row.last_error) == (1, clock() + RETRIES[0], "no template")


def test_what_is_refused_for_good_is_a_dead_letter_until_somebody_sends_it_again(app, queue, deliver, records, clock):
    queue("one")

    def refuse(letter: EmailMessage) -> None:
        raise Refused("550 no such mailbox")

    assert deliver(refuse) == 0
    row = records.one(OutboxMessage)
    assert (row.attempts, row.next_try_at, row.delivered_at) == (1, None, None)
    clock.advance(days=365)
    assert deliver(accepted) == 0
    with app.app_context():
        assert [(dead.key, dead.last_error) for dead in outbox.dead_letters()] == [("one", "550 no such mailbox")]
        assert outbox.send_again(clock()) == 1
    assert deliver(accepted) == 1
    with app.app_context():
        assert outbox.dead_letters() == []
        assert outbox.send_again(clock()) == 0


def test_what_nobody_wants_is_dropped_and_is_no_dead_letter(app, queue, deliver, records, clock):
    queue("one")

    def never_mind(message: OutboxMessage, user: User) -> EmailMessage:
        raise Unwanted

    assert deliver(accepted, never_mind) == 0
    row = records.one(OutboxMessage)
    assert (row.next_try_at, row.delivered_at, row.last_error) == (None, None, None)
    clock.advance(days=365)
    assert deliver(accepted) == 0
    with app.app_context():
        assert outbox.dead_letters() == []
        assert outbox.send_again(clock()) == 0


def test_one_failing_message_holds_up_no_other(queue, deliver):
    queue("one", "two", "three")
    sent = []

    def post(letter: EmailMessage) -> None:
        if letter["Subject"] == "one":
            raise OSError("no such mailbox")
        sent.append(letter["Subject"])

    assert deliver(post) == 2
    assert sent == ["two", "three"]


def test_a_message_whose_worker_died_is_sent_when_the_lease_is_over(queue, deliver, clock):
    queue("one")

    def die(letter: EmailMessage) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(die)
    clock.now += LEASE - timedelta(seconds=1)
    assert deliver(accepted) == 0
    clock.now += timedelta(seconds=1)
    assert deliver(accepted) == 1


def test_two_workers_never_send_the_same_message(app: Flask, queue, clock, records):
    keys = [f"message {number}" for number in range(30)]
    queue(*keys)
    sent: Counter[str] = Counter()
    lock = threading.Lock()

    def post(letter: EmailMessage) -> None:
        with lock:
            sent[letter["Subject"]] += 1

    def work() -> None:
        with app.app_context():
            Delivery(short_letter, post, clock).run()

    all_at_once([work, work])
    assert sent == Counter(keys)
    assert all(row.attempts == 1 for row in records.all(OutboxMessage))


def test_signing_up_wakes_the_worker(alice: Person, app: Flask):
    from referralhub.extensions import huey

    alice.sign_up()
    assert huey.pending_count() == 1


def test_a_signup_that_fails_wakes_nobody(alice: Person, bob: Person):
    from referralhub.extensions import huey

    alice.sign_up()
    bob.fill_in_signup(expect=422, username="alice")
    assert huey.pending_count() == 1


class TestAMemberWhoLeavesMeanwhile:
    def test_while_the_mail_is_written_gets_none_and_leaves_no_token(self, app: Flask, alice: Person, clock, records):
        alice.sign_up()
        posted: list[EmailMessage] = []

        def write(message: OutboxMessage, user: User) -> EmailMessage:
            with app.app_context():  # in another process, a moment after the claim
                erasure.erase(user.id, FORMER_MEMBER, clock())
            return mail_content.write(message, user)

        with app.app_context():
            Delivery(write, posted.append, clock).run()
        assert posted == []
        assert records.all(OneTimeToken) == []

    def test_is_not_written_to_again_after_a_failure(self, app: Flask, alice: Person, clock, records):
        alice.sign_up()

        def post(letter: EmailMessage) -> None:
            with app.app_context():
                erasure.erase(1, FORMER_MEMBER, clock())
            raise OSError("450 busy alice@example.com")

        with app.app_context():
            Delivery(mail_content.write, post, clock).run()
        row = records.one(OutboxMessage)
        assert (row.next_try_at, row.last_error) == (None, None)

    def test_is_not_written_to_after_a_detour(self, app: Flask, alice: Person, clock, records):
        alice.sign_up()
        records.change(lambda: outbox.queue(db.session(), MessageKind.RESET_PASSWORD, 1, "two", {}, clock()))
        hanging = threading.Event()

        class LeavesMeanwhile(Delivery):
            def _later(self, message: OutboxMessage) -> int:
                with app.app_context():
                    erasure.erase(message.user_id, FORMER_MEMBER, clock())
                return super()._later(message)

        with app.app_context():
            LeavesMeanwhile(mail_content.write, lambda letter: hanging.wait(20), clock, 0.1).run()
            hanging.set()
        assert records.all(OutboxMessage)[1].next_try_at is None


def test_where_no_confirmation_is_asked_for_the_news_arrives(make_app):
    app = make_app(require_email_verification=False)
    post_office = PostOffice(app)
    alice, bob = (Person(app, post_office, name) for name in ("alice", "bob"))
    page = alice.arrive()
    assert "Confirm your address" not in page.text
    bob.click(alice.link)
    bob.sign_up()
    post_office.deliver()
    assert "bob joined by your link" in [letter["Subject"] for letter in post_office.letters(alice.email)]
