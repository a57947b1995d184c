"""Erasing and filtering members, adjustments, perks and claims, the rules, growth; and what is told of all answers."""

from functools import partial

import pytest
from flask import Flask
from sqlalchemy import update

from referralhub.extensions import db
from referralhub.models import AuditLine, Program, Redemption, Role, User
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from tests.people import Person, Records, path_of

BO = {"email": "bo@example.com", "name": "Bo"}


class TestMembers:
    def test_are_found_by_time_and_whether_they_are_active(self, shop, clock, app: Flask, records: Records):
        shop.ask("PUT", "/members/1", {}, 201)
        clock.advance(days=1)
        shop.ask("PUT", "/members/2", {}, 201)
        records.change(partial(db.session.execute, update(User).where(User.id == 1).values(is_active=False)))

        def found(**query: str) -> list[str]:
            return [each["external_id"] for each in shop.ask("GET", "/members", query_string=query)["members"]]

        assert found(active="true") == found(created_from=clock().isoformat()) == ["2"]
        assert found(active="false") == found(created_to=clock().isoformat()) == ["1"]
        assert shop.ask("GET", "/members?active=1", expect=422)["errors"][0]["field"] == "active"

    @pytest.mark.parametrize("query", ["", "?active=true", "?active=false", "?created_to=2100-01-01T00:00:00Z"])
    def test_come_in_parts_however_they_are_asked_for(self, shop, records: Records, query: str):
        """Also behind one who is forgotten meanwhile."""
        for number in range(45):
            shop.ask("PUT", f"/members/{number}", {}, 201)
        if query == "?active=false":
            records.change(partial(db.session.execute, update(User).values(is_active=False)))
        found, after = [], ""
        while after is not None:
            part = shop.ask("GET", f"/members{query}{after}")
            found += [each["external_id"] for each in part["members"]]
            shop.ask("DELETE", f"/members/{found[-1]}", expect=204)
            after = part["next"] and f"{'&' if query else '?'}after={part['next']}"
        assert found == [str(number) for number in range(44, -1, -1)]

    def test_are_forgotten_however_often_that_is_asked(self, shop, alice: Person, records: Records):
        link = shop.ask("PUT", "/members/42", BO, 201)["link"]
        alice.click(path_of(link))
        alice.sign_up()
        alice.confirm_address()
        for _ in range(2):
            shop.ask("DELETE", "/members/42", expect=204)
        shop.ask("GET", "/members/42", expect=404)
        alice.get(path_of(link), 302)
        assert "Bo" not in alice.get("/signup", None).text
        [referral] = shop.ask("GET", "/referrals")["referrals"]
        assert referral["referrer"] == {"external_id": None, "name": "A former member"}
        assert "bo@example.com" not in {each.email for each in records.all(User)}
        lines = [line for line in records.all(AuditLine) if line.action == "member.erase"]
        assert [(line.role, line.subject_id, line.after) for line in lines] == [(Role.API, 1, {"api_key": 1})]

    def test_who_runs_the_program_is_not_forgotten_by_a_program(self, shop, records: Records):
        shop.ask("PUT", "/members/42", BO, 201)
        records.change(partial(db.session.execute, update(User).values(is_admin=True)))
        assert shop.ask("DELETE", "/members/42", expect=409)["code"] == "member_is_admin"
        assert shop.ask("GET", "/members/42")["name"] == "Bo"


class TestAdjustments:
    def test_give_and_take_and_are_in_the_audit_log(self, shop, records: Records):
        shop.ask("PUT", "/members/42", BO, 201)
        for amount, unit, left in ((500, "EUR", 500), (-700, "EUR", -200), (3, None, 3)):
            body = {"amount": amount, "reason": "a gift"} | ({"unit": unit} if unit else {})
            entry = shop.ask("POST", "/members/42/adjustments", body, 201)
            assert (entry["balance"], entry["unit"], entry["note"]) == (left, unit or "points", "a gift")
        assert [each["id"] for each in shop.ask("GET", "/members/42/ledger")["entries"]] == [3, 2, 1]
        lines = [line for line in records.all(AuditLine) if line.action == "member.adjust"]
        assert [(line.role, line.after["balance"]) for line in lines] == [
            (Role.API, 500),
            (Role.API, -200),
            (Role.API, 3),
        ]

    @pytest.mark.one_database
    def test_that_cannot_be_are_refused_at_their_field(self, shop):
        shop.ask("PUT", "/members/42", BO, 201)
        for body, field in (
            ({"amount": 0}, "amount"), ({"amount": 1.5}, "amount"), ({"amount": 10**12}, "amount"),
            ({"amount": True}, "amount"), ({"amount": 5, "unit": "EUROS"}, "unit"), ({"amount": 5, "unit": ""}, "unit"),
            ({"amount": 5, "reason": " "}, "reason"), ({}, "amount"), ({"amount": 5, "cause": "x"}, "cause"),
        ):  # fmt: skip
            problem = shop.ask("POST", "/members/42/adjustments", {"reason": "a gift"} | body, 422)
            assert [each["field"] for each in problem["errors"]] == [field], body


