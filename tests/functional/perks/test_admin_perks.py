"""The panel's pages about perks: adding them, restocking them, handing them over, each once and on record."""

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import AuditLine, Coupon, Perk, Profile, Redemption, Role
from referralhub.services.perks import catalogue, claims
from tests.factories import befriend, member
from tests.pages import Page
from tests.people import Person, all_at_once

NEW, MUG = "/admin/perks/new", "/admin/perks/1/"

# What is typed, the field at which the message stands, and a part of the message.
WRONG = [
    ({"name": ""}, "name", "Give it a name"),
    ({"name": "   "}, "name", "Give it a name"),
    ({"name": "Mug"}, "name", "already"),
    ({"name": "x" * 81}, "name", "80"),
    ({"name": "Te\0a"}, "name", "control character"),
    ({"summary": "x" * 501}, "summary", "500"),
    ({"price": ""}, "price", "price, or"),
    ({"price": "0"}, "price", "from 1"),
    ({"price": "-5"}, "price", "whole number"),
    ({"price": "1.5"}, "price", "whole number"),
    ({"price": "٣"}, "price", "whole number"),
    ({"price": "9" * 5000}, "price", "whole number"),
    ({"price": "1000000001"}, "price", "1,000,000,000"),
    ({"price": "1.5", "unit": "USD"}, "price", "dollars"),
    ({"price": "10000000.01", "unit": "USD"}, "price", "10000000.00"),
    ({"price": "10", "unlocked_at": "3"}, "price", "either"),
    ({"price": "", "unlocked_at": "0"}, "unlocked_at", "from 1"),
    ({"price": "", "unlocked_at": "many"}, "unlocked_at", "whole number"),
    ({"unit": "bananas"}, "unit", "valid choice"),
    ({"stock": "-1"}, "stock", "whole number"),
    ({"stock": "99999999999"}, "stock", "10,000,000"),
    ({"stock": "5", "coupons": "A"}, "coupons", "one of the two"),
    ({"coupons": "A\nB\nA"}, "coupons", "twice: A."),
    ({"coupons": "x" * 81}, "coupons", "too long"),
    ({"coupons": "A\0"}, "coupons", "control character"),
    ({"coupons": "\n".join(map(str, range(5001)))}, "coupons", "5,000"),
]  # fmt: skip


@pytest.fixture
def add(app: Flask, clock):
    """Put a perk into the catalogue as an operator would."""

    def put(name: str = "Mug", **values: object) -> int:
        with app.app_context():
            return catalogue.add(name, "", clock(), **({"price": 10} | values))

    return put


@pytest.fixture
def claim(app: Flask, clock):
    """Let a member with friends claim a perk this many times."""

    def claim(perk_id: int = 1, times: int = 1, username: str = "alice") -> None:
        member(app, username, clock())
        befriend(app, username, times, clock())
        with app.app_context():
            profile_id = db.session.scalar(db.select(Profile.id).order_by(Profile.id).filter_by(referral_count=times))
            for number in range(times):
                claims.redeem(profile_id, perk_id, f"form-{number}", clock())

    return claim


@pytest.fixture
def logged(records):
    """Give the lines of the audit log since the last call: action, subject, before, after; all by the admin."""
    seen = [0]

    def lines() -> list[tuple]:
        new = [line for line in records.all(AuditLine) if line.id > seen[0]]
        seen[0] = max([seen[0], *(line.id for line in new)])
        assert all((line.role, line.actor_id) == (Role.ADMIN, 1) for line in new if line.role is not Role.OPERATOR)
        return [
            (line.action, line.subject_id, line.before, line.after) for line in new if line.role is not Role.OPERATOR
        ]

    return lines


def fill_in(admin: Person, expect: int = 303, **values: str) -> Page:
    """Send the form for one more perk, in points unless told."""
    return admin.submit(admin.get(NEW).form(NEW), expect, **({"unit": "points"} | values))


def row(page: Page, number: int) -> list[str]:
    """Give the cells of one row of a list."""
    return [cell.text for cell in page.one(f'tr[data-row="{number}"]').all("td")]


