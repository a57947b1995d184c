"""A product reads who brought whom, and decides."""

from datetime import timedelta
from functools import partial

import pytest
from flask import Flask

from referralhub.models import AuditLine, Reason, Referral, ReferralState, RewardEntry, Role
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import SYSTEM
from tests.factories import befriend
from tests.people import Person, Records, all_at_once, path_of

WHY = {"reason": "we know them"}


@pytest.fixture
def link(shop) -> str:
    """That of the shop's customer 42."""
    return shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)["link"]


@pytest.fixture
def held(link: str, alice: Person, app: Flask, clock) -> int:
    """Alice came by it, and somebody holds her referral; her address is confirmed after that."""
    alice.click(path_of(link))
    alice.sign_up()
    with app.app_context():
        lifecycle.hold(1, SYSTEM, Reason.stated("looks odd"), clock())
    alice.confirm_address()
    return 1


def test_all_are_listed_with_the_products_own_numbers(shop, held: int):
    [found] = shop.ask("GET", "/referrals")["referrals"]
    assert (found["referrer"], found["friend"]) == (
        {"external_id": "42", "name": "Bo"},
        {"external_id": None, "name": "alice"},
    )
    assert (found["state"], found["reason"], found["why"]) == ("held", "stated", "looks odd")


def test_who_is_told_of_late_stands_where_they_belong_in_time(shop, link: str, clock):
    code = shop.ask("GET", "/members/42")["code"]
    clock.advance(hours=3)
    for number, hours in (("cy", 0), ("di", 2), ("ed", 1)):
        at = (clock() - timedelta(hours=hours)).isoformat()
        told = {"id": number, "type": "signup", "customer": {"external_id": number}, "code": code, "occurred_at": at}
        shop.ask("POST", "/events", told, 202)
    found = shop.ask("GET", "/referrals")["referrals"]
    assert [each["friend"]["external_id"] for each in found] == ["cy", "ed", "di"]


def test_are_found_by_state_and_time_in_parts(shop, link: str, app: Flask, clock, alice: Person):
    alice.sign_up()
    early = clock()
    befriend(app, "alice", 25, early)
    clock.advance(hours=1)
    befriend(app, "alice", 3, clock(), ReferralState.HELD)

    def numbers(**query: str) -> list[int]:
        return [each["id"] for each in shop.ask("GET", "/referrals", query_string=query)["referrals"]]

    assert numbers(state="held") == [28, 27, 26]
    assert numbers(state="rejected") == []
    assert numbers(created_from=clock().isoformat()) == [28, 27, 26]
    assert numbers(created_to=clock().isoformat(), state="confirmed") == list(range(25, 5, -1))
    assert numbers(created_to=clock().isoformat(), after="6") == [5, 4, 3, 2, 1]
    assert numbers(created_from=early.isoformat(), created_to=early.isoformat()) == []


@pytest.mark.one_database
def test_what_no_list_knows_is_refused_by_name(shop):
    for query, field, code in (
        ("state=gone", "state", "choice"), ("created_from=yesterday", "created_from", "invalid"),
        ("created_to=2026-01-01T00:00:00", "created_to", "timezone"), ("from=1", "from", "unknown"),
        ("created_from=0001-01-01T00:00:00%2B23:59", "created_from", "range"), ("after=0", "after", "range"),
        ("state=held&state=held", "state", "repeated"), ("after=true", "after", "type"),
    ):  # fmt: skip
        problem = shop.ask("GET", f"/referrals?{query}", expect=422)
        assert [(each["field"], each["code"]) for each in problem["errors"]] == [(field, code)]


def test_one_is_told_with_its_trail_and_what_it_gave_and_no_address(shop, held: int):
    shop.ask("POST", f"/referrals/{held}/confirm", WHY)
    found = shop.ask("GET", f"/referrals/{held}")
    assert [(step["from_state"], step["to_state"], step["why"]) for step in found["trail"]] == [
        (None, "pending", "signed up"), ("pending", "held", "looks odd"), ("held", "confirmed", "we know them"),
    ]  # fmt: skip
    [entry] = found["entries"]
    assert (entry["member"], entry["kind"], entry["amount"], entry["unit"]) == ("Bo", "referrer", 10, "points")
    assert "@" not in str(found)


def test_what_the_rules_found_is_told_by_codes_and_points(shop, link: str, alice: Person):
    alice.email = "bo@trashmail.com"
    alice.click(path_of(link))
    alice.sign_up()
    alice.confirm_address()
    found = shop.ask("GET", "/referrals/1")
    assert found["judgement"]["score"] == found["score"]
    codes = {each["code"]: each["points"] for each in found["judgement"]["findings"]}
    assert codes["disposable"] > 0
    assert "trashmail" not in str(found["judgement"])


def test_decisions_are_taken_once_and_are_in_the_audit_log(shop, held: int, records: Records):
    for step, expect in (("reverse", 409), ("confirm", 200), ("reverse", 200)):
        shop.ask("POST", f"/referrals/{held}/{step}", WHY, expect)
    assert shop.ask("GET", f"/referrals/{held}")["state"] == "reversed"
    for step in ("confirm", "reject", "reverse"):
        assert shop.ask("POST", f"/referrals/{held}/{step}", WHY, 409)["code"] == "referral_in_other_state"
        shop.ask("POST", f"/referrals/99/{step}", WHY, 404)
    assert [each.amount for each in records.all(RewardEntry)] == [10, -10]
    lines = [line for line in records.all(AuditLine) if line.subject == "referral" and line.role is Role.API]
    assert [(line.action, line.reason, line.after["api_key"]) for line in lines] == [
        ("referral.confirmed", "we know them", 1), ("referral.reversed", "we know them", 1),
    ]  # fmt: skip


def test_one_whose_friend_is_unproven_waits(shop, link: str, alice: Person, app: Flask, clock):
    alice.click(path_of(link))
    alice.sign_up()
    with app.app_context():
        lifecycle.hold(1, SYSTEM, Reason.stated("looks odd"), clock())
    assert shop.ask("POST", "/referrals/1/confirm", WHY, 409)["code"] == "friend_unverified"
    assert shop.ask("POST", "/referrals/1/reject", WHY)["state"] == "rejected"


@pytest.mark.one_database
def test_nobody_decides_without_a_reason(shop, held: int):
    for body in ({}, *({"reason": each} for each in ("", "  ", "x" * 201, "a\x07b", 7))):
        problem = shop.ask("POST", f"/referrals/{held}/reject", body, 422)
        assert [each["field"] for each in problem["errors"]] == ["reason"]
    assert shop.ask("GET", f"/referrals/{held}")["state"] == "held"


def test_a_decision_that_many_take_at_once_is_taken_once(shop, held: int, app: Flask, records: Records):
    def confirm(key: str) -> tuple[int, bytes]:
        headers = shop.headers | {"Idempotency-Key": key}
        answer = app.test_client().post(f"/api/v1/referrals/{held}/confirm", json=WHY, headers=headers)
        return answer.status_code, answer.get_data()

    same = all_at_once([partial(confirm, "one")] * 8)
    assert {status for status, _ in same} == {200}
    assert len({body for _, body in same}) == 1
    assert confirm("another")[0] == 409
    assert len(records.all(RewardEntry)) == 1
    assert [each.state for each in records.all(Referral)] == [ReferralState.CONFIRMED]
