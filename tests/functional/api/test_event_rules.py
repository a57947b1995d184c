"""What an event earns by the rules of a program, and why it does not."""

from datetime import timedelta

import pytest

from referralhub.models import Conversion, Reason, RewardEntry
from referralhub.services.conversions import recount
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from tests.functional.api.telling import balances, event, iso, ledger, refund, sale, tell, why
from tests.people import Records

REASON = Reason.stated("looked at")


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
