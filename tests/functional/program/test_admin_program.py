"""Changing the rules in the panel: seen before it is done, done once, and never over somebody else's change."""

import pytest
from flask import Flask

from referralhub.models import AuditLine, Program, ReferralState, Role, Touch
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from tests.factories import befriend, member
from tests.pages import Element, Page
from tests.people import Person, all_at_once

EDIT, PREVIEW, HERE = "/admin/program/edit", "/admin/program/preview", "/admin/program/"
SHOP = "https://shop.example.com/welcome"
TIERS = "0 Bronze\n10 Silver\n50 Gold\n100 Diamond"

# What is typed into one field, and a part of the message that stands there.
WRONG = [
    ("name", "", "Give it a name"),
    ("name", "x" * 41, "40"),
    ("name", "a\0b", "control character"),
    ("unit", "bananas", "valid choice"),
    ("touch", "", "valid choice"),
    ("referrer_amount", "", "Enter an amount"),
    ("referrer_amount", "-1", "whole number"),
    ("referrer_amount", "1.5", "whole number"),
    ("referrer_amount", "1000000001", "1,000,000,000"),
    ("friend_amount", "9" * 5000, "whole number"),
    ("friend_amount", "ten", "whole number"),
    ("member_cap", "none", "whole number"),
    ("window_days", "0", "from 1 to 30"),
    ("window_days", "31", "from 1 to 30"),
    ("hold_days", "-1", "whole number"),
    ("hold_days", "99999", "3,650"),
    ("late_code_days", "31", "30"),
    ("late_code_days", "", "Enter a number of days"),
    ("tiers", "", "at least one tier"),
    ("tiers", "  \n ", "begin at 0"),
    ("tiers", "Silver 10", "is no tier"),
    ("tiers", "5 Gold", "begin at 0"),
    ("tiers", "0 A\n0 B", "rise"),
    ("tiers", "0 A\n99999999999999999999 B", "whole number"),
    ("tiers", "0 A\0", "is no tier"),
    ("tiers", f"0 {'x' * 41}", "is no tier"),
    ("tiers", "\n".join(f"{n} T" for n in range(31)), "30 lines"),
    ("milestones", "10: 50", "is no milestone"),
    ("milestones", "0 = 5", "from 1"),
    ("milestones", "10 = -5", "whole number"),
    ("milestones", "10 = 5\n10 = 6", "rise"),
    ("destination", "shop.example.com", "whole address"),
    ("destination", "ftp://shop.example.com/", "whole address"),
    ("destination", "https://shop.example.com@evil.example/", "whole address"),
    ("destination", "https://shop.example.com/a b", "whole address"),
    ("destination", "https://shop.example.com/\u00e4", "whole address"),
    ("destination", "https://shop.example.com/\r\nX: y", "whole address"),
    ("destination", f"https://shop.example.com/{'x' * 500}", "500"),
    ("friend_coupon", "x" * 81, "80"),
    ("friend_coupon", "a\0b", "control character"),
    ("qualifies_on", "", "Say what earns"),
    ("qualifies_on", "Purchase", "the type of your events"),
    ("qualifies_on", "refund", "not refund"),
    ("least_amount", "-1", "such as 20"),
    ("condition", "plan", "is no condition"),
    ("condition", "\n".join(f"k{n} = 1" for n in range(11)), "at most 10 names"),
    ("condition", f"plan = {'x' * 101}", "100 characters"),
    ("referrer_share", "ten", "percent"),
    ("referrer_share", "100.01", "from 0 to 100"),
    ("referrer_share", "5", "fixed amount"),
    ("friend_share", "5", "event with an amount"),
    ("earning_events", "0", "from 1"),
    ("earning_months", "121", "from 1 to 120"),
    ("referral_cap", "none", "whole number"),
    ("monthly_cap", "-5", "whole number"),
]


def filled(form: Element) -> dict[str, str]:
    """Give what stands in the choices and text areas of the form, which submitting it as it is would send too."""
    areas = {area["name"]: "".join(map(str, area.children)).strip() for area in form.all("textarea")}
    for select in form.all("select"):
        chosen = [option["value"] for option in select.all("option[selected]")]
        areas[select["name"]] = chosen[0]
    return areas


