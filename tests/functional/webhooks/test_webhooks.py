"""What happens is told: once it happened, signed, in order by number, until it has arrived or nobody wants it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from standardwebhooks import WebhookVerificationError

from referralhub.extensions import db, huey
from referralhub.models import (
    ExternalMember,
    MessageKind,
    OutboxMessage,
    Profile,
    Reason,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    WebhookType,
)
from referralhub.services.accounts import erasure
from referralhub.services.integration import members
from referralhub.services.perks import catalogue, claims
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import endpoints, log
from referralhub.services.webhooks.delivery import LEASE, RETRIES, SHARE, Answer, Delivery
from referralhub.services.webhooks.emitting import LARGEST
from tests.conftest import SECRET_KEY
from tests.people import Clock, Person, Records, all_at_once, text_of
from tests.receiver import Receiver, yes
from tests.servers import wait_until

Deliver = Callable[[], int]


@pytest.fixture
def put(app: Flask, clock: Clock) -> Callable[..., None]:
    """Let a product say something of a member."""

    def member(external_id: str, **given: object) -> None:
        with app.app_context():
            members.put(external_id, members.Given(**given), OPERATOR, clock())

    return member


class TestWhatIsTold:
    def test_the_way_of_a_referral(
        self, app: Flask, secret: str, receiver: Receiver, deliver: Deliver, alice: Person, bob: Person, clock: Clock
    ):
        alice.sign_up()
        alice.confirm_address()
        bob.click(alice.link)
        bob.sign_up()
        bob.confirm_address()
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen card"), clock())
        deliver()
        told = {each.message["type"]: each.verified(secret) for each in receiver.taken}
        assert sorted(receiver.types) == [
            "badge.earned", "member.created", "member.created", "referral.confirmed", "referral.created",
            "referral.reversed",
        ]  # fmt: skip
        confirmed, reversed_ = (told[f"referral.{state}"] for state in ("confirmed", "reversed"))
        assert confirmed["data"] | {"decided_at": 0, "created": 0} == {
            "id": 1, "state": "confirmed", "channel": "link", "friend": "bob", "friend_external_id": None,
            "referrer_external_id": None, "referrer_code": alice.code, "reason": "address_verified",
            "why": "address verified", "created": 0, "decided_at": 0,
        }  # fmt: skip
        assert (reversed_["data"]["state"], reversed_["data"]["why"]) == ("reversed", "stolen card")
        assert [told[f"referral.{each}"]["sequence"] for each in ("created", "confirmed", "reversed")] == [1, 2, 3]
        assert datetime.fromisoformat(confirmed["timestamp"]) == clock()
        badge = told["badge.earned"]["data"]
        assert (badge["badge"], badge["code"], badge["email"]) == ("first", alice.code, alice.email)
        assert badge["link"] == alice.link

    def test_a_member_as_the_api_shows_them(
        self, put, secret: str, receiver: Receiver, deliver: Deliver, records: Records
    ):
        put("42", email="bo@example.com", name="Bo", metadata={"plan": "pro"})
        put("42", name="Bob")
        put("42", name="Bob")  # nothing new
        deliver()
        first, second = sorted((each.verified(secret) for each in receiver.taken), key=lambda each: each["sequence"])
        assert [first["type"], second["type"]] == ["member.created", "member.updated"]
        code = records.one(Profile).code
        assert first["data"] | {"created": 0} == {
            "id": 1, "external_id": "42", "code": code, "link": f"http://localhost/{code}/", "email": "bo@example.com",
            "name": "Bo", "language": None, "metadata": {"plan": "pro"}, "active": True, "total_referrals": 0,
            "created": 0,
        }  # fmt: skip
        assert second["data"] == first["data"] | {"name": "Bob"}

    def test_a_code_of_ones_own_is_told_with_the_rest(self, put, secret: str, receiver: Receiver, deliver: Deliver):
        put("42", name="Bo", code="bo-knows")
        put("43", name="Di")
        put("43", name="Dia", code="dia-knows")
        deliver()
        assert sorted(receiver.types) == ["member.created", "member.created", "member.updated"]
        assert [each.message["data"]["code"] for each in receiver.taken if each.message["data"]["id"] == 1] == [
            "bo-knows"
        ]
        (changed,) = [each.message["data"] for each in receiver.taken if each.message["type"] == "member.updated"]
        assert (changed["name"], changed["code"]) == ("Dia", "dia-knows")

    def test_a_claim(self, app: Flask, put, secret, receiver: Receiver, deliver: Deliver, clock: Clock, records):
        put("42", name="Bo")
        with app.app_context():
            catalogue.add("Sticker", "", clock(), unlocked_at=1)
            db.session.get_one(Profile, 1).referral_count = 1
            db.session.commit()
            claims.redeem(1, 1, "a form", clock())
            claims.redeem(1, 1, "a form", clock())
        deliver()
        (claim,) = [each.message["data"] for each in receiver.taken if each.message["type"] == "perk.claimed"]
        assert (claim["perk"], claim["unlocked_at"], claim["member"]["external_id"]) == ("Sticker", 1, "42")

    def test_each_is_told_of_what_it_wants(self, put, add, deliver: Deliver):
        with Receiver() as one, Receiver() as other:
            add(one.url(), WebhookType.MEMBER_UPDATED, WebhookType.REWARD_DUE)
            add(other.url(), WebhookType.REWARD_DUE)
            put("42", name="Bo")
            put("42", name="Bob")
            deliver()
            assert (one.types, other.types) == (["member.updated"], [])

    def test_nobody_is_told_and_nothing_is_written(self, put, records: Records, count_queries):
        with count_queries() as statements:
            put("42", name="Bo")
        assert len([each for each in statements.sent if "webhook" in each]) == 1
        assert records.all(WebhookMessage) == []

    def test_what_did_not_happen_is_not_told(self, app: Flask, secret, records: Records, clock: Clock):
        with app.app_context(), pytest.raises(ZeroDivisionError):
            from referralhub.database import transaction
            from referralhub.services.webhooks import announcing

            members.put("42", members.Given(), OPERATOR, clock())
            with transaction() as session:
                announcing.member(session, 1, clock())
                raise ZeroDivisionError
        assert [each.type for each in records.all(WebhookMessage)] == ["member.created"]

    def test_a_body_is_never_long(self, put, secret: str, receiver: Receiver, deliver: Deliver):
        put("42", name="Bo", metadata={"notes": "ä" * LARGEST})
        deliver()
        (taken,) = receiver.taken
        assert len(taken.body) < LARGEST
        assert (taken.message["data"]["name"], taken.message["data"]["metadata"]) == ("Bo", None)

    def test_numbers_follow_each_other_whoever_writes_at_once(self, app: Flask, put, secret, records: Records):
        put("42", name="Bo")
        all_at_once([lambda name=name: put("42", name=name) for name in ("Ann", "Ben", "Cal", "Dan", "Eve")])
        told = records.all(WebhookMessage)
        assert sorted(each.sequence for each in told) == list(range(1, len(told) + 1))
        newest = max(told, key=lambda each: each.sequence)
        with app.app_context():
            assert json.loads(newest.body)["data"]["name"] == members.get("42").name


class TestSignatures:
    def test_another_secret_proves_nothing(self, put, add, receiver: Receiver, deliver: Deliver, secret: str):
        other = add("https://elsewhere.example/")
        put("42")
        with Receiver() as _:
            deliver()
        with pytest.raises(WebhookVerificationError):
            receiver.taken[0].verified(other)

    def test_two_secrets_are_valid_for_a_day(
        self, app, put, secret, receiver: Receiver, deliver: Deliver, clock: Clock
    ):
        clock.now = datetime.now(clock.now.tzinfo)  # the package looks at its own
        with app.app_context():
            new = endpoints.rotate(1, OPERATOR, clock(), secret_key=SECRET_KEY)
        put("42", name="Bo")
        deliver()
        taken = receiver.taken[-1]
        assert taken.verified(secret) == taken.verified(new)
        assert len(taken.headers["webhook-signature"].split(" ")) == 2
        clock.advance(hours=24, seconds=1)
        put("42", name="Bob")
        deliver()
        assert len(receiver.taken[-1].headers["webhook-signature"].split(" ")) == 1

    def test_secrets_are_sealed(self, secret: str, records: Records):
        assert secret.startswith("whsec_")
        assert secret.removeprefix("whsec_") not in str(records.everything())


class TestDelivery:
    def test_who_fails_is_asked_later_and_later_under_the_same_id(
        self, put, secret, receiver: Receiver, deliver: Deliver, records: Records, clock: Clock
    ):
        receiver.answer = lambda _: (503, {}, b"soon")
        put("42")
        for number, wait in enumerate(RETRIES, 1):
            assert deliver() == 0
            row = records.one(WebhookDelivery)
            assert (row.attempts, row.next_try_at) == (number, clock() + wait)
            clock.now += wait - timedelta(milliseconds=10)
            deliver()
            assert len(receiver.taken) == number  # not before its time
            clock.advance(milliseconds=10)
        deliver()
        row = records.one(WebhookDelivery)
        assert (row.attempts, row.next_try_at, row.delivered_at) == (len(RETRIES) + 1, None, None)
        assert len({each.id for each in receiver.taken}) == 1
        assert timedelta(days=3) < sum(RETRIES, timedelta()) < timedelta(days=4)
        stamps = [int(each.headers["webhook-timestamp"]) for each in receiver.taken]
        assert stamps == sorted(stamps) and len(set(stamps)) == len(stamps)

    def test_the_log_has_each_answer(self, app, put, secret, receiver, deliver: Deliver, clock: Clock):
        receiver.answer = lambda _: (500, {}, "Ä\x00".encode() * 1000)
        put("42")
        deliver()
        receiver.answer = yes
        clock.now += RETRIES[0]
        assert deliver() == 1
        with app.app_context():
            found = log.detail(1)
        assert (found.line.state, found.line.status, found.line.said) == ("delivered", 200, "thanks")
        assert [each.status for each in found.attempts] == [200, 500]
        assert found.attempts[1].said.startswith("ÄÄ")
        assert json.loads(found.body)["type"] == "member.created"

    def test_being_sent_on_is_no_delivery(self, put, secret, receiver: Receiver, deliver: Deliver, records: Records):
        receiver.answer = lambda _: (302, {"Location": receiver.url("/other")}, b"")
        put("42")
        assert deliver() == 0
        assert records.one(WebhookAttempt).status == 302
        assert [each.path for each in receiver.taken] == ["/hooks"]

    def test_jitter(self, app: Flask, put, secret, records: Records, clock: Clock):
        put("42")

        def refuse(*_: object) -> Answer:
            raise ConnectionRefusedError

        with app.app_context():
            Delivery(refuse, clock, SECRET_KEY, jitter=lambda: 1.0).run()
        assert records.one(WebhookDelivery).next_try_at == clock() + RETRIES[0] * 1.2
        assert records.one(WebhookAttempt).said == "ConnectionRefusedError"

    def test_who_hangs_holds_up_only_themselves(self, app: Flask, put, add, delivery: Delivery, records, clock: Clock):
        delivery.hurry = 0.3
        with Receiver() as slow, Receiver() as quick:
            slow.answer = slow.hang
            add(slow.url())
            add(quick.url())
            for number in range(3 * SHARE):
                put(str(number))
            with app.app_context():
                assert delivery.run() == 3 * SHARE
            assert (len(quick.taken), len(slow.taken)) == (3 * SHARE, SHARE)
            with app.app_context():
                assert delivery.next_run() == delivery.hurry
                while delivery._on_the_way:  # the others follow while these have their second
                    delivery.run()
        assert {each.attempts for each in records.all(WebhookDelivery, endpoint_id=1)} == {1}

    def test_a_worker_that_dies_loses_nothing(
        self, app, put, secret, receiver, deliver: Deliver, clock: Clock, records
    ):
        put("42")
        with app.app_context():
            dead = Delivery(lambda *_: Answer(200, ""), clock, SECRET_KEY)
            dead._set_out()
        assert deliver() == 0  # it is somebody's
        clock.now += LEASE
        assert deliver() == 1
        assert records.one(WebhookDelivery).attempts == 1

    @pytest.mark.one_database
    def test_the_worker_sends_what_a_commit_has_queued(self, app: Flask, put, secret, receiver: Receiver):
        put("42")
        queued = huey.dequeue()
        assert queued.name == "deliver_webhooks"
        huey.execute(queued)
        wait_until(lambda: receiver.taken, "it is sent")

    def test_gone_is_gone(self, put, admin, secret, receiver: Receiver, deliver: Deliver, post_office, records):
        receiver.answer = lambda _: (410, {}, b"")
        put("42")
        deliver()
        endpoint = records.one(WebhookEndpoint)
        assert (endpoint.is_active, endpoint.off_because) == (False, "gone")
        put("43")
        assert (deliver(), len(receiver.taken)) == (0, 1)
        post_office.deliver()
        (letter,) = [each for each in post_office.letters(admin.email) if "switched off" in each["Subject"]]
        assert f"127.0.0.1:{receiver.port} answered that it is gone" in text_of(letter)

    def test_five_days_without_a_success_switch_off(
        self, app, put, admin, secret, receiver: Receiver, deliver: Deliver, records: Records, clock: Clock
    ):
        receiver.answer = lambda _: (500, {}, b"")
        put("0")
        for day in range(5):
            deliver()
            assert records.one(WebhookEndpoint).is_active, day
            clock.advance(days=1)
        deliver()
        endpoint = records.one(WebhookEndpoint)
        assert (endpoint.is_active, endpoint.off_because) == (False, "failing")
        assert len(records.all(OutboxMessage, kind=MessageKind.WEBHOOK_SWITCHED_OFF)) == 1
        receiver.answer = yes
        with app.app_context():
            endpoints.switch_on(1, OPERATOR, clock())
        clock.advance(days=1)
        assert deliver() == 1
        assert records.one(WebhookEndpoint).failing_since is None

    def test_a_success_in_between_begins_the_days_anew(
        self, put, secret, receiver: Receiver, deliver: Deliver, records: Records, clock: Clock
    ):
        for day in range(9):
            receiver.answer = yes if day % 3 == 0 else lambda _: (500, {}, b"")
            put(str(day))
            deliver()
            clock.advance(days=1)
        assert records.one(WebhookEndpoint).is_active

    def test_who_is_removed_is_told_nothing_more(self, app, put, secret, receiver, deliver: Deliver, clock, records):
        put("42")
        with app.app_context():
            endpoints.remove(1, OPERATOR, clock())
        put("43")
        assert (deliver(), receiver.taken) == (0, [])
        endpoint = records.one(WebhookEndpoint)
        assert (endpoint.secret, endpoint.former_secret) == ("", None)


class TestReplay:
    def test_one_is_sent_again_under_the_same_id(self, app, put, secret, receiver: Receiver, deliver: Deliver, clock):
        put("42")
        deliver()
        with app.app_context():
            assert log.replay(1, OPERATOR, clock())
            assert not log.replay(1, OPERATOR, clock())  # it is on its way
        assert deliver() == 1
        assert len(receiver.taken) == 2 and len({each.id for each in receiver.taken}) == 1

    def test_what_happened_in_a_span_is_sent_also_what_was_never_sent(
        self, app: Flask, put, secret, add, receiver: Receiver, deliver: Deliver, clock: Clock
    ):
        begun = clock()
        for day in range(3):
            put(str(day))
            put(str(day), name="Bo")
            clock.advance(days=1)
        deliver()
        with Receiver() as late:
            add(late.url())
            with app.app_context():
                span = begun + timedelta(days=1), begun + timedelta(days=3)
                types = [WebhookType.MEMBER_UPDATED]
                assert log.replay_range(2, *span, OPERATOR, clock(), types=types) == 2
                assert log.replay_range(2, *span, OPERATOR, clock(), types=types) == 0
            deliver()
            assert late.types == ["member.updated"] * 2
            assert {each.id for each in late.taken} < {each.id for each in receiver.taken}


class TestKeeping:
    def test_what_is_old_goes_and_numbers_go_on(self, app: Flask, put, secret, deliver: Deliver, records, clock: Clock):
        put("42")
        deliver()
        clock.advance(days=31)
        put("42", name="Bo")
        with app.app_context():
            assert log.tidy(clock()) == 1
        assert [each.sequence for each in records.all(WebhookMessage)] == [2]
        assert records.all(WebhookAttempt) == []

    def test_who_leaves_is_forgotten_and_that_is_told(
        self, app: Flask, put, secret: str, receiver: Receiver, deliver: Deliver, records: Records, clock: Clock
    ):
        receiver.answer = lambda taken: (500, {}, taken.body)
        put("42", email="bo@example.com", name="Boris", metadata={"street": "Elm"})
        deliver()
        with app.app_context():
            erasure.erase(records.one(ExternalMember).user_id, "A former member", clock())
        rows = str([records.all(table) and [vars(each) for each in records.all(table)] for table in (
            WebhookMessage, WebhookAttempt,
        )])  # fmt: skip
        assert not [each for each in ("Boris", "bo@example.com", "Elm") if each in rows]
        receiver.answer, receiver.taken = yes, []
        clock.now += RETRIES[0]
        deliver()
        told = [each.message for each in receiver.taken]
        assert {each["data"]["external_id"] for each in told} == {"42"}
        assert [each["data"]["active"] for each in sorted(told, key=lambda each: each["sequence"])] == [True, False]
