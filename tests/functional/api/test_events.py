"""A product tells what its customers did: each event counts once, in whichever order it comes."""

import random
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from referralhub.database import reading, transaction
from referralhub.models import (
    AuditLine,
    Channel,
    Conversion,
    CustomerKind,
    Event,
    ExternalMember,
    Profile,
    Reason,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    Scope,
    SignupFacts,
    User,
)
from referralhub.services.accounts import erasure, exports
from referralhub.services.conversions import recount
from referralhub.services.fraud import signals
from referralhub.services.integration import event_customers, replays
from referralhub.services.program import rules
from referralhub.services.referrals import clicks, lifecycle
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared.audit import OPERATOR
from tests.people import Clock, Person, Records, all_at_once

REASON = Reason.stated("looked at")

PURCHASES: dict[str, Any] = {
    "qualifies_on": "purchase", "unit": "money", "currency": "EUR", "referrer_amount": 0, "referrer_share": 1000,
    "friend_amount": 500, "earning_events": None,
}  # fmt: skip


@pytest.fixture
def program(app, clock) -> Callable[..., None]:
    """Put rules in force."""

    def change(**values: Any) -> None:
        with app.app_context():
            rules.change(PURCHASES | values, clock())

    return change


def event(number: str, kind: str, who: str = "bo", **values: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "customer": {"external_id": who}} | values


def sale(number: str, amount: int = 10_000, who: str = "bo", **values: Any) -> dict[str, Any]:
    return event(number, "purchase", who, **({"amount": amount, "currency": "EUR"} | values))


def refund(number: str, amount: int, who: str = "bo", **values: Any) -> dict[str, Any]:
    return event(number, "refund", who, amount=amount, currency="EUR", **values)


@pytest.fixture
def code(alice: Person) -> str:
    alice.sign_up()
    alice.confirm_address()
    return alice.code


@pytest.fixture
def signed_up(program, shop, code: str) -> None:
    """Bo came by Alice's code, and sales are rewarded."""
    program()
    tell(shop, event("signup", "signup", code=code))


