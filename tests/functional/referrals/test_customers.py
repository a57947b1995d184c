"""Existing customers: nobody is credited for bringing them, and nothing but a hash is kept of their list."""

import io
from datetime import timedelta
from pathlib import Path

import pytest

from referralhub.models import AuditLine, Customer, Referral, ReferralEvent, ReferralState, RewardEntry, Role
from referralhub.services.referrals import customers
from referralhub.services.shared.audit import OPERATOR
from tests.people import Person, all_at_once

HEAD = "email,customer_since\n"


@pytest.fixture
def write(tmp_path: Path):
    """Write a list of customers, and give its path."""

    def written(text: str | bytes, name: str = "customers.csv") -> str:
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)

    return written


def days_ago(clock, days: int) -> str:
    return (clock().date() - timedelta(days=days)).isoformat()


class TestAReferral:
    def test_of_a_customer_says_so_and_earns_nothing(self, run, write, clock, alice, bob, records):
        alice.sign_up()
        run("customers", "import", write(f"{HEAD}{bob.email},{days_ago(clock, 1)}\n"))
        bob.click(alice.link)
        bob.sign_up()
        bob.confirm_address()
        assert records.one(Referral).state is ReferralState.REJECTED
        assert [event.reason_code for event in records.all(ReferralEvent)] == ["signed_up", "already_customer"]
        assert records.all(RewardEntry) == []
        page = alice.get("/dashboard/referrals")
        assert page.referrals == [("bob", "rejected")]
        assert "already a customer" in page.text
        assert (alice.get("/dashboard/").stat("total_referrals"), alice.get("/dashboard/").stat("pending")) == (0, 0)
        run("ledger", "verify")

    @pytest.mark.parametrize("days", [0, 1])
    def test_of_one_who_became_a_customer_on_that_day_counts(self, run, write, clock, alice, bob, records, days):
        alice.sign_up()
        bob.click(alice.link)
        bob.sign_up()
        clock.advance(days=days)
        run("customers", "import", write(f"{HEAD}{bob.email},{days_ago(clock, 0)}\n"))
        bob.confirm_address()
        assert records.one(Referral).state is ReferralState.CONFIRMED

    def test_another_spelling_of_the_mailbox_is_the_same_customer(self, run, write, clock, alice, bob, records):
        alice.sign_up()
        run("customers", "import", write(f"{HEAD}BOB+shop@Example.com,{days_ago(clock, 400)}\n"))
        bob.email = "bob@example.com"
        bob.click(alice.link)
        bob.sign_up()
        bob.confirm_address()
        assert records.one(Referral).state is ReferralState.REJECTED

    def test_that_was_credited_before_the_list_stays_credited(self, run, write, clock, credited, bob, records):
        run("customers", "import", write(f"{HEAD}{bob.email},{days_ago(clock, 30)}\n"))
        assert records.one(Referral).state is ReferralState.CONFIRMED


