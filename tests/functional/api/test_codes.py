"""A checkout looks a code up."""

import pytest

from referralhub.services.program import rules
from tests.people import Person


@pytest.fixture
def code(alice: Person) -> str:
    alice.sign_up()
    return alice.code


def test_says_who_invites_and_what_a_friend_gets(shop_with, code: str, app, clock):
    nothing = {"valid": True, "referrer": "alice", "offer": None, "coupon": None}
    assert shop_with().ask("GET", f"/codes/{code.upper()}") == nothing
    with app.app_context():
        rules.change(rules.PRESETS["paypal"] | {"friend_coupon": "FRIEND20"}, clock())
    found = shop_with().ask("GET", f"/codes/{code}")
    assert found == nothing | {"offer": {"number": 2000, "unit": "USD"}, "coupon": "FRIEND20"}
    with app.app_context():
        rules.change({"qualifies_on": "purchase", "friend_amount": 0, "friend_share": 1250}, clock())
    assert shop_with().ask("GET", f"/codes/{code}")["offer"] == {"share": 1250}


@pytest.mark.parametrize("other", ["nobody00", "x", "%C3%A4%C3%A4", "a%00b", "x" * 300])
def test_does_not_know_others(shop_with, code: str, other: str):
    assert shop_with().ask("GET", f"/codes/{other}", expect=404)["code"] == "no_such_code"
