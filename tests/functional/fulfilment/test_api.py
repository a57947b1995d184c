"""The product asks what is due, and says what became of it."""

import pytest

from referralhub.extensions import db
from referralhub.models import AuditLine, RewardEntry, RewardKind, Role, Scope
from referralhub.services.webhooks import states
from tests.functional.api.conftest import shop, shop_with

__all__ = ["shop", "shop_with"]  # fixtures


def test_what_is_due_is_told_with_all_that_is_known(shop, books):
    referral = books.referral()
    entry = books.post(950, "referrer", referral_id=referral, conversion_id=books.sale(referral))
    reward = shop.ask("GET", f"/rewards/{books.reward(entry)}")
    now = books.clock().isoformat().replace("+00:00", "Z")
    assert reward == {
        "id": 1, "external_id": "a-1", "state": "due", "amount": 950, "unit": "EUR", "currency": "EUR",
        "reference": "", "reason": "", "kind": "referrer", "referral_id": referral, "event_id": "sale-1",
        "created": now, "changed": now,
    }  # fmt: skip
    with books.app.app_context():
        told = states.reward(db.session(), 1)  # by webhooks, with the member
    assert told.pop("member")["external_id"] == "a-1"
    assert {**told, "created": now, "changed": now} == reward


def test_handed_over_is_said_as_often_as_one_likes(shop, books, records):
    books.credit(500)
    done = shop.ask("POST", "/rewards/1/fulfilled", {"reference": "invoice 7"})
    assert (done["state"], done["reference"]) == ("fulfilled", "invoice 7")
    for body in ({"reference": "invoice 8"}, {}):
        assert shop.ask("POST", "/rewards/1/fulfilled", body) == done
    problem = shop.ask("POST", "/rewards/1/failed", {"reason": "no account"}, 409)
    assert problem["code"] == "reward_fulfilled"
    records.one(RewardEntry, kind=RewardKind.PAYOUT)
    line = records.one(AuditLine, subject="reward")
    assert (line.role, line.after["api_key"]) == (Role.API, 1)


def test_failed_can_be_said_again_and_mended(shop, books):
    books.credit(500)
    failed = shop.ask("POST", "/rewards/1/failed", {"reason": "no account"})
    assert (failed["state"], failed["reason"]) == ("failed", "no account")
    assert shop.ask("POST", "/rewards/1/failed", {"reason": "other"}) == failed
    assert shop.ask("POST", "/rewards/1/fulfilled", {})["state"] == "fulfilled"


def test_withdrawn_is_a_conflict_to_who_failed_and_the_truth_of_who_did_not(shop, books):
    books.take_back(books.credit(500))
    assert shop.ask("POST", "/rewards/1/failed", {}, 409)["code"] == "reward_withdrawn"
    assert shop.ask("GET", "/rewards/1")["reason"] == "taken_back"
    assert shop.ask("POST", "/rewards/1/fulfilled", {})["state"] == "fulfilled"
    assert books.balance == (-500, -500)


def test_lists_go_by_state_and_in_parts(shop, books):
    for _ in range(23):
        books.credit(10)
    books.fulfil(3)
    first = shop.ask("GET", "/rewards")
    second = shop.ask("GET", f"/rewards?after={first['next']}")
    assert [each["id"] for each in first["rewards"] + second["rewards"]] == list(range(23, 0, -1))
    assert second["next"] is None
    assert [each["id"] for each in shop.ask("GET", "/rewards?state=fulfilled")["rewards"]] == [3]
    assert shop.ask("GET", "/rewards?state=failed")["rewards"] == []
    shop.ask("GET", "/rewards?state=nonsense", expect=422)
    shop.ask("GET", "/rewards?after=x", expect=422)


@pytest.mark.parametrize("number", ["2", "0", "x", "99999999999"])
def test_what_is_not_there_is_not_found(shop, books, number: str):
    books.credit(500)
    shop.ask("GET", f"/rewards/{number}", expect=404)
    shop.ask("POST", f"/rewards/{number}/fulfilled", {}, 404)
    shop.ask("POST", f"/rewards/{number}/failed", {}, 404)


@pytest.mark.parametrize("body", [{"reference": "x" * 201}, {"reference": "a\nb"}, {"reference": 1}, {"reason": "x"}])
def test_words_that_cannot_be_kept_are_refused(shop, books, body: dict):
    books.credit(500)
    shop.ask("POST", "/rewards/1/fulfilled", body, 422)
    assert books.due == {1: 500}


def test_each_call_needs_its_scope(shop_with, books):
    books.credit(500)
    reader, events, nobody = shop_with(Scope.READ), shop_with(Scope.EVENTS), shop_with()
    assert reader.ask("GET", "/rewards")["rewards"]
    for one, status in ((reader, 403), (events, 403), (nobody, 401)):
        one.ask("POST", "/rewards/1/fulfilled", {}, status)
        one.ask("POST", "/rewards/1/failed", {}, status)
    events.ask("GET", "/rewards", expect=403)
    events.ask("GET", "/rewards/1", expect=403)
    assert books.due == {1: 500}