class TestTheCommand:
    def test_what_is_kept_is_no_address(self, run, write, records):
        run("customers", "import", write(f"{HEAD}carol@example.com,2020-05-17\n"))
        customer = records.one(Customer)
        assert "carol" not in str(vars(customer))
        assert customer.since.isoformat() == "2020-05-17"
        line = records.one(AuditLine)
        assert (line.action, line.after, line.role) == ("customers.import", {"new": 1, "earlier": 0}, Role.OPERATOR)

    def test_a_second_run_changes_nothing(self, ask, write, records):
        file = write(HEAD + "".join(f"c{number}@example.com,2020-05-17\n" for number in range(20)))
        expected = {"new": 20, "earlier": 0, "unchanged": 0, "wrong": 0, "changed": True}
        assert ask("customers", "import", file) == expected
        before = records.everything()
        assert ask("customers", "import", file) == expected | {"new": 0, "unchanged": 20, "changed": False}
        assert records.everything() == before

    def test_the_earliest_day_of_all_lists_counts_whatever_their_order(self, ask, write, records):
        first = write(f"{HEAD}c@example.com,2021-01-01\nc@example.com,2020-01-01\n")
        earlier, later = (
            write(f"{HEAD}c@example.com,2019-01-01\n", "a"),
            write(f"{HEAD}c@example.com,2022-01-01\n", "b"),
        )
        assert ask("customers", "import", first)["new"] == 1
        assert records.one(Customer).since.isoformat() == "2020-01-01"
        assert ask("customers", "import", earlier)["earlier"] == 1
        assert ask("customers", "import", later)["unchanged"] == 1
        assert records.one(Customer).since.isoformat() == "2019-01-01"

    def test_a_dry_run_says_what_is_wrong_with_which_line_and_changes_nothing(self, run, write, records, clock):
        tomorrow = days_ago(clock, -1)
        rows = ["good@example.com,2020-01-01", "no address,2020-01-01", "a@localhost,2020-01-01", "b@example.com,soon",
                f"c@example.com,{tomorrow}", "d@example.com", "", "e@example.com,2020-01-01"]  # fmt: skip
        file = write(HEAD.encode() + "\n".join(rows).encode() + b"\n\xff@example.com,2020-01-01\n")
        found = run("customers", "import", file, "--dry-run", expect=1)
        assert [line.partition(":")[0] for line in found.stderr.splitlines()] == [
            f"Line {number}" for number in (3, 4, 5, 6, 7, 10)
        ]
        assert "2 new" in found.stdout
        assert records.all(Customer) == []
        refused = run("customers", "import", file, expect=1)
        assert "6 lines are wrong. Nothing was loaded." in refused.stderr
        assert records.all(Customer) == []

    @pytest.mark.parametrize("text", ["", "name\nbob\n", "bob@example.com,2020-01-01\n", "email;since\n"])
    def test_a_file_that_names_no_columns_is_refused(self, run, write, text, records):
        assert (
            "must name the columns: email, customer_since" in run("customers", "import", write(text), expect=1).stderr
        )
        assert records.all(Customer) == []

    def test_what_spreadsheets_write_is_understood(self, ask, write):
        text = '\ufeffName;Customer_Since;EMAIL\r\n"Doe; Jo";2020-01-01 00:00:00;" jo@example.com "\r\n'
        assert ask("customers", "import", write(text))["new"] == 1

    def test_two_lists_at_once_are_both_loaded(self, app, clock, records):
        def load(order: int) -> None:
            rows = [f"c{number}@example.com,20{20 + order}-01-01\n" for number in range(200)][::order]
            with app.app_context():
                customers.load(customers.read([HEAD, *rows], clock().date()), OPERATOR, clock())

        all_at_once([lambda: load(1), lambda: load(-1)])
        assert {customer.since.isoformat() for customer in records.all(Customer)} == {"2019-01-01"}


class TestThePanel:
    def test_an_admin_loads_a_list(self, admin: Person, records):
        page = admin.get("/admin/customers/")
        data = admin.filled_in(page.form("/admin/customers/"))
        data["file"] = (io.BytesIO(f"{HEAD}carol@example.com,2020-05-17\n".encode()), "list.csv")
        page = admin.follow(admin.post("/admin/customers/", data, 303))
        assert "1 new" in page.text
        assert page.one("[data-customers]")["data-customers"] == "1"
        assert records.one(AuditLine, action="customers.import").role is Role.ADMIN

    def test_a_list_is_only_checked(self, admin: Person, records):
        page = admin.get("/admin/customers/")
        data = admin.filled_in(page.form("/admin/customers/")) | {"check": "yes"}
        data["file"] = (io.BytesIO(f"{HEAD}carol@example.com,2020-05-17\nnobody,2020-01-01\n".encode()), "list.csv")
        page = admin.post("/admin/customers/", data, 200)
        assert "Nothing was changed" in page.text
        assert "1 new" in page.text
        assert [row.text.partition(" ")[0] for row in page.all("tbody tr")] == ["3"]
        assert records.all(Customer) == []

    @pytest.mark.parametrize("content", [b"", b"email\n", b"\x00\xff", HEAD.encode() + b"nobody,2020-01-01\n"])
    def test_what_is_no_list_is_refused(self, admin: Person, content: bytes, records):
        data = admin.filled_in(admin.get("/admin/customers/").form("/admin/customers/"))
        data["file"] = (io.BytesIO(content), "list.csv")
        assert admin.post("/admin/customers/", data, 422).error_at("file")
        assert records.all(Customer) == []
