"""A product's customers are members here, under its own numbers."""

import json
from functools import partial

import pytest
from sqlalchemy import update

from referralhub.extensions import db
from referralhub.models import AuditLine, ExternalMember, OwnCode, Profile, Role, User
from referralhub.services.accounts import erasure
from tests.pages import Visitor
from tests.people import Person, Records, all_at_once, path_of

BO = {"email": "bo@example.com", "name": "Bo", "language": "de", "metadata": {"plan": "pro", "seats": 3}}


def test_is_made_once_and_changed_after_that(shop, records: Records):
    made = shop.ask("PUT", "/members/42", BO, 201)
    assert {key: made[key] for key in BO} == BO
    assert (made["external_id"], made["active"], path_of(made["link"])) == ("42", True, f"/{made['code']}/")
    assert shop.ask("PUT", "/members/42", BO) == made
    changed = shop.ask("PUT", "/members/42", {"name": "Bob", "language": ""})
    assert changed == made | {"name": "Bob", "language": None}
    found = shop.ask("GET", "/members/42")
    assert found == changed | {"statistics": found["statistics"]}
    assert len(records.all(User)) == 1
    lines = records.all(AuditLine)
    assert [line.action for line in lines] == ["api_key.create", "member.create", "member.change"]
    assert (lines[1].role, lines[1].after["api_key"], lines[2].after["changed"]) == (Role.API, 1, ["language", "name"])


def test_needs_neither_address_nor_name(shop, post_office):
    made = shop.ask("PUT", "/members/42", {}, 201)
    assert (made["email"], made["name"], made["metadata"]) == (None, "", {})
    assert post_office.deliver() == 0
    assert shop.ask("PUT", "/members/42", {"email": "bo@example.com"})["email"] == "bo@example.com"


def test_brings_friends_like_any_other(shop, alice: Person):
    link = shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)["link"]
    assert "Referred by Bo" in alice.click(path_of(link)).text
    alice.sign_up()
    assert shop.ask("GET", "/members/42")["statistics"]["pending"] == 1
    alice.confirm_address()
    figures = shop.ask("GET", "/members/42")["statistics"]
    assert (figures["total_referrals"], figures["rewards"], figures["unit"]) == (1, 10, "points")


def test_that_cannot_be_is_refused_at_its_field(shop, records: Records):
    for number, body, field in (
        ("42", {"email": "no address"}, "email"), ("42", {"email": 7}, "email"), ("42", {"name": "\u200b"}, "name"),
        ("42", {"name": "x" * 41}, "name"), ("42", {"name": "a\x00b"}, "name"),
        ("42", {"language": "x" * 11}, "language"),
        ("42", {"metadata": ["a"]}, "metadata"), ("42", {"mail": "bo@example.com"}, "mail"),
        ("42", {"metadata": {"a": ["b", "c\0d"]}}, "metadata.a[1]"), ("42", {"metadata": {"a\0": 1}}, "metadata"),
        ("42", {"metadata": {"a": 2**70}}, "metadata.a"),
        ("42", {"metadata": {"a": json.loads("[" * 30 + "]" * 30)}}, "metadata.a" + "[0]" * 19),
        ("4" * 256, {}, "external_id"), ("4%002", {}, "external_id"),
    ):  # fmt: skip
        problem = shop.ask("PUT", f"/members/{number}", body, 422)
        assert [each["field"] for each in problem["errors"]] == [field]
    assert records.all(User) == []


@pytest.mark.parametrize(("sent", "status"), [("{", 400), ("[]", 422), ("null", 422), ('"x"', 422), ("\xff", 400)])
def test_nonsense_is_refused(shop, records: Records, sent: str, status: int):
    shop.ask("PUT", "/members/42", None, status, data=sent.encode("latin-1"), content_type="application/json")
    shop.ask("PUT", "/members/42", None, 415, data="a=b")
    assert records.all(User) == []