def send(admin: Person, page: Page | None = None, expect: int = 200, **values: str) -> Page:
    """Fill in the form, as it stands but for these values, and ask for the preview."""
    form = (page or admin.get(EDIT)).form(PREVIEW)
    return admin.submit(form, expect, **(filled(form) | values))


def changes(page: Page) -> dict[str, list[str]]:
    """Read the table of the preview: old and new words of each rule."""
    return {row["data-change"]: [cell.text for cell in row.all("td")] for row in page.all("tr[data-change]")}


@pytest.fixture
def logged(records):
    """Give what the audit log says of the rules, by whoever is an admin."""
    return lambda: [
        (line.action, line.actor_id, line.subject_id, line.before, line.after)
        for line in records.all(AuditLine, subject="program")
        if line.role is Role.ADMIN
    ]


class TestChangingTheRules:
    def test_it_is_shown_first_and_then_done_and_on_record(self, admin: Person, records, logged):
        before = records.everything()
        page = send(
            admin, referrer_amount="25", friend_amount="1,000", member_cap="5000", hold_days="14", touch="first",
            late_code_days="0",
        )  # fmt: skip
        assert changes(page) == {
            "referrer_amount": ["10 points", "25 points"],
            "friend_amount": ["0 points", "1,000 points"],
            "member_cap": ["no limit", "5,000 points"],
            "touch": ["the last one", "the first one"],
            "hold_days": ["at once", "after 14 days"],
            "late_code_days": ["14 days", "off"],
        }
        assert records.everything() == before
        done = admin.follow(admin.submit(page.form(HERE)))
        assert "Version 2 is in force" in done.text
        program = records.all(Program)[1]
        assert (program.referrer_amount, program.member_cap, program.hold_days, program.touch) == (
            25,
            5000,
            14,
            Touch.FIRST,
        )
        assert done.one("[data-version]")["data-version"] == "2"
        history = [cell.text for cell in done.one('tr[data-history="2"]').all("td")]
        assert history[1] == "grace"
        assert "Who refers gets: 10 points → 25 points" in history[2]
        old = {"referrer_amount": 10, "friend_amount": 0, "member_cap": None, "touch": "last", "hold_days": 0}
        new = {"referrer_amount": 25, "friend_amount": 1000, "member_cap": 5000, "touch": "first", "hold_days": 14}
        old, new = old | {"late_code_days": 14}, new | {"late_code_days": 0}
        assert logged() == [("program.change", 1, program.id, old, new)]

    def test_dollars_tiers_milestones_and_switches_come_back_as_they_were_typed(
        self, admin: Person, app, records, clock
    ):
        with app.app_context():
            rules.change({"paid_customer_cost": 9900, "thousand_units_cost": 150}, clock())
        page = send(
            admin,
            name="Ours", unit="money", referrer_amount="20.05", friend_amount="$20", member_cap="", window_days="7",
            tiers="0 New\r\n\r\n5  Very good ", milestones="1\n10=50.00", email_invitations="y", personal_landing="y",
        )  # fmt: skip
        assert changes(page)["tiers"][1] == "New from 0, Very good from 5"
        assert changes(page)["milestones"][1] == "1 friend, 10 friends ($50.00)"
        admin.submit(page.form(HERE))
        program = records.all(Program)[-1]
        assert (program.ledger_unit, program.referrer_amount, program.friend_amount) == ("USD", 2005, 2000)
        assert program.tiers == [{"name": "New", "at": 0}, {"name": "Very good", "at": 5}]
        assert program.milestones == [{"at": 1}, {"at": 10, "bonus": 5000}]
        assert (program.email_invitations, program.personal_landing) == (True, True)
        assert (program.paid_customer_cost, program.thousand_units_cost) == (9900, 150)
        form = admin.get(EDIT).form(PREVIEW)
        assert form.one('[name="referrer_amount"]')["value"] == "20.05"
        assert "in force already" in admin.follow(admin.submit(form, 303, **filled(form))).text
        assert len(records.all(Program)) == 3

    def test_terms_of_a_product_come_back_as_they_were_typed(self, admin: Person, records, logged):
        assert not admin.get(EDIT).form(PREVIEW).all("details[open]")
        page = send(
            admin,
            currency="EUR", referrer_amount="0", friend_amount="5", destination=f" {SHOP}?a=1#top ",
            friend_coupon="FRIEND10", qualifies_on="purchase", least_amount="20",
            condition='plan = pro\nseats=3\n trial = false\nyear = "2026"', referrer_share="12.5", earning_events="",
            earning_months="12", referral_cap="100.50", monthly_cap="1,000", handed_over="y",
        )  # fmt: skip
        assert changes(page) == {
            "currency": ["USD: US dollars", "EUR: euros"],
            "referrer_amount": ["10 points", "0 points"],
            "friend_amount": ["0 points", "5 points"],
            "destination": ["our signup page", f"{SHOP}?a=1#top"],
            "friend_coupon": ["none", "FRIEND10"],
            "qualifies_on": ["a confirmed address", "an event of your product: purchase"],
            "least_amount": ["any amount", "€20.00"],
            "condition": ["none", "plan = pro, seats = 3, trial = false, year = 2026"],
            "referrer_share": ["0%", "12.5%"],
            "earning_events": ["the first one", "all of them"],
            "earning_months": ["without end", "12 months"],
            "referral_cap": ["no limit", "€100.50"],
            "monthly_cap": ["no limit", "€1,000.00"],
            "handed_over": ["off", "on"],
        }
        for mark in ("destination", "qualifies-on", "handed-over"):
            assert page.one(f"[data-{mark}]").text
        done = admin.follow(admin.submit(page.form(HERE)))
        assert done.one('[data-rule="referrer_share"]').text == "12.5%"
        program = records.all(Program)[-1]
        assert program.condition == {"plan": "pro", "seats": 3, "trial": False, "year": "2026"}
        assert (program.referrer_share, program.referral_cap, program.monthly_cap) == (1250, 10050, 100000)
        assert (program.earning_events, program.least_amount, program.destination) == (None, 2000, f"{SHOP}?a=1#top")
        form = admin.get(EDIT).form(PREVIEW)
        assert form.one("details[open]")
        sent = {box["name"]: box["value"] for box in form.all("input[checked]")}
        assert "in force already" in admin.follow(admin.submit(form, 303, **(filled(form) | sent))).text

    def test_a_switch_can_be_switched_off(self, admin: Person, app, records, clock):
        with app.app_context():
            rules.change(rules.PRESETS["paypal"], clock())
        form = admin.get(EDIT).form(PREVIEW)
        sent = {box["name"]: box["value"] for box in form.all("input") if box["type"] != "checkbox"}
        page = admin.post(PREVIEW, sent | filled(form), 200)
        assert changes(page) == {"email_invitations": ["on", "off"]}
        admin.submit(page.form(HERE))
        assert not records.all(Program)[-1].email_invitations

    def test_a_preset_fills_in_the_form_and_changes_nothing_by_itself(self, admin: Person, app, records, clock):
        with app.app_context():
            own = {"destination": SHOP, "friend_coupon": "FRIEND"}
            rules.change({"referrer_amount": 3, "thousand_units_cost": 7} | own, clock())
        for number, (name, preset) in enumerate(rules.PRESETS.items(), 2):
            page = admin.get(f"{EDIT}?preset={name}")
            assert len(records.all(Program)) == number
            admin.submit(send(admin, page).form(HERE))
            kept = {"currency": "USD", "timezone": "UTC", "destination": SHOP, "friend_coupon": "FRIEND"}
            assert rules.rules_of(records.all(Program)[-1]) == kept | preset | {"thousand_units_cost": 7}
        admin.get(f"{EDIT}?preset=%00")

    def test_what_was_typed_is_kept_when_one_goes_back_to_it(self, admin: Person, records):
        preview = send(admin, referrer_amount="25", milestones="10 = 50\n20")
        form = preview.form(HERE)
        assert [b["formaction"] for b in form.all("button[formaction]")] == [EDIT]
        sent = {box["name"]: box["value"] for box in form.all("input[name]")}
        again = admin.post(EDIT, sent, 200).form(PREVIEW)
        assert again.one('[name="referrer_amount"]')["value"] == "25"
        assert filled(again)["milestones"].split() == ["10", "=", "50", "20"]
        records.one(Program)

    def test_what_is_wrong_stands_at_its_field(self, admin: Person, records):
        form, before = admin.get(EDIT).form(PREVIEW), records.everything()
        for field, typed, words in WRONG:
            page = admin.submit(form, 422, **(filled(form) | {field: typed}))
            assert page.wrong_fields == {field}, (field, typed)
            assert words in page.error_at(field), typed
            kept = page.one(f'[name="{field}"]')
            if kept.tag == "input" and typed.isprintable():
                assert kept["value"] == typed.strip()
        assert records.everything() == before

    def test_the_last_step_looks_at_everything_again(self, admin: Person, records):
        form = send(admin, referrer_amount="25").form(HERE)
        for field, typed, words in WRONG:
            assert words in admin.submit(form, 422, **{field: typed}).error_at(field)
        records.one(Program)


