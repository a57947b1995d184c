"""A shop that uses the API, with keys of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from referralhub.models import Scope
from referralhub.services.integration import keys
from referralhub.services.shared.audit import OPERATOR
from tests.people import Clock


class Shop:
    """Another program. Each answer is checked for what every answer of the API has."""

    def __init__(self, app: Flask, secret: str) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def ask(self, method: str, path: str, body: Any = None, expect: int = 200, **options: Any) -> Any:
        sent = {} if body is None else {"json": body}
        answer: TestResponse = self.client.open(
            f"/api/v1{path}", method=method, headers=self.headers, **(sent | options)
        )
        assert answer.status_code == expect, answer.get_data(as_text=True)
        assert "Set-Cookie" not in answer.headers
        assert answer.mimetype == ("application/json" if expect < 400 else "application/problem+json")
        if expect >= 400:
            assert (answer.json["status"], bool(answer.json["code"])) == (expect, True)
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