def test_with_an_address_that_somebody_has_proven_is_refused(shop, alice: Person, records: Records):
    alice.sign_up()
    alice.confirm_address()
    for _ in range(2):
        problem = shop.ask("PUT", "/members/42", {"email": "Alice@Example.com"}, 422)
        assert [each["code"] for each in problem["errors"]] == ["email_taken"]
        assert (problem["code"], problem["detail"]) == ("account_taken", "Another account has proven this address.")
    shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)
    shop.ask("PUT", "/members/42", {"email": "alice@example.com", "name": "B"}, 422)
    assert shop.ask("GET", "/members/42")["name"] == "Bo"
    assert len(records.all(ExternalMember)) == 1


def test_that_many_make_at_once_is_made_once(shop, app, records: Records):
    def put() -> int:
        client = app.test_client()
        return client.put("/api/v1/members/42", json=BO, headers=shop.headers).status_code

    assert sorted(all_at_once([put] * 8)) == [200] * 7 + [201]
    assert (len(records.all(User)), len(records.all(Profile)), len(records.all(ExternalMember))) == (1, 1, 1)


def test_who_is_forgotten_is_nobody_and_can_come_back(shop, app, clock, records: Records):
    shop.ask("PUT", "/members/42", BO, 201)
    with app.app_context():
        erasure.erase(1, "gone", clock())
    shop.ask("GET", "/members/42", expect=404)
    shop.ask("PUT", "/members/42", BO, 201)
    assert [row.user_id for row in records.all(ExternalMember)] == [2]


class TestACodeOfTheirOwn:
    def test_is_in_their_link_and_saying_so_again_changes_nothing(self, shop, clock, alice: Person, records: Records):
        made = shop.ask("PUT", "/members/42", {"code": "Bo-Shop"}, 201)
        assert (made["code"], path_of(made["link"])) == ("bo-shop", "/bo-shop/")
        for code in ("bo-shop", " BO-SHOP "):
            assert shop.ask("PUT", "/members/42", {"code": code}) == made
        clock.advance(days=31)
        assert shop.ask("PUT", "/members/42", {"code": "bo-shop"}) == made
        changed = shop.ask("PUT", "/members/42", {"code": "bo-2027", "name": "Bo"})
        assert (changed["code"], changed["name"]) == ("bo-2027", "Bo")
        lines = [(line.action, line.after.get("changed")) for line in records.all(AuditLine)][1:]
        assert lines == [("member.create", ["code"]), ("member.change", ["code", "name"])]
        for path in ("/bo-shop/", "/bo-2027/"):
            assert "Referred by Bo" in alice.click(path).text

    def test_that_was_drawn_for_them_is_no_change(self, shop):
        made = shop.ask("PUT", "/members/42", {}, 201)
        assert shop.ask("PUT", "/members/42", {"code": made["code"].upper()}) == made

    @pytest.mark.parametrize(
        ("code", "status", "reason"),
        [
            ("bo", 422, "own_code_shape"),
            ("", 422, "own_code_shape"),
            ("b\u00f6-shop", 422, "own_code_foreign"),
            ("dashboard", 422, "own_code_reserved"),
            ("taken-one", 409, "own_code_taken"),
            ("taken-0ne", 409, "own_code_taken"),
        ],
    )
    def test_that_cannot_be_is_refused_at_its_field_and_leaves_nothing(
        self, shop, records: Records, code: str, status: int, reason: str
    ):
        shop.ask("PUT", "/members/1", {"code": "taken-one"}, 201)
        before = records.everything()
        problem = shop.ask("PUT", "/members/42", {"code": code, "name": "Bo"}, status)
        assert [(each["field"], each["code"]) for each in problem["errors"]] == [("code", reason)]
        assert records.everything() == before
        shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)
        before = records.everything()
        shop.ask("PUT", "/members/42", {"code": code, "name": "Bob", "metadata": {"a": 1}}, status)
        assert records.everything() == before

    def test_is_one_a_month_and_another_product_call_cannot_take_it(self, shop, records: Records):
        shop.ask("PUT", "/members/42", {"code": "bo-shop"}, 201)
        problem = shop.ask("PUT", "/members/42", {"code": "bo-other", "name": "Bo"}, 409)
        assert [(each["field"], each["code"]) for each in problem["errors"]] == [("code", "own_code_once_a_month")]
        assert shop.ask("GET", "/members/42")["name"] == ""

    def test_that_is_asked_for_many_times_at_once_is_taken_once(self, shop, app, records: Records):
        def put() -> int:
            client = app.test_client()
            return client.put("/api/v1/members/42", json={"code": "bo-shop"}, headers=shop.headers).status_code

        assert sorted(all_at_once([put] * 6)) == [200] * 5 + [201]
        assert [row.code for row in records.all(OwnCode)] == ["bo-shop"]


