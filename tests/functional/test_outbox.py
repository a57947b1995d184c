"""Mail: nothing is lost, nothing is sent twice, and nothing is tried for ever."""

import html
import threading
from collections import Counter
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask import Flask

from referralhub import mail
from referralhub.extensions import db
from referralhub.models import Invitation, InvitationState, MessageKind, OneTimeToken, OutboxMessage, User
from referralhub.services import accounts, outbox
from referralhub.services.delivery import LEASE, RETRIES, Delivery, Post, Refused, Unwanted, Write
from tests.crowd import befriend, member
from tests.people import Clock, Person, PostOffice, links_in, text_of


@pytest.fixture
def queue(app: Flask, clock: Clock):
    """Queue messages to a member."""
    member(app, "alice", clock())

    def put(
        *keys: str, kind: MessageKind = MessageKind.VERIFY_ADDRESS, address: str | None = None, **payload: object
    ) -> None:
        with app.app_context():
            for key in keys:
                outbox.queue(db.session(), kind, 1, key, payload, clock(), address=address)
            db.session.commit()

    return put


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
    lock, start = threading.Lock(), threading.Barrier(2)
    failures: list[BaseException] = []

    def post(letter: EmailMessage) -> None:
        with lock:
            sent[letter["Subject"]] += 1

    def work() -> None:
        try:
            with app.app_context():
                delivery = Delivery(short_letter, post, clock)
                start.wait()
                delivery.run()
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


PAYLOADS: dict[MessageKind, dict[str, object]] = {
    MessageKind.VERIFY_ADDRESS: {},
    MessageKind.CHANGE_ADDRESS: {"address": "new@example.com"},
    MessageKind.ADDRESS_CHANGED: {"address": "old@example.com"},
    MessageKind.RESET_PASSWORD: {},
    MessageKind.PASSWORD_CHANGED: {},
    MessageKind.FRIEND_JOINED: {"referral_id": 1},
    MessageKind.REFERRAL_CONFIRMED: {"referral_id": 1, "amount": 10, "unit": "points", "total": 1},
    MessageKind.REFERRAL_HELD: {"referral_id": 1},
    MessageKind.REFERRAL_REVERSED: {"referral_id": 1, "reason": "stolen", "total": 0},
    MessageKind.BADGE_EARNED: {"referral_id": 1, "badge": "first", "tier": "Silver", "total": 1},
    MessageKind.TIER_REACHED: {"referral_id": 1, "tier": "Silver", "total": 10},
    MessageKind.WEEKLY_DIGEST: {"visits": 3, "joined": 2, "confirmed": 1, "total": 7},
    MessageKind.INVITATION: {"invitation_id": 1, "address": "bob@example.com"},
    MessageKind.INVITATION_REMINDER: {"invitation_id": 1, "address": "bob@example.com"},
}


def invite_bob(clock: Clock) -> None:
    """Write an invitation as it is before its mail."""
    db.session.add(
        Invitation(
            profile_id=1, address="bob@example.com", address_hash="0" * 64, words="Come along",
            state=InvitationState.QUEUED, changed=clock(), created=clock(),
        )
    )  # fmt: skip


@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_of_mail_can_be_written(app: Flask, queue, records, clock, kind: MessageKind):
    (friend,) = befriend(app, "alice", 1, clock())
    records.change(lambda: invite_bob(clock))
    payload = PAYLOADS[kind]
    queue("one", kind=kind, **payload)
    post_office = PostOffice(app)
    assert post_office.deliver() == 1
    (letter,) = post_office.letters(str(payload.get("address", "alice@example.com")))
    text, page = text_of(letter), html.unescape(letter.get_body(("html",)).get_content())
    assert letter["Subject"]
    assert "ReferralHub" in letter["From"]
    assert letter["Message-ID"]
    assert "alice" in text
    assert "alice" in page
    assert (friend in text) == (friend in page) == ("referral_id" in payload)
    assert "http://localhost/" in text
    assert all(link in page for link in links_in(letter))
    assert "{" not in text
    assert "{{" not in page
    assert "None" not in text


def test_a_repeated_delivery_can_be_told_by_its_id(app: Flask, queue, records):
    queue("one", "two")
    with app.app_context():
        user = db.session.get(User, 1)
        first, second = ([mail.write(row, user)["Message-ID"] for _ in range(2)] for row in records.all(OutboxMessage))
    assert first[0] == first[1] != second[0] == second[1]


def test_the_outbox_holds_no_token(alice: Person, records):
    alice.sign_up()
    token = alice.verification_path().removeprefix("/verify/")
    row = records.one(OutboxMessage)
    assert row.payload == {}
    assert token not in str(vars(row))


def test_mail_cannot_be_given_headers_by_its_content(app: Flask, queue, records, clock):
    """User names have no line breaks; should one ever have, the mail is refused rather than sent to others."""
    (friend,) = befriend(app, "alice", 1, clock())
    records.change(lambda: _rename(friend, "x\r\nBcc: eve@example.com"))
    queue("one", kind=MessageKind.REFERRAL_CONFIRMED, **PAYLOADS[MessageKind.REFERRAL_CONFIRMED])
    with app.app_context():
        letter = mail.write(records.one(OutboxMessage), db.session.get(User, 1))
    assert "Bcc" not in letter.keys()  # noqa: SIM118 - headers, not a dict
    assert letter["To"] == "alice@example.com"
    assert b"\nBcc" not in letter.as_bytes().partition(b"\n\n")[0]


def _rename(before: str, after: str) -> None:
    db.session.scalars(db.select(User).filter_by(username=before)).one().username = after


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
                accounts.erase(user.id, clock())
            return mail.write(message, user)

        with app.app_context():
            Delivery(write, posted.append, clock).run()
        assert posted == []
        assert records.all(OneTimeToken) == []

    def test_is_not_written_to_again_after_a_failure(self, app: Flask, alice: Person, clock, records):
        alice.sign_up()

        def post(letter: EmailMessage) -> None:
            with app.app_context():
                accounts.erase(1, clock())
            raise OSError("450 busy alice@example.com")

        with app.app_context():
            Delivery(mail.write, post, clock).run()
        row = records.one(OutboxMessage)
        assert (row.next_try_at, row.last_error) == (None, None)

    def test_is_not_written_to_after_a_detour(self, app: Flask, alice: Person, clock, records):
        alice.sign_up()
        records.change(lambda: outbox.queue(db.session(), MessageKind.RESET_PASSWORD, 1, "two", {}, clock()))
        hanging = threading.Event()

        class LeavesMeanwhile(Delivery):
            def _later(self, message: OutboxMessage) -> int:
                with app.app_context():
                    accounts.erase(message.user_id, clock())
                return super()._later(message)

        with app.app_context():
            LeavesMeanwhile(mail.write, lambda letter: hanging.wait(20), clock, 0.1).run()
            hanging.set()
        assert records.all(OutboxMessage)[1].next_try_at is None


def test_where_no_confirmation_is_asked_for_the_news_arrives(make_app):
    app = make_app(require_email_verification=False)
    post_office = PostOffice(app)
    alice, bob = (Person(app, post_office, name) for name in ("alice", "bob"))
    page = alice.sign_up()
    assert "Confirm your address" not in page.text
    bob.click(alice.link)
    bob.sign_up()
    post_office.deliver()
    assert "bob joined by your link" in [letter["Subject"] for letter in post_office.letters(alice.email)]
