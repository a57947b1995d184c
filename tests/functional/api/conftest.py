"""A shop that uses the API, with keys of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from referralhub.api.document import VARIABLE, document
from referralhub.models import Scope
from referralhub.services.integration import keys
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from tests.functional.api.telling import PURCHASES, event, tell
from tests.people import Clock, Person


def as_described(app: Flask, method: str, answer: TestResponse) -> None:
    """Check an answer against the document: that it can be, and what is in it."""
    path = answer.request.path
    with app.test_request_context("/"):
        described = document()
    try:
        rule, _ = app.url_map.bind("localhost").match(path, method, return_rule=True)
    except HTTPException as error:  # nothing is there
        assert answer.status_code == error.code
        return
    call = described["paths"][VARIABLE.sub(r"{\2}", rule.rule)][method.lower()]
    told = call["responses"][str(answer.status_code)]
    for kind, content in told.get("content", {}).items():
        assert answer.mimetype == kind
        schema = {**content["schema"], "components": described["components"]}
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(answer.json)
    assert told.get("content") or not answer.get_data()


class Shop:
    """Another program. Each answer is checked for what every answer of the API has, and against the document."""

    def __init__(self, app: Flask, secret: str) -> None:
        self.app, self.client = app, app.test_client()
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def ask(self, method: str, path: str, body: Any = None, expect: int = 200, **options: Any) -> Any:
        sent = {} if body is None else {"json": body}
        headers = self.headers | options.pop("headers", {})
        answer: TestResponse = self.client.open(f"/api/v1{path}", method=method, headers=headers, **(sent | options))
        assert answer.status_code == expect, answer.get_data(as_text=True)
        assert "Set-Cookie" not in answer.headers
        as_described(self.app, method, answer)
        if expect == 204:
            assert (answer.get_data(), answer.mimetype) == (b"", None)
            return None
        assert answer.mimetype == ("application/json" if expect < 400 else "application/problem+json")
        if expect >= 400:
            assert (answer.json["status"], bool(answer.json["code"])) == (expect, True)
        elif method == "GET":
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert answer.headers["ETag"]
        return answer.json


@pytest.fixture
def shop_with(app: Flask, clock: Clock) -> Callable[..., Shop]:
    """A shop whose key has these scopes; none: it sends no key."""

    def make(*scopes: Scope, **options: Any) -> Shop:
        if not scopes:
            return Shop(app, "")
        with app.app_context():
            return Shop(app, keys.create("shop", scopes, OPERATOR, clock(), **options)[1])

    return make


@pytest.fixture
def shop(shop_with: Callable[..., Shop]) -> Shop:
    return shop_with(*Scope)


@pytest.fixture
def program(app, clock) -> Callable[..., None]:
    """Put rules in force."""

    def change(**values: Any) -> None:
        with app.app_context():
            rules.change(PURCHASES | values, clock())

    return change


@pytest.fixture
def code(alice: Person) -> str:
    alice.sign_up()
    alice.confirm_address()
    return alice.code


@pytest.fixture
def signed_up(program, shop, code: str) -> None:
    """Bo came by Alice's code, and sales are rewarded."""
    program()
    tell(shop, event("signup", "signup", code=code))
