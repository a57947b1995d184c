"""What a product is told of its own events by webhooks: each thing once, as it is in the end."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

from referralhub.database import transaction
from referralhub.models import WebhookMessage
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.webhooks import announcing, endpoints
from tests.conftest import SECRET_KEY
from tests.functional.api.telling import PURCHASES, event, refund, sale, tell
from tests.people import Clock, Person, Records

Told = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def code(app: Flask, clock: Clock, shop) -> str:
    """The code of a member of the product's, in a program that rewards purchases."""
    with app.app_context():
        rules.change(PURCHASES, clock())
    return shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)["code"]


@pytest.fixture
def told(app: Flask, clock: Clock, code: str, records: Records) -> Told:
    """Tell an address of everything from now on; gives the messages about one kind of thing, the oldest first."""
    with app.app_context():
        endpoints.add("https://shop.example.com/", (), OPERATOR, clock(), secret_key=SECRET_KEY, private=False)

    def messages(about: str) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in records.all(WebhookMessage, object=about)]

    return messages


def of(messages: list[dict[str, Any]]) -> list[tuple[str, int, int, str]]:
    return [
        (each["type"], each["data"]["referrer_amount"], each["data"]["friend_amount"], each["data"]["reason"])
        for each in messages
    ]


def test_a_referral_is_created_once(shop, told: Told, code: str):
    tell(shop, event("1", "signup", code=code))
    assert [(each["type"], each["sequence"]) for each in told("referral")] == [("referral.created", 1)]
    tell(shop, sale("2"))
    assert [each["type"] for each in told("referral")] == ["referral.created", "referral.confirmed"]


def test_and_so_is_one_whose_friend_confirms_the_address_before_they_buy(told: Told, code: str, alice: Person):
    alice.click(f"/{code}/")
    alice.sign_up()
    alice.confirm_address()
    assert [each["type"] for each in told("referral")] == ["referral.created"]


def test_a_signup_and_a_sale_of_one_call_make_one_conversion_with_what_it_earns(shop, told: Told, code: str):
    tell(shop, event("1", "signup", code=code), sale("2"))
    assert of(told("conversion")) == [("conversion.created", 1000, 500, "")]


def test_of_what_is_made_and_changed_at_once_the_end_is_told(shop, told: Told, code: str):
    tell(shop, event("1", "signup", code=code))
    tell(shop, sale("2"), refund("3", 4000, refund_of="2"))
    assert of(told("conversion")) == [("conversion.created", 600, 300, "")]
    tell(shop, refund("4", 1000, refund_of="2"), refund("5", 5000, refund_of="2"))
    assert of(told("conversion"))[1:] == [("conversion.changed", 0, 0, "")]
    assert [each["sequence"] for each in told("conversion")] == [1, 2]


def test_a_conversion_is_told_before_its_rewards(shop, app, told: Told, code: str, clock, records: Records):
    with app.app_context():
        rules.change({"handed_over": True, "hold_days": 0}, clock())
    tell(shop, event("1", "signup", code=code), sale("2"))
    types = [each.type for each in records.all(WebhookMessage)]
    assert types[-3:] == ["conversion.created", "reward.due", "reward.due"]


class TestUndone:
    @pytest.fixture
    def sold(self, shop, code: str) -> None:
        """There are three conversions, of which nobody was told."""
        tell(shop, event("1", "signup", code=code))
        tell(shop, sale("2"), sale("3"), sale("4"))

    @pytest.fixture
    def told(self, sold: None, told: Told) -> Told:
        return told

    def test_a_part_is_not_told(self, app: Flask, told: Told, clock: Clock):
        with app.app_context(), transaction() as session:
            announcing.note_conversions(session, [], [1], clock())
            with suppress(ZeroDivisionError), session.begin_nested():
                with session.begin_nested():
                    announcing.note_conversions(session, [2], [], clock())
                raise ZeroDivisionError
            with session.begin_nested():
                announcing.note_conversions(session, [], [3], clock())
        assert [(each["type"], each["data"]["id"]) for each in told("conversion")] == [
            ("conversion.changed", 1), ("conversion.changed", 3),
        ]  # fmt: skip

    def test_nor_is_the_whole(self, app: Flask, told: Told, clock: Clock):
        with app.app_context():
            with suppress(ZeroDivisionError), transaction() as session:
                announcing.note_conversions(session, [1], [2], clock())
                raise ZeroDivisionError
            with transaction() as session:
                announcing.note_conversions(session, [], [3], clock())
        assert [each["data"]["id"] for each in told("conversion")] == [3]


def test_where_nobody_is_told_one_query_finds_that_out(shop, code: str, count_queries, records: Records):
    with count_queries() as statements:
        tell(shop, event("1", "signup", code=code), sale("2"))
    assert len([each for each in statements.sent if "webhook" in each]) == 1
    assert records.all(WebhookMessage) == []