class TestAdding:
    def test_a_perk_bought_in_dollars_of_which_there_are_five(self, admin: Person, records, logged):
        page = fill_in(
            admin,
            name=" Mug ",
            summary="Holds tea.",
            price="$1,020.50",
            unit="USD",
            stock="5",
        )
        assert "Mug is in the catalogue." in admin.follow(page).text
        perk = records.one(Perk)
        assert (perk.name, perk.price, perk.unit, perk.stock, perk.is_active) == (
            "Mug",
            102050,
            "USD",
            5,
            True,
        )
        terms = {"name": "Mug", "price": 102050, "unit": "USD", "unlocked_at": None, "pieces": 5}
        assert logged() == [("perk.add", 1, {}, terms)]
        assert row(admin.get("/admin/perks/"), 1)[1:7] == ["Mug", "$1,020.50", "5", "0", "by hand", "yes"]

    def test_one_unlocked_with_coupons(self, admin: Person, records):
        fill_in(admin, name="Tea", unlocked_at="1", coupons="TEA 1\r\n\r\n  TEA-2\n")
        assert [coupon.code for coupon in records.all(Coupon)] == ["TEA 1", "TEA-2"]
        cells = row(admin.get("/admin/perks/"), 1)
        assert cells[2:6] == ["unlocked by 1 referral", "2", "0", "coupon"]

    def test_sending_the_form_twice_adds_one(self, admin: Person, records, logged):
        form = admin.get(NEW).form(NEW)
        values = {"name": "Mug", "price": "10", "unit": "points", "coupons": "A\nB"}
        first, second = admin.submit(form, **values), admin.submit(form, **values)
        assert first.location == second.location == "/admin/perks/1/"
        records.one(Perk)
        assert len(logged()) == 1

    def test_what_is_wrong_stands_at_its_field(self, admin: Person, add, records):
        add(price=20)
        form, before = admin.get(NEW).form(NEW), records.everything()
        for values, field, words in WRONG:
            page = admin.submit(form, 422, **({"name": "Tea", "price": "10", "unit": "points"} | values))
            assert page.wrong_fields == {field}, values
            assert words in page.error_at(field)
            kept = page.one(f'[name="{field}"]')
            if kept.tag == "input" and "\0" not in values[field]:
                assert kept["value"] == values[field].strip()
        assert records.everything() == before


class TestOnePerk:
    def test_switching_it_off_and_on_is_on_record_once_each(self, admin: Person, add, records, logged):
        add()
        off = admin.get(MUG).form("/admin/perks/1/off")
        assert "not offered any more" in admin.follow(admin.submit(off)).text
        assert "already" in admin.follow(admin.submit(off)).text
        assert not records.one(Perk).is_active
        assert logged() == [("perk.deactivate", 1, {"is_active": True}, {"is_active": False})]
        admin.submit(admin.get(MUG).form("/admin/perks/1/on"))
        assert records.one(Perk).is_active
        assert logged() == [("perk.activate", 1, {"is_active": False}, {"is_active": True})]

    def test_more_pieces_come_once_for_a_form(self, admin: Person, add, records, logged):
        add(stock=2)
        form = admin.get(MUG).form("/admin/perks/1/stock")
        assert "3 more in stock" in admin.follow(admin.submit(form, pieces="3")).text
        assert "sent before" in admin.follow(admin.submit(form, pieces="3")).text
        assert records.one(Perk).stock == 5
        assert logged() == [("perk.add_stock", 1, {"stock": 2}, {"stock": 5})]
        assert "stock: 2 → 5" in admin.get(MUG).text

    def test_of_forms_sent_together_each_counts_once(self, admin: Person, add, records, logged):
        add(stock=2)
        forms = [admin.get(MUG).form("/admin/perks/1/stock") for _ in range(3)]
        sent = []
        for form in forms * 2:
            twin = Person(admin.post_office.app, admin.post_office, "grace")
            twin.client.set_cookie("referralhub", admin.session_id())
            sent.append(lambda t=twin, f=form: t.submit(f, pieces="10"))
        all_at_once(sent)
        assert records.one(Perk).stock == 32
        assert [after["stock"] for *_, after in logged()] == [12, 22, 32]

    def test_more_coupons_come_once_for_a_form_and_all_or_none(self, admin: Person, add, records, logged):
        add(coupons=["A"])
        form = admin.get(MUG).form("/admin/perks/1/coupons")
        page = admin.submit(form, 422, coupons="B\nA")
        assert "in the pool already: A." in page.error_at("coupons")
        assert page.one('[name="coupons"]').text == "B A"
        assert logged() == []
        admin.submit(page.form("/admin/perks/1/coupons"), coupons="B\nC")
        assert "sent before" in admin.follow(admin.submit(form, coupons="B\nC")).text
        assert [coupon.code for coupon in records.all(Coupon)] == ["A", "B", "C"]
        assert logged() == [("perk.add_coupons", 1, {"coupons": 1}, {"coupons": 3})]

    def test_bad_stock_is_refused(self, admin: Person, add, records):
        add(stock=1), add("Tea", coupons=["A"])
        before = records.everything()
        for path, field, typed, words in (
            ("1/stock", "pieces", "0", "from 1"),
            ("1/stock", "pieces", "1e9", "whole number"),
            ("1/stock", "pieces", "10000000", "at most"),
            ("2/coupons", "coupons", "  \n ", "Paste the codes"),
            ("2/coupons", "coupons", "B\nB", "twice"),
        ):
            form = admin.get(f"/admin/perks/{path[0]}/").form(f"/admin/perks/{path}")
            assert words in admin.submit(form, 422, **{field: typed}).error_at(field)
        assert records.everything() == before

    def test_stock_of_the_wrong_kind_and_a_damaged_form_are_refused(self, admin: Person, add, records):
        add(), add("Tea", coupons=["A"])
        token = admin.get(MUG).all('[name="csrf_token"]')[0]["value"]
        before = records.everything()
        sent = {"csrf_token": token, "key": "abcdefgh", "pieces": "1", "coupons": "B"}
        for path in ("/1/stock", "/2/stock", "/1/coupons"):
            admin.post(f"/admin/perks{path}", sent, 422)
        admin.post("/admin/perks/2/coupons", sent | {"key": "x\0"}, 422)
        assert records.everything() == before

    def test_what_is_not_there_is_not_found(self, admin: Person):
        token = admin.get(NEW).form(NEW).one('[name="csrf_token"]')["value"]
        sent = {"csrf_token": token, "key": "abcdefgh", "pieces": "1", "coupons": "B"}
        for number in ("7", "99999999999999999999", "-1", "x"):
            admin.get(f"/admin/perks/{number}/", 404)
            for step in ("on", "off", "stock", "coupons"):
                admin.post(f"/admin/perks/{number}/{step}", sent, 404)
            admin.post(f"/admin/claims/{number}/fulfil", sent, 404)


