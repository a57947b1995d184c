"""The panel: who gets in, what its lists do, and what an admin can do for a member."""

import csv
import io
from datetime import timedelta
from urllib.parse import quote

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import AuditLine, Profile, Reason, RewardEntry, RewardKind, Role, Unit, User
from referralhub.services.accounts import administration, erasure
from referralhub.services.links import own_codes
from referralhub.services.program import rules
from referralhub.services.recourse import corrections
from referralhub.services.referrals import lifecycle
from referralhub.services.shared import audit
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import Conflict
from referralhub.words.referrals import FORMER_MEMBER
from tests.factories import befriend, member
from tests.people import Person, all_at_once

LISTS = ("members", "referrals", "rewards")
DAMAGED = (
    "page=-1", "page=99999999999999999999", "page=x", "sort=99", "sort=-1", "sort=x", "search=%00", "search=%25",
    "flt_active=7", "flt_state=none", "flt_joined_since=soon", "flt_joined_since=0001-01-01", "page_size=100000000",
    "flt_joined_until=9999-12-31", "search=" + "x" * 3000, "flt_state=%00", "flt0_0=x", "search=%3D%5C", "search=%5E",
)  # fmt: skip
NO_AMOUNTS = ("0", "1.5", "x", "", "99999999999", "-99999999999", "1e3", "٣٣٣٣٣٣٣٣٣٣٣")
NO_REASONS = ("", "   ", "x" * 201, "a\x00b", "a\x1bb")


def audited(records) -> list[tuple[str, str, int | None, dict, dict, str]]:
    """Give what was done in the panel: action, on what, before, after, and why. All of it by Grace, in one chain."""
    lines = [line for line in records.all(AuditLine) if line.role is Role.ADMIN]
    assert {line.actor_id for line in lines} <= {1}
    with records.app.app_context():
        assert audit.verify().broken_at is None
    return [(line.action, line.subject, line.subject_id, line.before, line.after, line.reason) for line in lines]


class TestGettingIn:
    def test_only_for_admins_is_there_a_panel(self, admin: Person, alice: Person, visitor):
        alice.sign_up()
        for path in ("/admin/", "/admin/members/", "/admin/members/1/", "/admin/members/rows.csv", "/admin/review/"):
            assert visitor.get(path, 404)
            assert alice.get(path, 404)
            assert admin.get(path)
        assert "/admin/" in {link["href"] for link in admin.get("/dashboard/").all("a")}
        assert "/admin/" not in {link["href"] for link in alice.get("/dashboard/").all("a")}

    def test_whatever_strangers_try_there_is_no_panel(self, admin: Person, alice: Person, visitor):
        alice.sign_up()
        token = alice.get("/dashboard/").all('[name="csrf_token"]')[0]["value"]
        for path in ("/admin/members/1/active", "/admin/review/decide"):
            visitor.get(path, 404)
            alice.get(path, 404)
        alice.post("/admin/audit/", {"csrf_token": token}, 404)
        admin.get("/admin/members/1/active", 405)

    def test_after_two_hours_the_password_is_asked_for_again(self, admin: Person, clock):
        clock.advance(hours=2, seconds=1)
        asked = admin.get("/admin/members/?search=a", 303)
        form = next(each for each in admin.follow(asked).all("form") if "/account/confirm" in each["action"])
        admin.submit(form, 422, password="guessed")
        assert admin.get("/admin/", 303)
        assert admin.submit(form, 303, password=admin.password).location == "/admin/members/?search=a"
        assert admin.get("/admin/members/?search=a")

    def test_what_is_sent_too_late_does_nothing(self, admin: Person, records, clock):
        page = admin.get("/admin/members/1/")
        clock.advance(hours=3)
        before = records.everything()["reward_entry"]
        form = page.form("/admin/members/1/adjust")
        asked = admin.submit(form, 303, **{"adjust-amount": "5", "adjust-reason": "x"})
        assert asked.location == "/account/confirm?next=/admin/"
        assert records.everything()["reward_entry"] == before

    def test_an_admin_who_is_one_no_more_is_out_at_once(self, admin: Person, records):
        records.change(lambda: setattr(db.session.get(User, 1), "is_admin", False))
        assert admin.get("/admin/", 404)

    def test_every_form_needs_its_token(self, admin: Person, records):
        for path in ("/admin/members/1/active", "/admin/members/1/adjust", "/admin/review/"):
            assert admin.post(path, {"active-reason": "x", "reason": "x"}, 400)
        assert audited(records) == []


