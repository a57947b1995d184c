"""An admin gives the credit for a customer to who really brought them: what events earned, and what they will earn."""

from collections.abc import Callable

import pytest

from referralhub.database import reading
from referralhub.models import AuditLine, Conversion, Profile, Reason, Reward, RewardState
from referralhub.services.ledger import entries
from referralhub.services.recourse import corrections
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone, Conflict
from referralhub.services.webhooks import states
from tests.functional.api.telling import balances, event, refund, sale, tell
from tests.people import Person, Records, all_at_once


@pytest.fixture
def code(code: str, charlie: Person) -> str:
    """Alice's, by which Bo comes. Charlie is a member, too, and says that it was him."""
    charlie.sign_up()
    charlie.confirm_address()
    return code


@pytest.fixture
def correct(app, charlie: Person, clock) -> Callable[..., None]:
    """Give Charlie the credit for a customer, the first one if not told which."""

    def act(user_id: int = 3) -> None:
        with app.app_context():
            corrections.correct_referrer(user_id, charlie.code, "asked both", OPERATOR, clock())

    return act


class TestCredit:
    def test_moves_in_every_unit_and_later_sales_go_there(
        self, shop, signed_up, correct, ask, alice: Person, charlie: Person, records: Records
    ):
        tell(shop, sale("1"), sale("2", 3000, currency="USD"), refund("3", 4000, refund_of="1"))
        assert balances(records) == {(1, "EUR"): 600, (1, "USD"): 300, (3, "EUR"): 800}
        correct()
        assert balances(records) == {(1, "EUR"): 0, (1, "USD"): 0, (2, "EUR"): 600, (2, "USD"): 300, (3, "EUR"): 800}
        tell(shop, sale("4"), refund("5", 6000, refund_of="1"))
        assert balances(records)[2, "EUR"] == 1000
        assert balances(records)[1, "EUR"] == 0
        assert ask("ledger", "verify")["drifts"] == []
        assert "asked both" in alice.get("/dashboard/rewards").text
        assert "asked both" in charlie.get("/dashboard/rewards").text
        assert "You earned" not in alice.get("/dashboard/referrals").text
        assert [each.referral_count for each in records.all(Profile)] == [1, 0, 0]  # how Bo came stays on record
        line = next(each for each in records.all(AuditLine) if each.action == "member.correct_referrer")
        assert (line.before, line.after, line.reason) == ({"referrer": 1}, {"referrer": 2}, "asked both")

    def test_moves_once(self, shop, signed_up, correct, app, alice: Person, clock):
        tell(shop, sale("1"))
        correct()
        with pytest.raises(AlreadyDone):
            correct()
        with app.app_context(), pytest.raises(Conflict):
            corrections.correct_referrer(3, alice.code, "or not", OPERATOR, clock())

    def test_waits_for_a_decision(self, shop, signed_up, correct):
        with pytest.raises(Conflict, match="referral_undecided"):
            correct()

    def test_is_taken_back_from_who_has_it(self, shop, signed_up, correct, app, clock, ask, records: Records):
        tell(shop, sale("1"))
        correct()
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen card"), clock())
        assert set(balances(records).values()) == {0}
        tell(shop, sale("2"))
        assert set(balances(records).values()) == {0}
        assert ask("ledger", "verify")["drifts"] == []

    def test_is_told_with_who_has_it(self, shop, program, app, clock, records: Records):
        program()
        codes = [shop.ask("PUT", f"/members/{who}", {}, 201)["code"] for who in ("al", "ch")]
        tell(shop, event("signup", "signup", code=codes[0]), sale("1"))
        conversion = records.one(Conversion).id
        with app.app_context():
            assert states.conversion(reading(), conversion)["referrer_external_id"] == "al"
            corrections.correct_referrer(3, codes[1], "asked both", OPERATOR, clock())
            assert states.conversion(reading(), conversion)["referrer_external_id"] == "ch"


class TestCaps:
    def test_count_for_who_has_the_credit(self, shop, program, signed_up, correct, app, ask, code, records: Records):
        program(member_cap=1500)
        tell(shop, event("s2", "signup", "di", code=code), event("s3", "signup", "ed", code=code))
        tell(shop, sale("1", who="di"), sale("2", who="ed"))
        assert balances(records)[1, "EUR"] == 1500
        correct(4)
        assert (balances(records)[1, "EUR"], balances(records)[2, "EUR"]) == (1000, 1000)
        with app.app_context():  # as other credits count it against the cap
            assert [entries.earned(reading(), member) for member in (1, 2)] == [{"EUR": 1000}] * 2
        tell(shop, sale("3", who="di"))
        assert (balances(records)[1, "EUR"], balances(records)[2, "EUR"]) == (1000, 1500)
        assert ask("ledger", "verify")["drifts"] == []


class TestRewards:
    def test_what_is_due_goes_along_and_what_was_handed_over_is_owed(
        self, shop, program, signed_up, correct, ask, code, records: Records
    ):
        program(handed_over=True)
        tell(shop, event("s2", "signup", "di", code=code), sale("1", who="di"), sale("2", who="di"))
        done = records.all(Reward, profile_id=1)[0]
        shop.ask("POST", f"/rewards/{done.id}/fulfilled", {"reference": "paid"})
        correct(4)
        found = [(each.profile_id, each.amount) for each in records.all(Reward, state=RewardState.DUE)]
        assert sorted(found) == [(2, 1000), (2, 1000), (4, 500), (4, 500)]
        assert balances(records)[1, "EUR"] == -1000
        assert ask("ledger", "verify")["drifts"] == []


class TestRaces:
    def test_sales_at_the_same_moment_are_credited_to_one(self, shop, signed_up, correct, ask, records: Records):
        tell(shop, sale("0"))
        all_at_once([correct, *(lambda number=number: tell(shop, sale(str(number))) for number in range(1, 9))])
        assert (balances(records)[1, "EUR"], balances(records)[2, "EUR"]) == (0, 9000)
        assert ask("ledger", "verify")["drifts"] == []
