"""No other site can act in a visitor's name: each form is refused without its token, and from elsewhere even with it.

The table is made of the routes that there are. What is refused changes nothing in any table.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from flask import Flask

from referralhub.extensions import csrf
from tests.deep.conftest import Table
from tests.everybody import everybody, in_paths, routes
from tests.pages import Visitor
from tests.people import Records

pytestmark = pytest.mark.deep

ELSEWHERE = "https://evil.example"
# Those that the library is told to leave alone. Signing up asks by itself, and leads a member to the dashboard. Mail
# programs press the button that ends a kind of mail (RFC 8058): the signed token in its path is the proof.
EXEMPT = {"referralhub.auth.signup.signup", "referralhub.account.notifications.unsubscribe_now"}


class Forgery(NamedTuple):
    """What another site has a visitor's browser send; `token` is that of the visitor's own page."""

    headers: dict[str, str]
    values: Callable[[str], dict[str, str]]


FORGERIES = {
    "no token": Forgery({}, lambda token: {}),
    "an empty one": Forgery({}, lambda token: {"csrf_token": ""}),
    "one made up": Forgery({}, lambda token: {"csrf_token": "A" * len(token)}),
    "one changed": Forgery({}, lambda token: {"csrf_token": token[:-8] + "AAAAAAA="}),
    "no token, from elsewhere": Forgery({"Origin": ELSEWHERE}, lambda token: {}),
    "the token, from elsewhere": Forgery({"Origin": ELSEWHERE}, lambda token: {"csrf_token": token}),
    "the token, page elsewhere": Forgery({"Referer": f"{ELSEWHERE}/x"}, lambda token: {"csrf_token": token}),
    "the token, other port": Forgery({"Origin": "http://localhost:81"}, lambda token: {"csrf_token": token}),
    "no token, hidden origin": Forgery({"Origin": "null"}, lambda token: {}),
}


@pytest.fixture
def app(lend_app) -> Flask:
    return lend_app(ratelimit_enabled=False)


def unsafe(app: Flask) -> list[tuple[str, str, str]]:
    return sorted(route for route in routes(app) if route[0] not in {"GET", "HEAD", "OPTIONS"})


def test_every_form_is_refused(app: Flask, post_office, clock, records: Records, database: str, table: Table):
    people = everybody(app, post_office, clock)
    values, site = in_paths(people, records), app.url_map.bind("localhost")
    arguments = {rule.endpoint: {name: values[name] for name in rule.arguments} for rule in app.url_map.iter_rules()}
    before, tried, wrong = records.everything(), 0, []
    for who, person in people.items():
        page = "/login" if who == "anonymous" else "/privacy"
        token = person.get(page).all('[name="csrf_token"]')[0]["value"]
        for method, rule, endpoint in unsafe(app):
            path = site.build(endpoint, arguments[endpoint], method)
            for name, (headers, filled_in) in FORGERIES.items():
                answer = person.client.open(path, method=method, data=filled_in(token), headers=headers)
                tried += 1
                if answer.status_code != (302 if rule in {"/join", "/signup"} and who != "anonymous" else 400):
                    wrong.append(f"{who}: {name}: {method} {path}: {answer.status_code}")
    many = f"{len(unsafe(app))} routes × {len(FORGERIES)} forgeries × {len(people)} people"
    table.append((f"forged forms, {database}", many, f"{tried - len(wrong)} of {tried} refused"))
    assert wrong == []
    assert records.everything() == before


def test_no_other_view_is_exempt():
    assert csrf._exempt_views == EXEMPT
    assert csrf._exempt_blueprints == set()


def test_with_its_token_and_from_our_page_it_passes(app: Flask, alice, visitor: Visitor):
    """Or the table would prove nothing."""
    alice.sign_up()
    token = alice.get("/account/profile").all('[name="csrf_token"]')[0]["value"]
    for headers in ({}, {"Origin": "http://localhost"}):
        alice.post("/account/notifications", {"csrf_token": token}, 303, headers)