class TestLists:
    @pytest.fixture
    def crowd(self, app: Flask, clock, admin) -> None:
        member(app, "anna", clock())
        befriend(app, "anna", 3, clock() - timedelta(days=1))

    def rows(self, page) -> list[str]:
        return [row.text for row in page.all("tr[data-row]")]

    def test_they_are_searched_filtered_sorted_and_turned(self, crowd, admin, clock):
        assert len(self.rows(admin.get("/admin/members/"))) == 5
        assert ["anna" in row for row in self.rows(admin.get("/admin/members/?search=ANN"))] == [True]
        assert ["grace" in row for row in self.rows(admin.get("/admin/members/?flt_admin=1"))] == [True]
        day = f"{clock():%Y-%m-%d}"
        assert len(self.rows(admin.get(f"/admin/members/?flt_joined_since={day}"))) == 2
        assert len(self.rows(admin.get(f"/admin/members/?flt_joined_until={day}"))) == 5
        assert len(self.rows(admin.get("/admin/referrals/?flt_state=confirmed"))) == 3
        assert self.rows(admin.get("/admin/referrals/?flt_state=held")) == []
        names = [row.split()[1] for row in self.rows(admin.get("/admin/members/?sort=1"))]
        assert names == sorted(names)
        assert self.rows(admin.get("/admin/members/?page=7")) == []

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("ann", {"anna"}), ("ANNA@EX", {"anna"}), ("nna", set()), ("*nna", {"anna"}), ("ann *example", {"anna"}),
            ("ann grace", set()), ("gr_ce", set()), ("gr%ce", set()), ("*", {"anna", "grace"}), ("\\", set()),
        ],
    )  # fmt: skip
    def test_a_name_and_an_address_are_found_by_how_they_begin_or_by_any_part(
        self, app, admin, clock, typed: str, found: set[str]
    ):
        member(app, "anna", clock())
        page = admin.get(f"/admin/members/?search={quote(typed)}")
        assert {row.split()[1] for row in self.rows(page)} == found

    def test_a_code_is_found_in_any_case(self, crowd, admin, records):
        code = records.one(Profile, user_id=records.one(User, username="anna").id).code
        assert ["anna" in row for row in self.rows(admin.get(f"/admin/members/?search={code.upper()[:6]}"))] == [True]

    def test_a_code_that_a_member_chose_is_found_and_shown(self, crowd, app, admin, clock):
        with app.app_context():
            for code, when in (("queen-of-hearts", clock()), ("duchess", clock() + timedelta(days=32))):
                own_codes.choose(2, code, (), when)
        for typed in ("QUEEN", "duch"):
            (row,) = self.rows(admin.get(f"/admin/members/?search={typed}"))
            assert "anna" in row
            assert "duchess" in row
        page = admin.get("/admin/members/2/").text
        assert "http://localhost/duchess/" in page
        assert "http://localhost/queen-of-hearts/" in page

    def test_either_side_of_a_referral_is_found(self, crowd, admin):
        assert len(self.rows(admin.get("/admin/referrals/?search=anna"))) == 3
        friend = self.rows(admin.get("/admin/referrals/"))[0].split()[1]
        assert len(self.rows(admin.get(f"/admin/referrals/?search={friend}"))) == 1

    def test_what_nobody_turns_over_is_not_counted(self, crowd, admin, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("referralhub.admin.lists.MOST", 4)
        monkeypatch.setattr("referralhub.admin.lists.ListPage.page_size", 2)
        pages = [admin.get(f"/admin/members/?page={number}") for number in (0, 1, 999)]
        assert all("more than 4 rows" in page.text for page in pages)
        assert [len(self.rows(page)) for page in pages] == [2, 2, 2]
        assert self.rows(pages[1]) == self.rows(pages[2])  # the last that can be turned to
        assert [bool([a for a in page.all("a") if a.text == "Next"]) for page in pages] == [True, False, False]
        assert "3 rows" in admin.get("/admin/referrals/").text
        download = admin.file("/admin/members/rows.csv").get_data(as_text=True)
        assert len(download.splitlines()) == 1 + 5  # which has them all

    def test_what_was_looked_for_stays_in_the_form_and_in_the_download(self, crowd, admin):
        page = admin.get("/admin/members/?search=friend&flt_active=1&sort=0")
        assert page.one("#search")["value"] == "friend"
        download = next(link["href"] for link in page.all("a") if "rows.csv" in link["href"])
        rows = list(csv.reader(io.StringIO(admin.file(download).get_data().decode("utf-8-sig"))))
        assert rows[0][:3] == ["Number", "User name", "E-mail"]
        assert [row[1].startswith("friend") for row in rows[1:]] == [True] * 3

    def test_a_download_holds_no_formula(self, app, admin, clock):
        member(app, "=2+5", clock())
        text = admin.file("/admin/members/rows.csv").get_data(as_text=True)
        assert "'=2+5" in text
        assert ",=2+5" not in text

    def test_many_rows_cost_no_more_statements_than_few(self, crowd, app, admin, clock, count_queries):
        paths = [f"/admin/{name}/{rest}" for name in LISTS for rest in ("", "?search=ann", "rows.csv")]
        with count_queries() as few:
            for path in paths:
                admin.file(path)
        befriend(app, "anna", 45, clock())
        with count_queries() as many:
            for path in paths:
                admin.file(path)
        assert len(many) == len(few) <= 5 * len(paths), f"{many}"

    def test_a_damaged_address_shows_a_list_all_the_same(self, admin):
        for name in LISTS:
            for query in DAMAGED:
                admin.get(f"/admin/{name}/?{query}")


class TestMembers:
    @pytest.fixture
    def credited(self, admin, alice: Person, bob: Person, charlie: Person) -> None:
        """Charlie (4) was there before; Bob (3) joined by Alice's (2) link."""
        alice.sign_up()
        charlie.sign_up()
        bob.click(alice.link)
        bob.sign_up()
        bob.confirm_address()

    def balances(self, records) -> dict[int, int]:
        return {entry.profile_id: entry.balance for entry in records.all(RewardEntry)}

    def send(self, admin: Person, user_id: int, action: str, expect: int = 303, **values: str):
        form = admin.get(f"/admin/members/{user_id}/").form(f"/admin/members/{user_id}/{action}")
        prefix = {"adjust": "adjust", "referrer": "correct"}.get(action, "active")
        return admin.submit(form, expect, **{f"{prefix}-{name}": value for name, value in values.items()})

    def test_an_account_is_switched_off_and_on_again(self, credited, admin, bob, alice, records, visitor):
        link = alice.link
        self.send(admin, 2, "active", reason="sells codes")
        assert alice.get("/dashboard/", 302).location.startswith("/login")
        alice.in_another_browser().sign_in(422)
        assert visitor.get(link.removeprefix("http://localhost"), 302).location == "/"
        page = admin.post("/admin/members/2/active", {"csrf_token": "", "active-reason": "again"}, None)
        assert page.status == 400
        self.send(admin, 2, "active/again", reason="talked to her")
        alice.in_another_browser().sign_in()
        assert audited(records) == [
            ("member.deactivate", "member", 2, {"is_active": True}, {"is_active": False}, "sells codes"),
            ("member.activate", "member", 2, {"is_active": False}, {"is_active": True}, "talked to her"),
        ]

    def test_doing_it_twice_is_doing_it_once(self, credited, admin, records):
        form = admin.get("/admin/members/2/").form("/admin/members/2/active")
        for _ in range(2):
            admin.submit(form, 303, **{"active-reason": "sells codes"})
        assert len(audited(records)) == 1

    def test_nobody_switches_themselves_off(self, admin, records):
        assert "the account that you are using" in self.send(admin, 1, "active", 422, reason="tired").text
        assert audited(records) == []

    def test_who_has_gone_is_not_brought_back(self, credited, app, admin, clock, records):
        with app.app_context():
            erasure.erase(2, FORMER_MEMBER, clock())
        assert "deleted the account" in self.send(admin, 2, "active/again", 422, reason="wants back").text
        assert not records.one(User, id=2).is_active

    def test_the_verification_is_mailed_again(self, admin, alice, records, clock):
        alice.sign_up()
        clock.advance(minutes=2)
        for _ in range(2):
            admin.submit(admin.get("/admin/members/2/").form("/admin/members/2/verification"))
        assert [line[0] for line in audited(records)] == ["member.resend_verification"]  # one mail a minute
        alice.confirm_address()
        assert not admin.get("/admin/members/2/").all('form[action="/admin/members/2/verification"]')

    def test_a_balance_is_adjusted_once_for_a_form(self, credited, admin, alice, records):
        form = admin.get("/admin/members/2/").form("/admin/members/2/adjust")
        for _ in range(3):
            admin.submit(form, 303, **{"adjust-amount": "-25", "adjust-reason": "paid out twice"})
        assert self.balances(records) == {2: -15}
        page = alice.get("/dashboard/rewards")
        assert "paid out twice" in page.text
        assert "owed" in page.text
        change = ({"balance": 10, "unit": "points"}, {"balance": -15, "unit": "points"})
        assert audited(records) == [("member.adjust", "member", 2, *change, "paid out twice")]

    def test_an_amount_that_makes_no_sense_is_refused(self, admin, records):
        for amount in NO_AMOUNTS:
            page = self.send(admin, 1, "adjust", 422, amount=amount, reason="because")
            assert page.one("#adjust-amount")["aria-invalid"] == "true", amount
            assert page.one("#adjust-reason")["value"] == "because"
            assert page.one("#active-reason").attributes.get("value", "") == ""
        assert records.all(RewardEntry) == []

    def test_dollars_are_typed_as_dollars_and_a_form_keeps_its_unit(self, app, admin, records, clock):
        with app.app_context():
            rules.change(rules.PRESETS["paypal"], clock())
        form = admin.get("/admin/members/1/").form("/admin/members/1/adjust")
        with app.app_context():
            rules.change(rules.PRESETS["dropbox"], clock())
        admin.submit(form, 303, **{"adjust-amount": "-20.50", "adjust-reason": "paid out"})
        entry = records.one(RewardEntry)
        assert (entry.amount, entry.unit) == (-2050, "USD")

    def test_without_a_reason_nothing_is_done(self, admin, records):
        for reason in NO_REASONS:
            self.send(admin, 1, "adjust", 422, amount="5", reason=reason)
        assert records.all(RewardEntry) == []
        assert audited(records) == []

    def test_a_credit_goes_to_who_really_brought_the_friend(self, credited, admin, charlie, records):
        self.send(admin, 3, "referrer", 422, code=charlie.code, reason="asked both")  # Charlie came after Alice …
        bobs = records.one(User, username="bob").id
        self.send(admin, bobs, "referrer", code=charlie.code.upper(), reason="asked both")
        assert self.balances(records) == {2: 0, 3: 10}
        assert "asked both" in charlie.get("/dashboard/rewards").text
        assert records.one(Profile, id=2).referral_count == 1  # how Bob came stays on record
        after = {"referrer": 3, "amount": 10, "unit": "points"}
        assert audited(records) == [("member.correct_referrer", "member", bobs, {"referrer": 2}, after, "asked both")]
        assert (
            "done before" in admin.follow(self.send(admin, bobs, "referrer", code=charlie.code, reason="a click")).text
        )
        again = self.send(admin, bobs, "referrer", 422, code=admin.code, reason="once more")
        assert "corrected before" in again.text

    def test_a_reversal_takes_a_moved_credit_back_from_who_has_it(self, credited, app, admin, charlie, records, clock):
        bobs = records.one(User, username="bob").id
        self.send(admin, bobs, "referrer", code=charlie.code, reason="asked both")
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen card"), clock())
        assert self.balances(records) == {2: 0, 3: 0}

    def test_a_moved_credit_is_on_hold_as_long_as_it_was(self, app, admin, alice, bob, charlie, records, clock):
        with app.app_context():
            rules.change({"hold_days": 14}, clock())
        self.credited.__wrapped__(self, admin, alice, bob, charlie)
        self.send(admin, records.one(User, username="bob").id, "referrer", code=charlie.code, reason="asked both")
        assert {entry.available_at for entry in records.all(RewardEntry)} == {clock() + timedelta(days=14)}

    def test_correcting_and_reversing_at_once_never_lock_each_other_out(self, credited, app, charlie, records, clock):
        bobs, code = records.one(User, username="bob").id, charlie.code

        def attempt(action) -> bool:
            with app.app_context():
                try:
                    action()
                except Conflict:
                    return False
                return True

        def correct() -> None:
            corrections.correct_referrer(bobs, code, "asked both", OPERATOR, clock())

        def reverse() -> None:
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen card"), clock())

        def adjust() -> None:
            administration.adjust(2, 5, Unit.POINTS, "a present", "the-same-key", OPERATOR, clock())

        all_at_once([lambda action=action: attempt(action) for action in [correct, reverse, adjust] * 4])
        # Whoever came first: with the reversal before, the correction finds nothing to move, and gives.
        assert self.balances(records) in ({2: 5, 3: 0}, {2: 5, 3: 10})
        with app.app_context():
            assert audit.verify().broken_at is None

    def test_a_friend_who_was_credited_to_nobody_can_be_credited(self, admin, alice, bob, records):
        alice.sign_up()
        bob.sign_up()
        self.send(admin, 3, "referrer", code=alice.code, reason="lost the link")
        assert self.balances(records) == {2: 10}

    def test_of_many_corrections_at_once_one_is_made(self, app, admin, alice, bob, records, clock):
        alice.sign_up()
        bob.sign_up()
        code = alice.code

        def correct() -> bool:
            with app.app_context():
                try:
                    corrections.correct_referrer(3, code, "lost the link", OPERATOR, clock())
                except Conflict:
                    return False
                return True

        assert sorted(all_at_once([correct] * 6)) == [False] * 5 + [True]
        assert self.balances(records) == {2: 10}

    def test_what_cannot_be_is_said(self, admin, alice, bob, records):
        alice.sign_up()
        bob.click(alice.link)
        bob.sign_up()
        for user_id, code, words in (
            (3, "nobody00", "No member has this code"),
            (3, alice.code, "not decided yet"),
            (2, bob.code, "been here before"),
            (2, alice.code, "been here before"),
            (3, "x", "4 to 20 letters"),
        ):
            assert words in self.send(admin, user_id, "referrer", 422, code=code, reason="x").text
        assert audited(records) == []
        assert all(entry.kind is not RewardKind.ADJUSTMENT for entry in records.all(RewardEntry))

    def test_there_is_nobody_with_that_number(self, admin):
        token = admin.get("/admin/members/1/").all('[name="csrf_token"]')[0]["value"]
        form = {"csrf_token": token, "adjust-amount": "5", "adjust-unit": "points", "adjust-key": "a-key-of-its-own"}
        admin.post("/admin/members/99/adjust", form | {"adjust-reason": "x"}, 404)
        for path in ("/admin/members/99/", "/admin/referrals/99/", "/admin/members/99999999999999999999/"):
            admin.get(path, 404)
