"""Whoever wrote a call is told in plain words what a value is to be, whatever language the call was written in."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import inspect

from referralhub.api.faults import FORMS, KINDS, WORDS
from referralhub.api.operations import OPERATIONS
from referralhub.api.schemas import FORM

EVENT = {"id": "1", "type": "purchase", "customer": {"external_id": "43"}, "amount": 4900, "currency": "EUR"}
AMOUNT = "Use a whole number of the smallest unit, such as 4900 for 49.00 EUR."
TIME = "Use a time with a zone, such as 2026-11-30T12:00:00Z."
OF_EVENTS = [  # what is sent in place of a value, and what is said of it
    ({"amount": "49.00"}, "amount", "type", AMOUNT),
    ({"amount": 49.5}, "amount", "type", AMOUNT),
    ({"amount": -1}, "amount", "range", "Use a whole number from 0 to 1000000000000."),
    ({"currency": "euros"}, "currency", "pattern", "Use three letters, such as EUR."),
    ({"id": 43}, "id", "type", 'Use text, in quotes, such as "43".'),
    ({"id": ""}, "id", "length", "Use 1 to 255 characters."),
    ({"id": "a\tb"}, "id", "pattern", 'Use text without control characters, such as "43".'),
    ({"click": "x" * 1001}, "click", "length", "Use at most 1000 characters."),
    ({"customer": None}, "customer", "type", "Use an object, in braces."),
    ({"customer": {"external_id": 43}}, "customer.external_id", "type", 'Use text, in quotes, such as "43".'),
    ({"occurred_at": "2026-01-01T12:00:00"}, "occurred_at", "timezone", f"{TIME} Now, if it is left out."),
    ({"occurred_at": "yesterday"}, "occurred_at", "invalid", f"{TIME} Now, if it is left out."),
    ({"customer": {"mail": "x"}}, "customer.mail", "unknown", "There is no such field; there are: external_id, org"),
]
OF_RULES = [
    ({"handed_over": "yes"}, "handed_over", "type", "Use true or false, without quotes. Whether rewards leave"),
    ({"touch": "newest"}, "touch", "choice", "Use one of first, last."),
    ({"tiers": {}}, "tiers", "type", "Use a list, in square brackets."),
    ({"tiers": [{"name": "Bronze"}]}, "tiers[0].at", "missing", "This is needed: a whole number."),
    ({"condition": {"plan": []}}, "condition[...]", "type", "Use text, in quotes, or a whole number, or true or false"),
]
OF_QUERIES = [
    ("/referrals?state=gone", "state", "choice", "Use one of pending, confirmed, held, rejected, reversed, expired."),
    ("/members?active=1", "active", "type", "Use true or false"),
    ("/referrals?after=x", "after", "type", "Use a whole number."),
    ("/referrals?created_from=yesterday", "created_from", "invalid", TIME),
    ("/growth?first=x", "first", "invalid", "Use a day, such as 2026-11-30."),
]

pytestmark = pytest.mark.one_database


def told(shop, method: str, path: str, body: Any = None) -> tuple[str, str, str]:
    problem = shop.ask(method, path, body, 422)
    [error] = problem["errors"]
    assert problem["detail"] == f"{error['field']}: {error['detail']}"
    return error["field"], error["code"], error["detail"]


def test_of_bodies(shop):
    calls = [("POST", "/events", EVENT | sent, *rest) for sent, *rest in OF_EVENTS]
    calls += [("PATCH", "/program", sent, *rest) for sent, *rest in OF_RULES]
    for method, path, body, place, code, text in calls:
        found = told(shop, method, path, body)
        assert found[:2] == (place, code), body
        assert found[2].startswith(text), (body, found[2])
    [result] = shop.ask("POST", "/events", [EVENT | {"amount": "49.00"}], 202)["results"]
    assert result["errors"] == [{"field": "amount", "code": "type", "detail": AMOUNT}]
    assert {code for _, _, code, _ in OF_EVENTS + OF_RULES} == {*KINDS.values(), "invalid"}


def test_of_addresses(shop):
    for path, place, code, text in OF_QUERIES:
        found = told(shop, "GET", path)
        assert found[:2] == (place, code), path
        assert found[2].startswith(text), (path, found[2])


def test_of_the_whole(shop):
    for body in ([1], "x"):
        assert "Expected" not in shop.ask("PUT", "/members/42", body, 422)["detail"]
    too_many = shop.ask("POST", "/events", [EVENT] * 101, 422)
    assert too_many["errors"] == [{"field": "", "code": "length", "detail": "At most 100 at once."}]


def nodes(node: Any, said: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield all types in one, each with what its schema says of it."""
    if isinstance(node, inspect.Metadata):
        yield from nodes(node.type, said | (node.extra or {}))
        return
    yield node, said
    for each in getattr(node, "types", ()):
        yield from nodes(each, said)
    for name in ("item_type", "value_type"):
        if hasattr(node, name):
            yield from nodes(getattr(node, name), {})
    for field in getattr(node, "fields", ()):
        yield from nodes(field.type, {})


def test_there_are_words_for_all_that_can_be_sent(app):
    sent = [each for call in OPERATIONS.values() for each in (call.takes, call.query) if each]
    found = [pair for kind in sent for pair in nodes(inspect.type_info(kind), {})]
    wordless = (inspect.UnionType, inspect.NoneType, inspect.EnumType, inspect.AnyType)
    assert {type(node) for node, _ in found} <= {*WORDS, *wordless}
    patterns = {node.pattern for node, said in found if isinstance(node, inspect.StrType) and FORM not in said}
    assert patterns <= {*FORMS, None}
    assert not [form for _, said in found if re.search(r"[\\^$\[]", form := said.get(FORM, ""))]
