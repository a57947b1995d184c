"""A product tells what its customers did: each event counts once."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from referralhub.database import reading
from referralhub.models import (
    AuditLine,
    Channel,
    Event,
    ExternalMember,
    Reason,
    Referral,
    ReferralEvent,
    ReferralState,
    Reward,
    RewardState,
    Scope,
    SignupFacts,
    User,
)
from referralhub.services.accounts import erasure, exports
from referralhub.services.fraud import signals
from referralhub.services.integration import replays
from referralhub.services.program import rules
from referralhub.services.referrals import clicks, lifecycle
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared.audit import OPERATOR
from tests.functional.api.telling import balances, event, iso, ledger, refund, sale, tell, why
from tests.people import Clock, Person, Records

REASON = Reason.stated("looked at")


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

    def test_what_is_taken_along_to_where_it_earns_nothing_earns_nothing(
        self, shop, program, code: str, ask, records: Records
    ):
        program(handed_over=True)
        of_acme = {"organization_id": "acme"}
        tell(shop, event("1", "signup", code=code) | {"customer": {"external_id": "bo"} | of_acme})
        tell(shop, sale("2") | {"customer": {"external_id": "a colleague"} | of_acme})
        assert balances(records) == {(1, "EUR"): 1000, (2, "EUR"): 500}
        program(qualifies_on="upgrade")
        tell(shop, event("3", "signup", code=code) | {"customer": {"external_id": "a colleague"} | of_acme})
        assert balances(records) == {(1, "EUR"): 0, (2, "EUR"): 0}
        assert why(shop, "2") == ("accepted", "other_type")
        assert {each.state for each in records.all(Reward)} == {RewardState.WITHDRAWN}
        assert ask("ledger", "verify")["drifts"] == []

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
        later = sale("3", metadata={"plan": "pro", "street": "Elm Street"})
        assert tell(shop, later, refund("4", 10_000)) == [("accepted", None)] * 2
        assert tell(shop, sale("3", 7)) == [("duplicate", None)]
        assert "Elm Street" not in str([vars(each) for each in records.all(Event)])
        assert balances(records)[1, "EUR"] == 1000
        assert tell(shop, event("5", "signup", code=code)) == [("refused", "already_referred")]
        assert ask("ledger", "verify")["drifts"] == []