class TestForWhom:
    def test_it_counts_whom_the_change_concerns(self, admin: Person, app: Flask, clock):
        member(app, "alice", clock())
        befriend(app, "alice", 10, clock())
        befriend(app, "alice", 2, clock(), ReferralState.PENDING)
        befriend(app, "alice", 1, clock(), ReferralState.HELD)
        with app.app_context():
            catalogue.add("Mug", "", clock(), price=10)
        page = send(admin, unit="megabytes", tiers="0 Bronze\n11 Silver")
        assert changes(page)["referrer_amount"] == ["10 points", "10 MB"]
        assert "2 pending and 1 held referrals keep the version" in page.one("[data-undecided]").text
        assert page.one("[data-other-tier]")["data-other-tier"] == "1"
        assert "1 member has some, and 1 perk takes it" in page.one("[data-holders]").text
        page = send(admin, referrer_amount="11")
        assert page.one("[data-other-tier]").text == "Nobody's tier changes."
        assert page.all("[data-holders]") == []

    def test_its_queries_do_not_grow_with_the_members(self, admin: Person, app: Flask, clock, count_queries):
        def count() -> int:
            form = admin.get(EDIT).form(PREVIEW)
            values = filled(form) | {"unit": "megabytes", "tiers": "0 Bronze"}
            with count_queries() as statements:
                admin.submit(form, 200, **values)
                admin.get(HERE)
            return len(statements)

        member(app, "alice", clock())
        few = count()
        befriend(app, "alice", 30, clock(), ReferralState.PENDING)
        with app.app_context():
            for amount in range(20, 30):
                rules.change({"referrer_amount": amount}, clock())
        assert count() == few