class TestPerks:
    @pytest.fixture(autouse=True)
    def _perks(self, shop, app: Flask, clock) -> None:
        shop.ask("PUT", "/members/42", BO, 201)
        with app.app_context():
            catalogue.add("Mug", "Blue", clock(), price=30, stock=2)
            catalogue.add("Voucher", "", clock(), price=5, coupons=["A1"])
            catalogue.add("Badge", "", clock(), unlocked_at=0 + 1)

    def test_are_listed_claimed_and_handed_over(self, shop, records: Records):
        perks = shop.ask("GET", "/perks")["perks"]
        assert {each["name"]: (each["price"], each["left"]) for each in perks} == {
            "Mug": (30, 2), "Voucher": (5, 1), "Badge": (None, None),
        }  # fmt: skip
        assert shop.ask("POST", "/members/42/claims", {"perk_id": 1}, 409)["code"] == "perk_too_dear"
        assert shop.ask("POST", "/members/42/claims", {"perk_id": 3}, 409)["code"] == "perk_locked"
        assert shop.ask("POST", "/members/42/claims", {"perk_id": 9}, 409)["code"] == "perk_not_offered"
        shop.ask("POST", "/members/42/adjustments", {"amount": 40, "reason": "a gift"}, 201)
        mug = shop.ask("POST", "/members/42/claims", {"perk_id": 1}, 201, headers={"Idempotency-Key": "a"})
        assert (mug["perk"], mug["fulfilled_at"]) == ("Mug", None)
        assert shop.ask("POST", "/members/42/claims", {"perk_id": 1}, 201, headers={"Idempotency-Key": "a"}) == mug
        coupon = shop.ask("POST", "/members/42/claims", {"perk_id": 2}, 201)
        assert (coupon["coupon"], bool(coupon["fulfilled_at"])) == ("A1", True)
        done = shop.ask("POST", f"/claims/{mug['id']}/fulfilled")
        assert done["fulfilled_at"]
        assert shop.ask("POST", f"/claims/{mug['id']}/fulfilled") == done
        assert shop.ask("GET", "/members/42/claims") == {"claims": [coupon, done], "next": None}
        assert len(records.all(Redemption)) == 2
        shop.ask("POST", "/claims/99/fulfilled", expect=404)
        shop.ask("GET", "/members/43/claims", expect=404)

    def test_that_are_unlocked_are_claimed_once(self, shop, alice: Person):
        alice.click(path_of(shop.ask("GET", "/members/42")["link"]))
        alice.sign_up()
        alice.confirm_address()
        claim = shop.ask("POST", "/members/42/claims", {"perk_id": 3}, 201)
        assert shop.ask("POST", "/members/42/claims", {"perk_id": 3}, 200) == claim


