"""What is promised is what is given: a fixed amount or a share, for a confirmed address or for events."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from referralhub import languages
from referralhub.models import Terms
from referralhub.words import offers

PLAIN = Terms("points", "EUR", 10, 0, 0, 0, "confirmed_address", None, {}, 1, None)
SHOP: dict[str, Any] = {"qualifies_on": "purchase"}
SHARE = SHOP | {"referrer_amount": 0, "referrer_share": 1250}


@pytest.mark.parametrize(
    ("changed", "to_member", "to_friend"),
    [
        (
            {}, "You get 10 points for each friend who joins and confirms their address.",
            "Bo gets 10 points once you confirm your address.",
        ),
        (
            {"friend_amount": 5}, "You get 10 points, your friend gets 5 points.",
            "You get 5 points, Bo gets 10 points.",
        ),
        ({"friend_amount": 5, "referrer_amount": 0}, "Your friend gets 5 points.", "You get 5 points."),
        (SHOP, "You get 10 points for the first purchase.", "Bo gets 10 points for the first purchase."),
        (
            SHARE | {"earning_events": None, "earning_months": 12},
            "You get 12.5% of what your friend pays for every purchase, in the first 12 months.",
            "Bo gets 12.5% of what you pay for every purchase, in the first 12 months.",
        ),
        (
            SHARE | {"friend_amount": 5, "least_amount": 2000},
            "You get 12.5% of what your friend pays, your friend gets 5 points. That is for the first purchase, "
            "from €20.00.",
            "You get 5 points, Bo gets 12.5% of what you pay. That is for the first purchase, from €20.00.",
        ),
        (
            SHOP | {"friend_share": 1000, "earning_events": 3, "earning_months": 1},
            "You get 10 points, your friend gets 10% of what they pay. That is for the first 3 purchases, in the first "
            "month.",
            "You get 10% of what you pay, Bo gets 10 points. That is for the first 3 purchases, in the first month.",
        ),
        (
            {"qualifies_on": "trial.plan_chosen", "condition": {"plan": "pro", "yearly": True}},
            "You get 10 points for the first event “trial plan chosen”, with plan pro, yearly true.",
            "Bo gets 10 points for the first event “trial plan chosen”, with plan pro, yearly true.",
        ),
        (
            {"qualifies_on": "signup", "earning_months": 3}, "You get 10 points for the signup.",
            "Bo gets 10 points for the signup.",
        ),
        (
            SHOP | {"referrer_amount": 0},
            "Each friend who counts moves you up: towards badges, perks and the top of the leaderboard.",
            "It counts for Bo.",
        ),
    ],
)  # fmt: skip
def test_it_is_said_truly(changed: dict[str, Any], to_member: str, to_friend: str):
    app = Flask(__name__)
    languages.init_app(app)
    with app.app_context():
        terms = replace(PLAIN, **changed)
        assert (offers.to_member(terms), offers.to_friend(terms, "Bo")) == (to_member, to_friend)


def test_a_name_that_ends_with_a_full_stop_ends_the_sentence():
    app = Flask(__name__)
    languages.init_app(app)
    with app.app_context():
        terms = replace(PLAIN, **SHOP | {"referrer_amount": 0})
        assert offers.to_friend(terms, "Bo B.") == "It counts for Bo B."


@pytest.mark.parametrize("say", [*offers.FILTERS.values(), offers.on_picture, offers.in_letter])
def test_no_place_says_in_an_event_program_what_holds_for_a_confirmed_address(say: Any):
    app = Flask(__name__)
    languages.init_app(app)
    rest = ("Bo",) if say is offers.to_friend else ()
    with app.app_context():
        for changed in (SHOP, SHARE, SHARE | {"friend_share": 500}, SHOP | {"friend_amount": 5, "referrer_amount": 0}):
            said = say(replace(PLAIN, **changed), *rest)
            for word in ("address", "confirm", "joining", "to start", "0 points"):
                assert word not in said.replace("10 points", "")
            for_what = say in {offers.referrer_gets, offers.friend_gets} or "purchase" in said
            assert for_what or not any(each in said for each in ("points", "%"))
