"""Who may call: keys, what they are good for, and limits."""

import json
from datetime import timedelta
from typing import Any

import pytest

from referralhub.api.operations import OPERATIONS
from referralhub.models import ApiKey, AuditLine, Scope
from tests.people import Records

CALLS = {  # every call that needs a key, and the scope that it needs
    ("PUT", "/members/42"): Scope.MANAGE,
    ("GET", "/members"): Scope.READ,
    ("GET", "/members/42"): Scope.READ,
    ("GET", "/members/42/referrals"): Scope.READ,
    ("GET", "/members/42/ledger"): Scope.READ,
    ("GET", "/program"): Scope.READ,
    ("GET", "/leaderboard"): Scope.READ,
    ("POST", "/members/42/sign-in-links"): Scope.MANAGE,
    ("POST", "/events"): Scope.EVENTS,
    ("POST", "/track/lead"): Scope.EVENTS,
    ("POST", "/track/sale"): Scope.EVENTS,
    ("POST", "/track/refund"): Scope.EVENTS,
    ("GET", "/events"): Scope.READ,
    ("GET", "/events/42"): Scope.READ,
}


STATUS = dict.fromkeys(
    [("GET", "/members"), ("GET", "/program"), ("GET", "/leaderboard"), ("GET", "/events")], 200
)  # fmt: skip
STATUS[("PUT", "/members/42")] = 201
STATUS |= dict.fromkeys([call for call, scope in CALLS.items() if scope is Scope.EVENTS], 202)


def body_of(call: tuple[str, str]) -> Any:
    """What is sent: nothing that changes much."""
    return [] if CALLS[call] is Scope.EVENTS else {} if call[0] == "PUT" else None


def test_every_call_is_here():
    wanted = [call for call in OPERATIONS.values() if call.scope]
    assert len(CALLS) == len(wanted)


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_key_is_good_for_its_scope_alone(shop_with, call: tuple[str, str], scope: Scope):
    answer = shop_with(scope)
    if CALLS[call] is scope:
        answer.ask(*call, body_of(call), STATUS.get(call, 404))
    else:
        assert answer.ask(*call, body_of(call), 403)["code"] == "scope_missing"


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_without_a_key_nothing_is_told(shop_with, call: tuple[str, str], clock, records: Records):
    assert shop_with().ask(*call, expect=401)["code"] == "key_missing"
    over = shop_with(*Scope, expires_at=clock() + timedelta(days=1))
    clock.advance(days=1)
    assert over.ask(*call, expect=401)["code"] == "key_wrong"
    wrong = shop_with(*Scope)
    wrong.headers = {"Authorization": f"{wrong.headers['Authorization']}x"}
    wrong.ask(*call, expect=401)


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
