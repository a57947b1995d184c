"""The token of a form: the same secret in every answer, and nothing in common between two of them."""

import re
from difflib import SequenceMatcher

import msgspec
import pytest
from flask import Flask
from itsdangerous import URLSafeTimedSerializer

from tests.pages import Visitor
from tests.people import Person

pytestmark = pytest.mark.one_database


def tokens_in(visitor: Visitor, path: str) -> list[str]:
    return [field["value"] for field in visitor.get(path).all('[name="csrf_token"]')]


def bare(app: Flask, valkey, visitor: Visitor) -> tuple[str, str]:
    """The secret in a visitor's session, and the token that Flask-WTF makes of it."""
    kept = msgspec.msgpack.decode(valkey.client.get(f"session:{visitor.session_id()}"))["csrf_token"]
    return kept, URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token").dumps(kept)


def test_two_answers_have_no_part_of_it_in_common(alice: Person):
    alice.sign_up()
    first, second = (tokens_in(alice, "/dashboard/") for _ in range(2))
    assert len(set(first)) == len(set(second)) == 1  # within an answer nothing is gained
    matcher = SequenceMatcher(None, first[0], second[0], autojunk=False)
    assert matcher.find_longest_match().size < 8


def test_no_page_has_it_bare(app: Flask, admin: Person, valkey):
    admin.get("/dashboard/")
    secret, token = bare(app, valkey, admin)
    pages = [r.rule for r in app.url_map.iter_rules() if not r.arguments and {"GET"} & r.methods]
    seen = 0
    for path in pages:
        text = admin.client.get(path, follow_redirects=True).get_data()
        seen += b'name="csrf_token"' in text
        assert secret.encode() not in text, path
        assert token.partition(".")[0].encode() not in text, path
    assert seen > 20


def test_every_mask_of_a_session_is_good_and_no_others_is(unlimited_app: Flask, post_office, valkey):
    alice, bob = (Person(unlimited_app, post_office, name) for name in ("alice", "bob"))
    alice.sign_up()
    bob.sign_up()
    for token in (*tokens_in(alice, "/dashboard/"), *tokens_in(alice, "/account/data")):
        alice.post("/account/notifications", {"csrf_token": token}, 303)
    alice.post("/account/notifications", {"csrf_token": tokens_in(bob, "/dashboard/")[0]}, 400)


def test_a_form_that_was_open_before_there_were_masks(app: Flask, alice: Person, valkey):
    alice.sign_up()
    alice.get("/dashboard/")
    alice.post("/account/notifications", {"csrf_token": bare(app, valkey, alice)[1]}, 303)


@pytest.mark.parametrize("token", ["", "A", "AAAA", "é", "=", "A" * 1000, ".", "a.b.c", "\x00", "____"])
def test_what_is_no_token_is_refused(alice: Person, token: str):
    alice.sign_up()
    alice.post("/account/notifications", {"csrf_token": token}, 400)


def test_half_of_a_token_is_refused(alice: Person):
    alice.sign_up()
    token = tokens_in(alice, "/dashboard/")[0]
    assert re.fullmatch(r"[\w=-]+", token)
    for part in (token[: len(token) // 2], token[4:], token[:-8]):
        alice.post("/account/notifications", {"csrf_token": part}, 400)
