"""Who may call: keys, what they are good for, and limits."""

import json
import re
from datetime import timedelta

import pytest

from referralhub.api.operations import OPERATIONS
from referralhub.models import ApiKey, AuditLine, Scope
from tests.people import Records

CALLS = {endpoint: call for endpoint, call in OPERATIONS.items() if call.scope}  # every one that needs a key


def asked(endpoint: str) -> tuple[str, str]:
    """Give method and path of a call, about the first of each thing."""
    return CALLS[endpoint].method, re.sub(r"<[^>]*>", "1", CALLS[endpoint].rule)


def test_nearly_all_calls_need_a_key():
    assert len(CALLS) > 20
    assert OPERATIONS.keys() - CALLS.keys() == {"api.look_up"}
    assert {call.scope for call in CALLS.values() if call.method != "GET"} <= {Scope.MANAGE, Scope.EVENTS}


@pytest.mark.one_database
@pytest.mark.parametrize("scope", [None, *Scope])
def test_a_key_is_good_for_its_scope_alone(app, shop_with, scope: Scope | None):
    shop = shop_with(*([scope] if scope else []))
    refused, wanted = set(), {endpoint for endpoint, call in CALLS.items() if call.scope is not scope}
    for endpoint in CALLS:
        method, path = asked(endpoint)
        answer = shop.client.open(f"/api/v1{path}", method=method, headers=shop.headers, json={})
        if answer.status_code in (401, 403):
            assert answer.json["code"] == ("scope_missing" if scope else "key_missing")
            refused.add(endpoint)
    assert refused == wanted


def test_a_key_that_is_over_or_wrong_is_worth_nothing(shop_with, clock):
    over, wrong = shop_with(*Scope, expires_at=clock() + timedelta(days=1)), shop_with(*Scope)
    clock.advance(days=1)
    wrong.headers = {"Authorization": f"{wrong.headers['Authorization']}x"}
    for endpoint in CALLS:
        method, path = asked(endpoint)
        for shop in (over, wrong):
            assert shop.ask(method, path, {}, 401)["code"] == "key_wrong"


class TestCommands:
    def test_a_key_is_shown_once_and_worth_nothing_once_withdrawn(self, ask, run, shop_with, records: Records):
        made = ask("api-keys", "create", "--name", "shop", "--scope", "read,manage")
        assert made["scopes"] == ["manage", "read"]
        shop = shop_with()
        shop.headers = {"Authorization": f"Bearer {made['key']}"}
        shop.ask("PUT", "/members/42", {}, 201)
        listed = run("api-keys", "list").stdout
        assert made["key"][:9] in listed
        assert made["key"] not in listed + json.dumps(ask("api-keys", "list"))
        assert made["key"] not in "".join(str(vars(row)) for row in records.all(ApiKey) + records.all(AuditLine))
        ask("api-keys", "revoke", str(made["id"]))
        shop.ask("GET", "/members/42", expect=401)
        assert ask("api-keys", "revoke", str(made["id"])) == {"id": made["id"], "revoked": True, "changed": False}

    @pytest.mark.parametrize("scope", ["", "read,write", "all"])
    def test_there_are_no_other_scopes(self, run, scope: str):
        run("api-keys", "create", "--name", "shop", "--scope", scope, expect=2)


class TestInThePanel:
    def test_a_key_is_made_shown_once_and_withdrawn(self, admin, shop_with):
        form = admin.get("/admin/api-keys/").form("/admin/api-keys/")
        page = admin.submit(form, 200, name="shop", scopes="read")
        key = page.one("[data-key]").text
        assert key not in admin.get("/admin/api-keys/").text
        shop = shop_with()
        shop.headers = {"Authorization": f"Bearer {key}"}
        shop.ask("GET", "/members/42", expect=404)
        admin.submit(admin.get("/admin/api-keys/").form("/admin/api-keys/1/revoke"))
        assert "withdrawn" in admin.get("/admin/api-keys/").one("[data-api-key]").text
        shop.ask("GET", "/members/42", expect=401)

    @pytest.mark.parametrize("values", [{"name": "", "scopes": "read"}, {"name": "x"}, {"name": "x", "days": "0"}])
    def test_what_cannot_be_is_said(self, admin, records: Records, values: dict[str, str]):
        admin.submit(admin.get("/admin/api-keys/").form("/admin/api-keys/"), 422, **values)
        assert records.all(ApiKey) == []


def test_each_key_has_limits_of_its_own_and_is_told_them(shop_with):
    one, other = shop_with(Scope.READ), shop_with(Scope.READ)
    last = [
        one.client.get("/api/v1/members/1", headers=one.headers) for _ in range(601)
    ][-1]  # fmt: skip
    assert (last.status_code, last.mimetype) == (429, "application/problem+json")
    assert 0 < int(last.headers["Retry-After"]) <= 60
    told = other.client.get("/api/v1/members/1", headers=other.headers)
    assert told.status_code == 404
    assert told.headers["RateLimit-Policy"] == '"default";q=600;w=60'
    assert told.headers["RateLimit"].startswith('"default";r=599;t=')