class TestAtTheSameTime:
    def test_somebody_elses_change_is_not_undone_unseen(self, admin: Person, app: Flask, records, clock):
        form = admin.get(EDIT).form(PREVIEW)
        preview = send(admin, referrer_amount="25").form(HERE)
        with app.app_context():
            rules.change({"friend_amount": 7}, clock())
        refused = admin.submit(preview, 422)
        assert "Version 2 came in force while you were at this form" in refused.text
        assert len(records.all(Program)) == 2
        assert "Version 2 came in force" in admin.submit(form, 422, **(filled(form) | {"referrer_amount": "25"})).text
        page = send(admin, refused)
        assert changes(page) == {
            "referrer_amount": ["10 points", "25 points"],
            "friend_amount": ["7 points", "0 points"],
        }
        admin.submit(page.form(HERE))
        assert records.all(Program)[-1].version == 3

    def test_a_version_that_never_was_is_refused(self, admin: Person, records):
        for version in ("", "0", "2", "-1", "x", "9" * 50, "١"):
            form = send(admin, referrer_amount="25").form(HERE)
            assert "came in force while" in admin.submit(form, 422, version=version).text
            assert "came in force while" in send(admin, referrer_amount="25", version=version, expect=422).text
        records.one(Program)

    def test_pressing_twice_makes_one_version(self, admin: Person, records, logged):
        form = send(admin, referrer_amount="25").form(HERE)
        admin.submit(form)
        assert "in force already" in admin.follow(admin.submit(form)).text
        assert len(records.all(Program)) == 2
        assert len(logged()) == 1

    def test_of_many_who_change_the_rules_together_one_does(self, admin: Person, app: Flask, clock, records, logged):
        forms = [send(admin, referrer_amount=str(20 + n)).form(HERE) for n in range(4)]
        twins = []
        for form in forms:
            twin = Person(app, admin.post_office, "grace")
            twin.client.set_cookie("referralhub", admin.session_id())
            twins.append(lambda t=twin, f=form: t.submit(f, None).status)
        assert sorted(all_at_once(twins)) == [303, 422, 422, 422]
        assert len(records.all(Program)) == 2
        assert len(logged()) == 1