class TestProgram:
    def test_is_told_with_every_setting(self, shop):
        found = shop.ask("GET", "/program")
        assert found.keys() == {"version", "created", "ledger_unit", *rules.DEFAULT}
        assert (found["version"], found["unit"], found["ledger_unit"], found["tiers"]) == (
            1, "points", "points", rules.TIERS
        )  # fmt: skip

    def test_is_changed_as_a_new_version_and_not_twice(self, shop, records: Records):
        terms = {"referrer_amount": 20, "milestones": [{"at": 5, "bonus": 100}, {"at": 9}], "tiers": rules.TIERS}
        changed = shop.ask("PATCH", "/program", terms | {"made_from": 1})
        assert (changed["version"], changed["referrer_amount"], changed["friend_amount"]) == (2, 20, 0)
        assert changed["milestones"] == terms["milestones"]
        assert shop.ask("GET", "/program") == shop.ask("PATCH", "/program", terms | {"made_from": 1}) == changed
        problem = shop.ask("PATCH", "/program", {"referrer_amount": 21, "made_from": 1}, 409)
        assert (problem["code"], problem["errors"][0]["field"]) == ("version_superseded", "made_from")
        assert shop.ask("PATCH", "/program", {"unit": "money", "currency": "EUR"})["ledger_unit"] == "EUR"
        assert shop.ask("PATCH", "/program", {"member_cap": 5})["member_cap"] == 5
        assert shop.ask("PATCH", "/program", {"member_cap": None})["member_cap"] is None
        everything = shop.ask("GET", "/program")
        settings = {name: everything[name] for name in rules.DEFAULT}
        assert shop.ask("PATCH", "/program", settings) == everything
        assert len(records.all(Program)) == 5
        assert {line.role for line in records.all(AuditLine) if line.action == "program.change"} == {Role.API}

    @pytest.mark.one_database
    def test_cannot_be_anything(self, shop, records: Records):
        for body, field, code in (
            ({"window_days": 0}, "window_days", "window_out_of_range"),
            ({"currency": "XXX"}, "currency", "currency_unknown"),
            ({"timezone": "Mars"}, "timezone", "timezone_unknown"), ({"tiers": []}, "tiers", "tiers_not_from_zero"),
            ({"unit": "hours"}, "unit", "choice"), ({"hold_days": -1}, "hold_days", "range"),
            ({"name": "a\0b"}, "name", "pattern"), ({"points": 1}, "points", "unknown"),
        ):  # fmt: skip
            problem = shop.ask("PATCH", "/program", body, 422)
            assert [(each["field"], each["code"]) for each in problem["errors"]] == [(field, code)]
        assert len(records.all(Program)) == 1

    def test_has_a_leaderboard(self, shop, alice: Person):
        alice.click(path_of(shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)["link"]))
        alice.sign_up()
        alice.confirm_address()
        for period in ("", "?period=all", "?period=month", "?period=week"):
            board = shop.ask("GET", f"/leaderboard{period}")
            assert board["places"] == [{"rank": 1, "name": "Bo", "referrals": 1}]
        assert shop.ask("GET", "/leaderboard?period=year", expect=422)["errors"][0]["field"] == "period"

    def test_tells_how_it_grows(self, shop, alice: Person, clock):
        alice.click(path_of(shop.ask("PUT", "/members/42", {"name": "Bo"}, 201)["link"]))
        alice.sign_up()
        alice.confirm_address()
        found = shop.ask("GET", "/growth")
        assert (found["members"], found["waiting"], found["joined"]["now"], found["given"]["now"]) == (2, 0, 2, 10)
        last = found["months"][-1]
        assert (last["organic"], last["referred"], last["referred_per_organic"]) == (1, 1, 1.0)
        day = f"{clock():%Y-%m-%d}"
        assert shop.ask("GET", f"/growth?first={day}&last={day}")["months"] == [last]

    @pytest.mark.one_database
    def test_grows_in_no_other_days(self, shop):
        for query, code in (
            ("first=2026-02-01&last=2026-01-01", "range_reversed"), ("first=2001-01-01", "range_too_long"),
            ("first=1999-01-01&last=1999-01-02", "range_out_of_years"), ("last=9999-12-31", "range_out_of_years"),
        ):  # fmt: skip
            assert shop.ask("GET", f"/growth?{query}", expect=422)["code"] == code


class TestAnswers:
    def test_that_have_not_changed_are_not_sent_again(self, shop):
        shop.ask("PUT", "/members/42", BO, 201)
        for path in ("/members/42", "/members", "/program", "/openapi.json"):
            first = shop.client.get(f"/api/v1{path}", headers=shop.headers)
            has = shop.headers | {"If-None-Match": first.headers["ETag"]}
            same = shop.client.get(f"/api/v1{path}", headers=has)
            assert (same.status_code, same.get_data(), same.headers["ETag"]) == (304, b"", first.headers["ETag"])
        shop.ask("PUT", "/members/42", {"name": "Bob"})
        has = shop.headers | {"If-None-Match": shop.client.get("/api/v1/members", headers=shop.headers).headers["ETag"]}
        assert shop.client.get("/api/v1/members", headers=has).status_code == 304
        shop.ask("PUT", "/members/42", {"name": "Bo"})
        assert shop.client.get("/api/v1/members", headers=has).status_code == 200

    def test_are_of_one_kind_for_every_address(self, shop):
        for method, path, expect in (
            ("GET", "/nothing", 404), ("POST", "/members", 405), ("GET", "/referrals/0", 404),
            ("GET", f"/referrals/{2**31}", 404), ("GET", "/referrals/x", 404), ("GET", "/members/a%00b", 404),
            ("POST", "/members/a%00b/sign-in-links", 404), ("DELETE", "/members/a%00b", 422),
            ("GET", "/program?x=1", 422),
        ):  # fmt: skip
            shop.ask(method, path, expect=expect)
