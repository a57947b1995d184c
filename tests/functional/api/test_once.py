"""A call under an Idempotency-Key is done once, however often it is sent and whatever is killed."""

from datetime import timedelta
from functools import partial

import pytest
from flask import Flask

from referralhub.api import members
from referralhub.models import ApiAnswer, RewardEntry, Scope
from referralhub.services.integration import answers
from tests.people import Records, all_at_once

GIFT = {"amount": 50, "reason": "a gift"}
ONE, OTHER = {"Idempotency-Key": "one"}, {"Idempotency-Key": "other"}


@pytest.fixture(autouse=True)
def _customer(shop) -> None:
    shop.ask("PUT", "/members/42", {}, 201)


def balance(records: Records) -> int:
    return sum(each.amount for each in records.all(RewardEntry))


def test_a_repetition_is_given_the_first_answer(shop, records: Records):
    first = shop.ask("POST", "/members/42/adjustments", GIFT, 201, headers=ONE)
    assert (first["kind"], first["amount"], first["balance"], first["unit"]) == ("adjustment", 50, 50, "points")
    again = shop.client.post("/api/v1/members/42/adjustments", json=GIFT, headers=shop.headers | ONE)
    assert (again.status_code, again.json, again.headers["Idempotency-Replayed"]) == (201, first, "true")
    shop.ask("POST", "/members/42/adjustments", GIFT, 201, headers=OTHER)
    shop.ask("POST", "/members/42/adjustments", GIFT, 201)
    shop.ask("POST", "/members/42/adjustments", GIFT, 201)
    assert balance(records) == 200


def test_the_key_of_another_call_is_refused(shop, records: Records):
    shop.ask("PUT", "/members/43", {}, 201)
    shop.ask("POST", "/members/42/adjustments", GIFT, 201, headers=ONE)
    for number, amount in (("42", 51), ("43", 50)):
        problem = shop.ask("POST", f"/members/{number}/adjustments", GIFT | {"amount": amount}, 422, headers=ONE)
        assert (problem["code"], balance(records)) == ("idempotency_key_reused", 50)


def test_each_program_has_keys_of_its_own(shop, shop_with, records: Records):
    for each in (shop, shop_with(Scope.MANAGE)):
        each.ask("POST", "/members/42/adjustments", GIFT, 201, headers=ONE)
    assert balance(records) == 100


def test_what_failed_left_nothing_and_can_be_sent_again(shop, records: Records, monkeypatch: pytest.MonkeyPatch):
    shop.ask("POST", "/members/44/adjustments", GIFT, 404, headers=ONE)
    shop.ask("PUT", "/members/44", {}, 201)
    with monkeypatch.context() as patched:
        patched.setattr(members, "_entry", lambda _: 1 / 0)  # after the ledger was written, before the answer
        answer = shop.client.post("/api/v1/members/44/adjustments", json=GIFT, headers=shop.headers | ONE)
        assert (answer.status_code, answer.json["code"]) == (500, "internal_server_error")
    assert (records.all(RewardEntry), records.all(ApiAnswer)) == ([], [])
    shop.ask("POST", "/members/44/adjustments", GIFT, 201, headers=ONE)
    assert balance(records) == 50


def test_of_many_at_once_one_is_done(shop, app: Flask, records: Records):
    def give(headers: dict[str, str]) -> tuple[int, int]:
        answer = app.test_client().post("/api/v1/members/42/adjustments", json=GIFT, headers=shop.headers | headers)
        return answer.status_code, answer.json["id"]

    given = all_at_once([partial(give, ONE), partial(give, OTHER)] * 8)
    assert {status for status, _ in given} == {201}
    assert len({number for _, number in given}) == 2
    assert balance(records) == 100


@pytest.mark.one_database
def test_what_is_no_key_is_refused(shop, records: Records):
    for key in ("", "a b", "x" * 256, "\u00e4"):
        problem = shop.ask("POST", "/members/42/adjustments", GIFT, 422, headers={"Idempotency-Key": key})
        assert (problem["errors"][0]["field"], balance(records)) == ("Idempotency-Key", 0)


def test_answers_are_kept_for_thirty_days_and_name_nobody(shop, app: Flask, clock, records: Records):
    shop.ask("PUT", "/members/42", {"name": "Bo", "email": "bo@example.com"})
    shop.ask("POST", "/members/42/adjustments", GIFT, 201, headers=ONE)
    [kept] = records.all(ApiAnswer)
    assert "Bo" not in kept.body and "@" not in kept.body
    for days, left in ((30, 1), (1, 0)):
        clock.advance(days=days)
        with app.app_context():
            answers.tidy(clock() - timedelta(seconds=1))
        assert len(records.all(ApiAnswer)) == left