class TestClaims:
    def test_what_waits_is_handed_over_once(self, admin: Person, add, claim, clock, records, logged):
        add()
        claim(times=2)
        waiting = admin.get("/admin/claims/?flt_state=waiting")
        assert len(waiting.all("tr[data-row]")) == 2
        assert row(waiting, 1)[1:3] == ["Mug", "alice"]
        form = waiting.form("/admin/claims/1/fulfil")
        clock.advance(minutes=5)
        page = admin.submit(form)
        assert page.location == "/admin/claims/?flt_state=waiting"
        clock.advance(minutes=5)
        assert "handed over before" in admin.follow(admin.submit(form)).text
        first, second = records.all(Redemption)
        assert (first.fulfilled_at - first.created).total_seconds() == 300
        assert second.fulfilled_at is None
        assert logged() == [("claim.fulfil", 1, {"handed_over": False}, {"handed_over": True, "perk": 1})]
        assert len(admin.get("/admin/claims/?flt_state=waiting").all("tr[data-row]")) == 1
        admin.submit(admin.get(MUG).form("/admin/claims/2/fulfil"), next="https://elsewhere.example/")
        assert "Claimed 2" in admin.get(MUG).text

    def test_a_coupon_was_handed_over_at_once(self, admin: Person, add, claim):
        add(coupons=["TEA-1", "TEA-2"])
        claim()
        page = admin.get(MUG)
        assert "TEA-1" in page.one('[data-claim="1"]').text
        assert "1 coupon" in page.text
        assert not page.all('form[action="/admin/claims/1/fulfil"]')
        assert "Nothing matches" in admin.get("/admin/claims/?flt_state=waiting").text

    def test_lists_run_as_many_queries_for_many_rows_as_for_few(self, admin: Person, add, claim, count_queries):
        def count(path: str) -> int:
            with count_queries() as statements:
                admin.file(path)
            return len(statements)

        pages = ["/admin/perks/", "/admin/claims/", MUG, "/admin/claims/rows.csv"]
        add(), claim(times=2)
        few = [count(path) for path in pages]
        for number in range(20):
            add(f"Perk {number}", coupons=["A"])
        claim(times=30, username="bob")
        assert [count(path) for path in pages] == few

    def test_nobody_else_gets_near_them(self, admin: Person, alice: Person, add, records):
        add(stock=1)
        forms = admin.get(MUG).all("form")
        alice.sign_up()
        token = alice.get("/account/profile").form("/account/profile").one('[name="csrf_token"]')["value"]
        before = records.everything()
        for path in ("/admin/perks/new", "/admin/claims/1/fulfil", *(form["action"] for form in forms)):
            if path.startswith("/admin/"):
                alice.post(path, {"csrf_token": token, "key": "abcdefgh", "pieces": "1"}, 404)
        assert records.everything() == before
