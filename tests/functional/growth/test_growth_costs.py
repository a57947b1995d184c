"""What credit costs, against figures that were worked out by hand, and saying what things cost."""

import pytest

from referralhub.extensions import db
from referralhub.models import (
    AuditLine,
    Program,
    RewardKind,
    Role,
    Unit,
)
from referralhub.services.growth import headlines
from referralhub.services.ledger import entries
from referralhub.services.program import rules
from tests.factories import befriend, member
from tests.growth import CSV_NAMES, MARCH, NOW, cells, moment, table
from tests.pages import Page
from tests.people import Person

# What is about a form, and about the database in nothing that other tests are not.
one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def june(clock) -> None:
    """Before anybody is there: who runs the program joined and signed in today."""
    clock.now = NOW


class TestCosts:
    @pytest.fixture(autouse=True)
    def _credit(self, app, records) -> None:
        member(app, "alice", moment(1, 1))
        befriend(app, "alice", 4, moment(3, 5))  # 10 points for each

        def more() -> None:
            session = db.session()
            first = entries.post(session, 1, RewardKind.MILESTONE, 50, Unit.POINTS, moment(3, 6), mark=3)
            session.flush()
            entries.post(session, 1, RewardKind.REVERSAL, -50, Unit.POINTS, moment(3, 31, 23), reverses_id=first.id)
            entries.post(session, 1, RewardKind.ADJUSTMENT, 20, Unit.POINTS, moment(3, 8))
            entries.post(session, 1, RewardKind.ADJUSTMENT, -5, Unit.POINTS, moment(3, 9))
            entries.post(session, 1, RewardKind.REDEMPTION, -30, Unit.POINTS, moment(3, 10))
            entries.post(session, 2, RewardKind.ADJUSTMENT, 250, "USD", moment(3, 11))
            entries.post(session, 1, RewardKind.ADJUSTMENT, 1000, Unit.POINTS, moment(4, 1))

        records.change(more)

    def column(self, page: Page, number: int) -> dict[str, str]:
        return {row["data-kind"]: cells(row)[number] for row in page.one("#costs").all("[data-kind]")}

    def test_what_was_credited_and_taken_back_in_each_unit(self, admin: Person):
        page = admin.get(f"/admin/{MARCH}")
        assert self.column(page, 0) == {
            "referrer": "40 points", "friend": "0 points", "milestone": "50 points", "adjustment": "15 points",
            "reversal": "-50 points", "refund": "0 points", "net": "55 points", "cost": "not known",
        }  # fmt: skip
        assert self.column(page, 1)["net"] == "$2.50"
        assert self.column(page, 1)["cost"] == "$2.50"
        assert "Say below" in page.one('[data-figure="per-friend"]').text

    def test_in_dollars_once_it_is_known_what_points_cost(self, admin: Person, app):
        with app.app_context():
            rules.change({"thousand_units_cost": 10_000, "paid_customer_cost": 4000}, NOW)
        page = admin.get(f"/admin/{MARCH}")
        assert self.column(page, 0)["cost"] == "$5.50"
        # 5.50 and 2.50 dollars for four friends.
        assert "Each of 4 confirmed friends cost $2.00" in page.one('[data-figure="per-friend"]').text
        assert "$40.00, 20.0 times as much" in page.one('[data-figure="per-friend"]').text
        rows = table(admin, "costs", MARCH)
        assert [(row["unit"], row["net"], row["cost"]) for row in rows] == [
            ("points", "55", "550.0"), ("USD", "250", "250"),
        ]  # fmt: skip

    def test_nothing_was_given(self, admin: Person):
        page = admin.get("/admin/?from=2026-02-01&to=2026-02-28")
        assert "No credit was given" in page.one("#costs").text
        assert "No friend was confirmed" in page.one('[data-figure="per-friend"]').text

    def test_this_month_against_the_same_days_of_the_last(self, admin: Person, app):
        befriend(app, "alice", 3, moment(5, 10))
        befriend(app, "alice", 9, moment(5, 20))
        befriend(app, "alice", 2, moment(6, 1))
        tile = admin.get("/admin/").one('[data-figure="credit"]')
        assert tile.text == "20 points"
        text = admin.get("/admin/").text
        assert "−10 points (33.3%) on the same time last month; 120 points in all of last month" in text
        befriend(app, "alice", 4, moment(6, 2))
        assert "+30 points (100.0%) on the same time" in admin.get("/admin/").text

    def test_a_long_month_is_compared_with_all_of_a_short_one(self, app):
        befriend(app, "alice", 1, moment(2, 28, 23))
        with app.app_context():
            found = headlines.read(Unit.POINTS, moment(3, 31))
        assert found.given.by_then == found.given.last_month == 10


class TestSettingCosts:
    def test_what_was_typed_is_in_force_and_in_the_audit_log(self, admin: Person, records):
        form = admin.get(f"/admin/{MARCH}").form("/admin/costs")
        page = admin.submit(form, paid_customer_cost="$1,200.50", thousand_units_cost="0.25")
        assert page.location.endswith(f"/admin/{MARCH}#costs")
        program = records.all(Program)[-1]
        assert (program.paid_customer_cost, program.thousand_units_cost) == (120_050, 25)
        line = records.all(AuditLine, action="program.change")[-1]
        assert line.role is Role.ADMIN
        assert line.after == {"paid_customer_cost": 120_050, "thousand_units_cost": 25}
        page = admin.get("/admin/")
        assert page.one('[name="paid_customer_cost"]')["value"] == "1200.50"
        admin.submit(page.form("/admin/costs"), paid_customer_cost="", thousand_units_cost="")
        program = records.all(Program)[-1]
        assert (program.paid_customer_cost, program.thousand_units_cost) == (None, None)

    @one_database
    @pytest.mark.parametrize("typed", ["a lot", "-1", "1.234", "1e3", "10000000.01", "12,00", "9" * 40])
    def test_bad_amounts_are_refused_at_the_field(self, admin: Person, records, typed: str):
        form = admin.get("/admin/").form("/admin/costs")
        page = admin.submit(form, 422, paid_customer_cost=typed, thousand_units_cost="1")
        assert page.wrong_fields == {"paid_customer_cost"}
        assert "Use" in page.error_at("paid_customer_cost")
        assert page.one('[name="paid_customer_cost"]')["value"] == typed
        assert len(records.all(Program)) == 1

    @one_database
    def test_nobody_else_can(self, admin: Person, alice: Person, visitor, records):
        alice.sign_up()
        page = alice.get("/dashboard/")
        token = page.all('[name="csrf_token"]')[0]["value"]
        alice.post("/admin/costs", {"csrf_token": token, "paid_customer_cost": "1"}, 404)
        admin.post("/admin/costs", {"paid_customer_cost": "1"}, 400)
        assert len(records.all(Program)) == 1
        for name in CSV_NAMES:
            visitor.get(f"/admin/growth/{name}.csv", 404)
            alice.get(f"/admin/growth/{name}.csv", 404)