def tell(shop, *events: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Send events, and give what became of each."""
    body = events[0] if len(events) == 1 else list(events)
    found = shop.ask("POST", "/events", body, 202)["results"]
    assert [each["id"] for each in found] == [each["id"] for each in events]
    return [(each["status"], each.get("reason")) for each in found]


def why(shop, number: str) -> tuple[str, str | None]:
    found = shop.ask("GET", f"/events/{number}")
    return found["state"], found["reason"]


def ledger(records: Records) -> list[tuple[int, str, int, str]]:
    return [(each.profile_id, each.kind.value, each.amount, each.unit) for each in records.all(RewardEntry)]


def balances(records: Records) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = defaultdict(int)
    for profile_id, _, amount, unit in ledger(records):
        found[profile_id, unit] += amount
    return dict(found)


def iso(clock: Clock, **ago: float) -> str:
    return (clock() - timedelta(**ago)).isoformat()


class TestCredits:
    def test_both_sides_for_a_purchase_once(self, shop, program, code: str, records: Records):
        program()
        assert tell(shop, event("1", "signup", code=code)) == [("accepted", None)]
        assert ledger(records) == []
        assert tell(shop, sale("2")) == [("accepted", None)]
        assert ledger(records) == [(1, "referrer", 1000, "EUR"), (2, "friend", 500, "EUR")]
        assert tell(shop, sale("2")) == [("duplicate", None)]
        assert tell(shop, sale("3"), refund("4", 4000)) == [("accepted", None)] * 2
        assert ledger(records)[2:] == [(1, "referrer", 600, "EUR"), (2, "friend", 300, "EUR")]
        found = shop.ask("GET", "/events/3")
        assert (found["refunded"], found["referrer_earns"]) == (4000, {"number": 600, "unit": "EUR"})
        states = [line.after for line in records.all(AuditLine) if line.action == "events.receive"]
        assert [{k: v for k, v in each.items() if k != "api_key"} for each in states] == [
            {"accepted": 1}, {"accepted": 1}, {"accepted": 2},
        ]  # fmt: skip

    def test_by_default_the_signup_alone(self, shop, code: str, records: Records):
        assert tell(shop, event("1", "signup", code=code)) == [("accepted", None)]
        assert ledger(records) == [(1, "referrer", 10, "points")]
        assert tell(shop, sale("2"), refund("3", 1)) == [("accepted", "other_type")] * 2
        assert records.all(ReferralEvent)[-1].reason_code == "vouched_for"

    def test_who_bought_before_the_signup_was_told(self, shop, program, code: str, records: Records):
        program()
        assert tell(shop, sale("1")) == [("kept", "unknown_customer")]
        assert tell(shop, event("2", "signup", code=code)) == [("accepted", None)]
        assert why(shop, "1") == ("accepted", None)
        assert balances(records) == {(1, "EUR"): 1000, (2, "EUR"): 500}

    def test_by_the_organization_alone(self, shop, program, code: str, records: Records):
        program()
        of_acme = {"organization_id": "acme"}
        early = sale("1") | {"customer": of_acme}
        assert tell(shop, early) == [("kept", "unknown_customer")]
        tell(shop, event("2", "signup", code=code) | {"customer": {"external_id": "bo"} | of_acme})
        tell(shop, sale("3") | {"customer": {"external_id": "a colleague"} | of_acme})
        assert balances(records)[1, "EUR"] == 2000
        # A colleague whom somebody else brought takes their own sales along.
        tell(shop, event("4", "signup", "di", code=code) | {"customer": {"external_id": "a colleague"} | of_acme})
        assert balances(records) == {(1, "EUR"): 2000, (2, "EUR"): 500, (3, "EUR"): 500}

    def test_what_an_unknown_product_says_is_its_own(self, shop, shop_with, signed_up, records: Records):
        other = shop_with(*Scope, product="other")
        assert tell(shop, sale("1")) == [("accepted", None)]
        assert tell(other, sale("1", 5)) == [("accepted", None)]
        assert tell(other, refund("2", 5, refund_of="1")) == [("accepted", None)]
        assert balances(records)[1, "EUR"] == 1000
        other.ask("GET", "/events/signup", expect=404)

    def test_by_another_name(self, shop, program, code: str, records: Records):
        program()
        lead = {"id": "1", "customer": {"external_id": "bo"}, "code": code}
        assert shop.ask("POST", "/track/lead", lead, 202) == {"results": [{"id": "1", "status": "accepted"}]}
        assert tell(shop, lead | {"type": "signup"}) == [("duplicate", None)]
        money = {"customer": {"external_id": "bo"}, "amount": 10_000, "currency": "eur"}
        shop.ask("POST", "/track/sale", [{"id": "2"} | money, {"id": "3"} | money], 202)
        shop.ask("POST", "/track/refund", {"id": "4"} | money, 202)
        assert balances(records)[1, "EUR"] == 1000


def test_entries_of_the_ledger_name_their_referral_and_their_event(shop, program, signed_up, alice, clock, app):
    tell(shop, sale("2"), refund("3", 4000, refund_of="2"))
    tell(shop, refund("4", 1000, refund_of="2"))
    shop.ask("POST", "/members/bo/adjustments", {"amount": 5, "reason": "a gift"}, 201)
    causes = [(each["kind"], each["referral_id"], each["event_id"]) for each in ledger_of(shop, "bo")]
    assert causes == [("adjustment", None, None), ("refund", 1, "2"), ("friend", 1, "2")]
    entries = shop.ask("GET", "/referrals/1")["entries"]
    assert {(each["referral_id"], each["event_id"]) for each in entries} == {(1, "2")}
    shop.ask("POST", "/referrals/1/reverse", {"reason": "odd"})
    assert [(each["kind"], each["referral_id"], each["event_id"]) for each in ledger_of(shop, "bo")[:2]] == [
        ("reversal", 1, "2"), ("reversal", 1, "2"),
    ]  # fmt: skip
    assert {(each["referral_id"], each["event_id"]) for each in shop.ask("GET", "/referrals/1")["entries"]} == {
        (1, "2")
    }


def ledger_of(shop, number: str) -> list[dict[str, Any]]:
    return shop.ask("GET", f"/members/{number}/ledger")["entries"]


def test_after_a_refusal_with_errors_the_same_id_is_free(shop, signed_up):
    assert tell(shop, sale("2", currency="XXX"), sale("3")) == [
        ("refused", "event_currency_unknown"),
        ("accepted", None),
    ]
    shop.ask("POST", "/events", sale("4", amount="49.00"), 422)
    assert tell(shop, sale("2"), sale("4")) == [("accepted", None)] * 2
    assert tell(shop, event("5", "signup", "di", click="x")) == [("refused", "click_broken")]
    assert shop.ask("POST", "/events", event("5", "signup", "di"), 409)["code"] == "event_id_taken"


class TestQueries:
    def test_are_as_many_for_many_sales_as_for_few(self, shop, program, code: str, count_queries):
        program()
        who = [f"customer-{number}" for number in range(30)]
        tell(shop, *[event(f"signup of {each}", "signup", each, code=code) for each in who])
        tell(shop, *[sale(f"first of {each}", who=each) for each in who])

        def statements(customers: list[str]) -> int:
            with count_queries() as found:
                tell(shop, *[sale(f"{each}, one of {len(customers)}", who=each) for each in customers])
            return len(found)

        assert statements(who) == statements(who[:3])


class TestSignups:
    def click(self, app, code: str, clock: Clock, **ago: float) -> str:
        link = FollowedLink(code, Channel.X, clock() - timedelta(**ago))
        return clicks.seal(link, app.config["SECRET_KEY"])

    def test_with_a_click_makes_a_member(self, shop, app, code: str, clock, records: Records):
        token = self.click(app, code, clock, hours=2)
        who = {"external_id": "bo", "email": "bo@gmail.com", "name": "Bo", "ip": "203.0.113.7", "user_agent": "x"}
        assert tell(shop, event("1", "signup", click=token) | {"customer": who}) == [("accepted", None)]
        referral = records.one(Referral)
        assert (referral.channel, referral.visited_at) == (Channel.X, clock() - timedelta(hours=2))
        assert (referral.state, referral.score) == (ReferralState.CONFIRMED, 0)
        assert shop.ask("GET", "/members/bo")["email"] == "bo@gmail.com"
        assert tell(shop, event("2", "signup", "di", click=token)) == [("refused", "click_used")]
        assert "203.0.113.7" not in str([vars(each) for each in records.all(Event)])

    def test_are_refused_or_kept_for_a_reason(self, shop, app, alice, code: str, clock, records: Records):
        click = partial(self.click, app, code, clock)
        with app.app_context():
            rules.change({"window_days": 7}, clock())
        shop.ask("PUT", "/members/old", {}, 201)
        clock.advance(days=20)
        cases = {
            "nobody": ({}, "accepted", "not_referred"),
            "broken": ({"click": "x"}, "refused", "click_broken"),
            "late": ({"click": click(days=8)}, "refused", "click_too_old"),
            "before": ({"click": click(days=2), "occurred_at": iso(clock, days=9)}, "refused", "was_member_before"),
            "old": ({"click": click(hours=1)}, "refused", "was_member_before"),
            "odd": ({"code": "nobody00"}, "kept", "unknown_code"),
            "strange": ({"code": "?"}, "kept", "unknown_code"),
        }
        for who, (values, *expected) in cases.items():
            assert tell(shop, event(who, "signup", who, **values)) == [tuple(expected)]
        assert tell(shop, event("again", "signup", "old", code=code)) == [("refused", "was_member_before")]
        assert len(records.all(ExternalMember)) == 1
        known = {"external_id": "new", "email": alice.email}
        assert tell(shop, event("own", "signup", code=code) | {"customer": known}) == [("refused", "own_link")]
        tell(shop, event("1", "signup", code=code))
        assert tell(shop, event("2", "signup", code=code)) == [("refused", "already_referred")]
        own = shop.ask("PUT", "/members/di", {}, 201)["code"]
        assert tell(shop, event("3", "signup", "di", code=own)) == [("refused", "own_link")]
        assert len(records.all(Referral)) == 1

    def test_with_a_code_that_is_known_later_are_used_then(self, shop, app, alice, code: str, clock, records: Records):
        assert tell(shop, event("1", "signup", code="alice-42")) == [("kept", "unknown_code")]
        alice.submit(alice.get("/account/code").form("/account/code"), code="alice-42")
        with app.app_context():
            assert replays.replay(OPERATOR, clock()).used == 1
            assert replays.replay(OPERATOR, clock()).used == 0
        assert why(shop, "1") == ("accepted", None)
        assert records.one(Event).signup is None
        assert ledger(records) == [(1, "referrer", 10, "points")]

    def test_of_customers_whom_nobody_brought_leave_nothing_waiting(self, shop, code: str):
        assert tell(shop, sale("1")) == [("kept", "unknown_customer")]
        tell(shop, event("2", "signup"))
        assert (why(shop, "1"), tell(shop, sale("3"))) == (("accepted", "not_referred"), [("accepted", "not_referred")])

    def test_are_held_where_the_mailbox_is_the_referrers_and_earn_once_released(
        self, shop, app, alice, program, code: str, clock, records: Records
    ):
        program()
        who = {"external_id": "bo", "email": alice.email.replace("@", "+2@")}
        tell(shop, event("1", "signup", code=code) | {"customer": who})
        clock.advance(days=40)
        with app.app_context():
            signals.tidy(clock())
            lifecycle.expire_due(clock())
        assert records.all(SignupFacts) == []
        assert tell(shop, sale("2")) == [("accepted", "referral_not_confirmed")]
        assert (records.one(Referral).state, records.one(Referral).score) == (ReferralState.HELD, 64)
        tell(shop, sale("3"))
        with app.app_context():
            lifecycle.release(1, OPERATOR, REASON, clock())
        assert balances(records) == {(1, "EUR"): 2000, (2, "EUR"): 1000}
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, REASON, clock())
        assert balances(records) == {(1, "EUR"): 0, (2, "EUR"): 0}
        assert tell(shop, sale("4"), refund("5", 20_000)) == [("accepted", "referral_reversed"), ("accepted", None)]
        assert set(balances(records).values()) == {0}

    def test_long_before_the_purchase_are_judged_by_what_was_known_then(
        self, shop, app, signed_up, clock, records: Records
    ):
        clock.advance(days=40)
        with app.app_context():
            signals.tidy(clock())
        assert tell(shop, sale("2")) == [("accepted", None)]
        assert records.one(Referral).state is ReferralState.CONFIRMED

    def test_on_our_own_page_wait_for_the_purchase_too(
        self, shop, program, alice, bob, code: str, clock, records: Records
    ):
        program()
        bob.click(alice.link)
        bob.sign_up()
        bob.confirm_address()
        assert records.one(Referral).state is ReferralState.PENDING
        assert tell(shop, sale("1") | {"customer": {"external_id": "b", "email": bob.email}}) == [("accepted", None)]
        assert balances(records) == {(1, "EUR"): 1000, (2, "EUR"): 500}


class TestRules:
    @pytest.mark.parametrize(
        ("values", "sent", "reason"),
        [
            ({"least_amount": 10_001}, {}, "amount_too_small"),
            ({"least_amount": 5}, {"currency": "USD"}, "other_currency"),
            ({}, {"amount": None, "currency": None}, "amount_missing"),
            ({"condition": {"plan": "pro"}}, {"metadata": {"plan": "free"}}, "condition_not_met"),
            ({"condition": {"yearly": True}}, {"metadata": {"yearly": 1}}, "condition_not_met"),
            ({}, {"amount": 9}, "amount_too_small"),
            ({"friend_amount": 0, "condition": {"plan": "pro"}}, {"metadata": {"plan": "pro", "seats": 3}}, None),
            ({"referrer_share": 0, "referrer_amount": 700}, {"amount": None, "currency": None}, None),
        ],
    )
    def test_say_why_an_event_earns_nothing(self, shop, program, code: str, records, values, sent, reason):
        program(**{"friend_amount": 0} | values)
        tell(shop, event("1", "signup", code=code))
        body = {key: value for key, value in sale("2", **sent).items() if value is not None}
        assert tell(shop, body) == [("accepted", reason)]
        assert bool(ledger(records)) == (reason is None)
        assert records.one(Conversion).reason_code == (reason or "")

    def test_of_how_many_and_for_how_long(self, shop, program, code: str, clock, records: Records):
        program(earning_events=2, earning_months=1)
        clock.advance(days=80)
        tell(shop, event("1", "signup", code=code, occurred_at=iso(clock, days=70)))
        assert tell(shop, sale("2", occurred_at=iso(clock, days=20))) == [("accepted", "too_late")]
        assert tell(shop, sale("3", occurred_at=iso(clock, days=72))) == [("accepted", "before_the_signup")]
        for number, day in (("4", 50), ("5", 60), ("6", 55)):
            tell(shop, sale(number, occurred_at=iso(clock, days=day)))
        assert [why(shop, each)[1] for each in "456"] == ["after_the_last", None, None]
        assert balances(records) == {(1, "EUR"): 2000, (2, "EUR"): 1000}

    @pytest.mark.parametrize("uncapped", ["bo", "di"])
    def test_a_cap_counts_what_came_under_other_rules(self, shop, app, program, code, records, uncapped):
        """One of both begins while there is no cap; the cap of the other counts what that one brings, too."""
        for who in ("bo", "di"):
            program(friend_amount=0, member_cap=None if who == uncapped else 1500)
            tell(shop, event(f"signup-{who}", "signup", who, code=code))
        for number, who in enumerate(("bo", "di", "bo", "di")):
            tell(shop, sale(f"{number}", who=who))
        assert balances(records) == {(1, "EUR"): 2500 if uncapped == "bo" else 3000}
        with app.app_context():
            assert not list(recount.drifts())

    def test_a_cap_counts_what_is_earned_otherwise(self, shop, app, program, bob, code, records):
        program(friend_amount=0, member_cap=1000)
        tell(shop, event("1", "signup", code=code), sale("2"))
        hosted = {"qualifies_on": "confirmed_address", "referrer_share": 0, "referrer_amount": 300}
        program(friend_amount=0, member_cap=None, **hosted)
        bob.click(f"/{code}/")
        bob.sign_up()
        bob.confirm_address()
        assert balances(records) == {(1, "EUR"): 1000}
        with app.app_context():
            assert not list(recount.drifts())

    def test_no_event_confirms_an_address(self, shop, program, code, records):
        program(qualifies_on="confirmed_address", referrer_share=0, referrer_amount=700, friend_amount=0)
        tell(shop, event("1", "signup", code=code))
        tell(shop, event("2", "confirmed_address"))
        assert why(shop, "2") == ("accepted", "other_type")
        assert balances(records) == {(1, "EUR"): 700}

    def test_a_refund_takes_nothing_from_what_was_free(self, shop, signed_up, records):
        """It names no purchase, and the newest cost nothing: half of the one before is taken back, to the cent."""
        tell(shop, sale("1"), sale("2", 0))
        tell(shop, refund("3", 5_000))
        assert balances(records) == {(1, "EUR"): 500, (2, "EUR"): 250 + 500}

    @pytest.mark.parametrize("order", [(2, 3, 4), (4, 3, 2)])
    @pytest.mark.parametrize(
        ("caps", "expected"),
        [
            ({"referral_cap": 1500}, [1000, 500, 1000]),
            ({"member_cap": 1500}, [1000, 500, 0]),
            ({"monthly_cap": 1500}, [1000, 500, 1000]),
        ],
    )
    def test_cap_the_latest_whichever_came_first(self, shop, program, code, clock, records, order, caps, expected):
        """Bo buys on the first and second day, Di later; in Auckland a month ends between."""
        program(friend_amount=0, timezone="Pacific/Auckland", **caps)
        clock.now = clock.now.replace(year=clock.now.year + 1, month=6, day=28, hour=13)
        tell(shop, event("1", "signup", code=code), event("other", "signup", "di", code=code))
        moments = {2: clock() + timedelta(hours=1), 3: clock() + timedelta(days=1), 4: clock() + timedelta(days=2)}
        clock.advance(days=5)
        for number in order:
            who = "di" if number == 4 else "bo"
            tell(shop, sale(str(number), who=who, occurred_at=moments[number].isoformat()))
        found = [shop.ask("GET", f"/events/{number}")["referrer_earns"]["number"] for number in (2, 3, 4)]
        assert found == expected
        assert balances(records)[1, "EUR"] == sum(expected)

    def test_take_back_exactly_the_share_that_was_refunded(self, shop, signed_up, clock, records: Records):
        tell(shop, sale("1", 3333, occurred_at=iso(clock, hours=5)), sale("2", 999, occurred_at=iso(clock, hours=4)))
        assert balances(records) == {(1, "EUR"): 333 + 99, (2, "EUR"): 1000}
        assert tell(shop, refund("3", 1000, occurred_at=iso(clock, hours=3))) == [("accepted", None)]
        assert [shop.ask("GET", f"/events/{each}")["refunded"] for each in "12"] == [1, 999]
        assert balances(records) == {(1, "EUR"): 333, (2, "EUR"): 499}
        assert tell(shop, refund("4", 10**9, refund_of="1")) == [("accepted", None)]
        assert tell(shop, event("5", "refund", refund_of="1")) == [("accepted", "nothing_left")]
        assert balances(records) == {(1, "EUR"): 0, (2, "EUR"): 0}
        assert (
            tell(shop, refund("6", 5, refund_of="7"), refund("8", 1, occurred_at=iso(clock, hours=9)))
            == [("kept", "unknown_purchase")] * 2
        )
        tell(shop, sale("7", 100))
        assert (why(shop, "6"), balances(records)) == (("accepted", None), {(1, "EUR"): 9, (2, "EUR"): 475})

    def test_leave_nothing_of_what_was_refunded_and_then_taken_back(self, shop, app, signed_up, clock, ask, records):
        tell(shop, sale("1"), sale("2"))
        tell(shop, refund("3", 5000, refund_of="1"))
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, REASON, clock())
        assert set(balances(records).values()) == {0}
        assert why(shop, "1") == ("accepted", "referral_reversed")
        assert ask("ledger", "verify")["drifts"] == []

    def test_hold_what_was_earned_from_the_moment_of_the_sale(self, shop, program, code, clock, records: Records):
        program(hold_days=30)
        tell(shop, event("1", "signup", code=code), sale("2", occurred_at=iso(clock, hours=7)))
        clock.advance(days=3)
        tell(shop, refund("3", 1))
        until = clock() + timedelta(days=27, hours=-7)
        assert {each.available_at for each in records.all(RewardEntry)} == {until}


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"id": ""}, "id"),
            ({"id": 7}, "id"),
            ({"type": "Sale"}, "type"),
            ({"customer": {}}, "customer.external_id"),
            ({"customer": {"external_id": "bo", "email": "no address"}}, "customer.email"),
            ({"customer": {"external_id": "bo", "name": "\u200b"}}, "customer.name"),
            ({"customer": {"external_id": "bo", "ip": "here"}}, "customer.ip"),
            ({"customer": {"external_id": "\u200b"}}, "customer.external_id"),
            ({"type": "signup", "customer": {"organization_id": "acme"}}, "customer.external_id"),
            ({"amount": -1}, "amount"),
            ({"amount": 1.5}, "amount"),
            ({"currency": "XXX"}, "currency"),
            ({"currency": None}, "currency"),
            ({"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
            ({"occurred_at": "1970-01-01T00:00:00Z"}, "occurred_at"),
            ({"occurred_at": "yesterday"}, "occurred_at"),
            ({"refund_of": "1"}, "refund_of"),
            ({"metadata": {"a": "\u0000"}}, "metadata.a"),
            ({"metadata": {"a": "x" * 10_001}}, "metadata"),
        ],
    )
    def test_is_refused_at_its_field_and_holds_up_no_other(self, shop, records: Records, change, field: str):
        wrong = sale("1") | change
        problem = shop.ask("POST", "/events", wrong, 422)
        assert [each["field"] for each in problem["errors"]] == [field]
        assert records.all(Event) == []
        found = shop.ask("POST", "/events", [sale("0"), wrong, sale("2")], 202)["results"]
        assert [each["status"] for each in found] == ["kept", "refused", "kept"]
        assert [each["field"] for each in found[1]["errors"]] == [field]

    def test_other_words_under_the_same_number(self, shop, signed_up, records: Records):
        assert tell(shop, sale("1")) == [("accepted", None)]
        assert shop.ask("POST", "/events", sale("1", 9), 409)["code"] == "event_id_taken"
        assert tell(shop, sale("1"), sale("1", 9), sale("2"), sale("2"), sale("2", 9)) == [
            ("duplicate", None), ("refused", "event_id_taken"),
            ("accepted", None), ("duplicate", None), ("refused", "event_id_taken"),
        ]  # fmt: skip
        assert balances(records)[1, "EUR"] == 2000

    def test_too_many_at_once(self, shop, records: Records):
        shop.ask("POST", "/events", [sale(str(number)) for number in range(101)], 422)
        assert shop.ask("POST", "/events", [], 202) == {"results": []}
        assert records.all(Event) == []


def test_sales_to_several_friends_of_one_member_at_once_are_all_credited(shop, app, signed_up, ask, records: Records):
    tell(
        shop,
        *[event(f"s{number}", "signup", f"c{number}", code=records.one(Profile, id=1).code) for number in range(8)],
    )
    tell(shop, *[sale(f"first{number}", 100, f"c{number}") for number in range(8)])

    def buy(number: int) -> None:
        client = app.test_client()
        for time in range(3):
            sent = client.post(
                "/api/v1/events", json=sale(f"{number}-{time}", 1000, f"c{number}"), headers=shop.headers
            )
            assert sent.status_code == 202, sent.text

    all_at_once([partial(buy, number) for number in range(8)])
    assert balances(records)[1, "EUR"] == 8 * 10 + 8 * 3 * 100
    assert ask("ledger", "verify")["drifts"] == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_is_worked_on_is_waited_for(shop, app, signed_up, clock, records: Records):
    """Else of a signup and a sale at one moment neither would see the other. SQLite has one writer anyhow."""

    def buy() -> int:
        return app.test_client().post("/api/v1/events", json=sale("1"), headers=shop.headers).status_code

    with ThreadPoolExecutor(1) as other:
        with app.app_context(), transaction() as session:
            event_customers.lock(session, {(CustomerKind.PERSON, "bo")}, clock())
            later = other.submit(buy)
            with pytest.raises(NotYet):
                later.result(1)
        assert later.result() == 202
    assert balances(records)[1, "EUR"] == 1000


class TestCommands:
    def test_list_and_replay(self, shop, program, run, ask, code: str):
        program()
        tell(shop, sale("1"), event("2", "trial"))
        assert [each["own_id"] for each in ask("events", "list")["events"]] == ["2", "1"]
        assert [each["own_id"] for each in ask("events", "list", "--type", "purchase", "--kept")["events"]] == ["1"]
        assert "no signup of this customer is known yet" in run("events", "list").stdout
        assert ask("events", "replay") == {"tried": 2, "used": 0}
        tell(shop, event("3", "signup", code=code))
        assert ask("events", "list", "--kept")["events"] == []
        assert ask("ledger", "verify")["drifts"] == []


class Story:
    """What some customers did, under numbers of one beginning, and what became of it without that."""

    def __init__(self, prefix: str, codes: list[str], referrers: set[int], start: datetime) -> None:
        self.prefix, self.codes, self.referrers, self.start = prefix, codes, referrers, start

    def event(self, number: int, kind: str, who: str, hours: float, organization: str = "", **values: Any) -> dict:
        customer = {"external_id": self.prefix + who}
        if organization:
            customer["organization_id"] = self.prefix + organization
        at = (self.start + timedelta(hours=hours)).isoformat()
        refund_of = {"refund_of": f"{self.prefix}{values.pop('of')}"} if "of" in values else {}
        money = {"currency": "EUR"} if "amount" in values else {}
        return (
            {"id": f"{self.prefix}{number}", "type": kind, "customer": customer, "occurred_at": at}
            | money | refund_of | values
        )  # fmt: skip

    def events(self, seed: int) -> list[dict]:
        """Make up what six customers of two organizations did; with one seed it is the same."""
        chance, found = random.Random(seed), []
        for each in range(6):
            who, organization = f"c{each}", ["", "o1", "o2"][each % 3]
            add = lambda *args, who=who, organization=organization, **values: found.append(  # noqa: E731
                self.event(len(found), args[0], who, args[1], organization, **values)
            )
            if each != 4:
                add("signup", 1, **({"code": self.codes[each % 2]} if each != 5 else {}))
            for _ in range(chance.randrange(1, 5)):
                hours = chance.randrange(2, 90)
                add("purchase", hours, amount=chance.choice([999, 3333, 10_000]), metadata={"plan": "pro"})
                number = len(found) - 1
                if chance.random() < 0.5:
                    add("refund", hours + chance.randrange(-1, 9), of=number, amount=chance.randrange(1, 9999))
                if chance.random() < 0.3:
                    add("refund", hours + chance.randrange(-1, 99), amount=chance.randrange(1, 9999))
            add("purchase", chance.randrange(2, 90), amount=500, metadata={"plan": "free"})
            add("trial.began", 1)
        return found

    def state(self, records: Records) -> dict[str, Any]:
        """Give all that matters, by the numbers without their beginning."""
        mine = {
            each.id: each.own_id.removeprefix(self.prefix)
            for each in records.all(Event)
            if each.own_id.startswith(self.prefix)
        }
        events = {mine[e.id]: (e.state.value, e.reason_code) for e in records.all(Event) if e.id in mine}
        rows = {
            mine[each.event_id]: (
                each.refunded, each.referrer_amount, each.friend_amount, each.reason_code,
            )
            for each in records.all(Conversion)
            if each.event_id in mine
        }  # fmt: skip
        numbers = {each.id: mine.get(each.event_id) for each in records.all(Conversion)}
        sums: dict[Any, int] = defaultdict(int)
        for entry in records.all(RewardEntry):
            number = numbers.get(entry.conversion_id)
            if number is not None:
                sums[number, "referrer" if entry.profile_id in self.referrers else "friend"] += entry.amount
        return {"events": events, "conversions": rows, "sums": {key: sum_ for key, sum_ in sums.items() if sum_}}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("caps", [{}, {"monthly_cap": 2500, "referral_cap": 1800, "earning_events": 3}])
def test_whatever_the_order_and_however_often_the_end_is_the_same(
    shop, program, clock, ask, records: Records, seed: int, caps: dict[str, int]
):
    program(**caps | {"condition": {"plan": "pro"}})
    clock.now = clock.now.replace(day=1, month=5, year=clock.now.year + 1)
    codes = [shop.ask("PUT", f"/members/{name}", {}, 201)["code"] for name in ("r1", "r2", "r3", "r4")]
    start = clock()
    clock.advance(days=20)
    chance = random.Random(seed)
    states = []
    for prefix, pair in (("a-", codes[:2]), ("b-", codes[2:])):
        story = Story(prefix, pair, {1, 2, 3, 4}, start)
        events = story.events(seed)
        if prefix == "b-":
            events += chance.choices(events, k=len(events))
            chance.shuffle(events)
        while events:
            size = chance.choice([1, 1, 2, 7])
            sent, events = events[:size], events[size:]
            shop.ask("POST", "/events", sent, 202)
        states.append(story.state(records))
    assert states[0] == states[1]
    assert ask("ledger", "verify")["drifts"] == []
    assert states[0]["sums"]


def test_many_at_once_are_each_taken_in_once(shop, app, program, code: str, ask, records: Records):
    program()
    tell(shop, event("0", "signup", code=code))
    events = [sale(str(number), 1000 + number, f"c{number % 3}") for number in range(1, 13)]
    events += [event(f"s{number}", "signup", f"c{number}", code=code) for number in range(3)]

    def send(seed: int) -> int:
        client, mixed = app.test_client(), events * 2
        random.Random(seed).shuffle(mixed)
        for start in range(0, len(mixed), 5):
            sent = client.post("/api/v1/events", json=mixed[start : start + 5], headers=shop.headers)
            assert sent.status_code == 202, sent.text
        return 0

    all_at_once([partial(send, seed) for seed in range(6)])
    assert balances(records)[1, "EUR"] == sum((1000 + number) // 10 for number in range(1, 13))
    assert len(records.all(ExternalMember)) == 4
    assert ask("ledger", "verify")["drifts"] == []


class TestPages:
    def test_say_to_both_what_earned_and_why_something_did_not(
        self, shop, signed_up, alice: Person, admin: Person, clock, program, records: Records
    ):
        waiting = alice.get("/dashboard/referrals").one("[data-referral]").text
        assert "waiting for what the program rewards" in waiting
        tell(shop, sale("1"), sale("2", 5), refund("3", 4000, refund_of="1"))
        row = alice.get("/dashboard/referrals").one("[data-referral]").text
        assert "You earned €6.00" in row and "You earned nothing" in row and "the amount is too small" not in row
        page = admin.get("/admin/referrals/1/")
        assert "purchase, €100.00, €40.00 refunded: €6.00 for the referrer, €3.00 for the friend" in page.text
        assert "A sale to " in alice.get("/dashboard/rewards").one("[data-entry]").text
        tell(shop, refund("4", 1000, refund_of="1"))
        assert "(refund)" in alice.get("/dashboard/rewards").text

    def test_forget_who_it_was_and_keep_the_credit(self, shop, app, program, code: str, ask, clock, records: Records):
        program(condition={"plan": "pro"})
        who = {"external_id": "bo", "email": "bo@gmail.com", "name": "Bo"}
        tell(shop, event("1", "signup", code=code) | {"customer": who})
        tell(shop, sale("2", metadata={"plan": "pro", "street": "Elm Street"}))
        with app.app_context():
            bo = records.one(ExternalMember).user_id
            exported = str(exports.everything_about(reading().get_one(User, bo))["events"])
            assert "Elm Street" in exported and "'id': '1'" in exported
            erasure.erase(bo, "A former member", clock())
        assert "Elm Street" not in str([vars(each) for each in records.all(Event)])
        assert tell(shop, sale("2", 7)) == [("duplicate", None)]
        assert tell(shop, sale("3", metadata={"plan": "pro"}), refund("4", 10_000)) == [("accepted", None)] * 2
        assert balances(records)[1, "EUR"] == 1000
        assert tell(shop, event("5", "signup", code=code)) == [("refused", "already_referred")]
        assert ask("ledger", "verify")["drifts"] == []