class TestSignInLink:
    @pytest.fixture
    def path(self, shop) -> str:
        shop.ask("PUT", "/members/42", BO, 201)
        return path_of(shop.ask("POST", "/members/42/sign-in-links", expect=201)["url"])

    def test_leads_a_person_to_the_dashboard_once(self, path: str, app):
        person = Visitor(app)
        opened = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert person.get(path, 303, headers=opened).location == "/dashboard/"
        assert person.get("/dashboard/").one("#referral-link")
        Visitor(app).get(path, 400, headers=opened)

    def test_is_not_used_up_by_a_program_that_looks_at_it(self, path: str, app):
        looked = Visitor(app).get(path)
        assert "Bo" in looked.text
        person = Visitor(app)
        assert person.submit(person.get(path).form(path)).location == "/dashboard/"

    def test_leads_on_who_comes_again_from_the_product(self, path: str, shop, app):
        person = Visitor(app)
        opened = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        person.get(path, 303, headers=opened)
        again = path_of(shop.ask("POST", "/members/42/sign-in-links", expect=201)["url"])
        assert person.get(again, 303, headers=opened).location == "/dashboard/"

    def test_asks_who_is_signed_in_as_somebody_else(self, path: str, alice: Person):
        alice.sign_up()
        opened = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert alice.get(path, headers=opened).form(path)
        assert "alice" in alice.get("/dashboard/").text

    def test_ends_after_ten_minutes(self, path: str, app, clock):
        clock.advance(minutes=11)
        Visitor(app).get(path, 400)

    def test_lets_no_admin_in_and_nobody_whose_account_is_closed(self, path: str, app, shop, records: Records):
        for values in ({"is_active": False}, {"is_active": True, "is_admin": True}):
            records.change(partial(db.session.execute, update(User).values(values)))
            Visitor(app).get(path, 400)
            shop.ask("POST", "/members/42/sign-in-links", expect=409)


class TestLists:
    def test_of_members_has_all_of_them_in_parts(self, shop):
        for number in range(45):
            shop.ask("PUT", f"/members/{number}", {}, 201)
        found, query = [], ""
        while query is not None:
            part = shop.ask("GET", f"/members{query}")
            found += [each["external_id"] for each in part["members"]]
            query = part["next"] and f"?after={part['next']}"
        assert found == [str(number) for number in range(44, -1, -1)]

    def test_of_what_a_member_brought_and_was_given(self, shop, alice: Person):
        link = shop.ask("PUT", "/members/42", {}, 201)["link"]
        alice.click(path_of(link))
        alice.sign_up()
        [referral] = shop.ask("GET", "/members/42/referrals")["referrals"]
        assert (referral["friend"], referral["state"], referral["reason"]) == ("alice", "pending", "signed_up")
        assert shop.ask("GET", "/members/42/ledger") == {"entries": [], "next": None}
        alice.confirm_address()
        [referral] = shop.ask("GET", "/members/42/referrals")["referrals"]
        assert (referral["state"], referral["reason"]) == ("confirmed", "address_verified")
        [entry] = shop.ask("GET", "/members/42/ledger")["entries"]
        assert (entry["kind"], entry["amount"], entry["unit"], entry["balance"]) == ("referrer", 10, "points", 10)
        for each in ("referrals", "ledger"):
            shop.ask("GET", f"/members/43/{each}", expect=404)

    @pytest.mark.one_database
    def test_take_no_cursor_that_is_none(self, shop):
        shop.ask("PUT", "/members/42", {}, 201)
        for path in ("/members", "/members/42/referrals", "/members/42/ledger", "/members/42/claims", "/referrals"):
            for cursor in ("", "x", "-1", "0", "9" * 20, "1.5", "1e3", "\u0665", "5&after=5"):
                problem = shop.ask("GET", f"{path}?after={cursor}", expect=422)
                assert (problem["code"], problem["errors"][0]["field"]) == ("query_invalid", "after"), (path, cursor)
