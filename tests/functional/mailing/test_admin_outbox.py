"""The panel's lists of mail, invitations and the audit log."""

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import AuditLine, Invitation, InvitationState, MessageKind, OutboxMessage, Role, User
from referralhub.services.accounts import signup
from referralhub.services.mailing import outbox
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.services.shared import audit
from referralhub.services.shared.audit import SYSTEM
from tests.pages import Page
from tests.people import Person


def rows(page: Page) -> dict[int, list[str]]:
    """Give the cells of each row of a list, by its number."""
    return {int(row["data-row"]): [cell.text for cell in row.all("td")] for row in page.all("tr[data-row]")}


@pytest.fixture
def mail(app: Flask, admin: Person, clock):
    """Write messages to Grace, in one state each: waiting, delivered, given up, not wanted."""
    states = {
        "waiting": {"next_try_at": clock() + timedelta(hours=1), "attempts": 2, "last_error": "450 busy"},
        "delivered": {"next_try_at": clock(), "delivered_at": clock()},
        "given_up": {"attempts": 9, "last_error": "550 <b>no such mailbox</b>"},
        "not_wanted": {},
    }

    def write(times: int = 1, **only: object) -> None:
        with app.app_context():
            for number in range(times):
                for name, values in states.items():
                    usual = (
                        {"user_id": 1, "attempts": 1, "kind": MessageKind.FRIEND_JOINED, "address": None}
                        | values
                        | only
                    )
                    key, payload = f"{name}-{number}-{only}-{clock()}"[:80], {"secret": "s3cret"}
                    db.session.add(OutboxMessage(key=key, payload=payload, created=clock(), **usual))
            db.session.commit()

    return write


def resent(records) -> list[tuple]:
    return [
        (line.action, line.role, line.actor_id, line.subject_id, line.after)
        for line in records.all(AuditLine, subject="message")
    ]


class TestMail:
    def test_each_message_says_where_it_is_and_no_secret(self, admin: Person, mail, records):
        mail()
        page = admin.get("/admin/mail/")
        cells = rows(page)
        assert {number: row[5] for number, row in cells.items()} == {
            4: "not wanted", 3: "given up: 550 <b>no such mailbox</b>", 2: "delivered", 1: "waiting: 450 busy",
        }  # fmt: skip
        assert cells[1][1:5] == ["friend joined", "grace", "grace@example.com", "2"]
        assert (cells[2][6], cells[3][6]) == ("–", "–")
        assert "s3cret" not in page.text
        download = admin.file("/admin/mail/rows.csv").get_data().decode("utf-8-sig")
        assert "s3cret" not in download
        assert len(list(csv.reader(io.StringIO(download)))) == 5

    def test_it_is_filtered_by_state_and_kind(self, admin: Person, mail):
        mail()
        mail(kind=MessageKind.INVITATION, address="bo@example.com")
        for number, name in enumerate(("waiting", "delivered", "given_up", "not_wanted"), 1):
            assert set(rows(admin.get(f"/admin/mail/?flt_state={name}"))) == {number, number + 4}
        invitations = rows(admin.get("/admin/mail/?flt_kind=invitation"))
        assert {row[3] for row in invitations.values()} == {"bo@example.com"}
        assert set(rows(admin.get("/admin/mail/?flt_kind=invitation&flt_state=given_up"))) == {7}
        assert len(rows(admin.get("/admin/mail/?flt_state=lost&flt_kind=%00&search=grace"))) == 8

    def test_a_dead_letter_is_sent_again_once(self, admin: Person, mail, records, clock):
        mail(2)
        page = admin.get("/admin/mail/?flt_state=given_up")
        form = page.form("/admin/mail/3/again")
        back = admin.submit(form)
        assert back.location == "/admin/mail/?flt_state=given_up"
        assert "on its way again" in admin.follow(back).text
        assert "on its way already" in admin.follow(admin.submit(form)).text
        message = records.all(OutboxMessage)[2]
        assert (message.attempts, message.next_try_at) == (0, clock())
        assert resent(records) == [("mail.resend", Role.ADMIN, 1, 3, {"messages": 1})]

    def test_what_is_no_dead_letter_is_left_alone(self, admin: Person, mail, records):
        mail()
        token = admin.get("/admin/mail/").all('[name="csrf_token"]')[0]["value"]
        before = records.everything()
        for number, words in ((1, "on its way already"), (2, "has arrived"), (4, "nobody wants it")):
            page = admin.post(f"/admin/mail/{number}/again", {"csrf_token": token}, 303)
            assert words in admin.follow(page).text
        for number in ("9", "99999999999999999999", "-1"):
            admin.post(f"/admin/mail/{number}/again", {"csrf_token": token}, 404)
        assert records.everything() == before

    def test_all_dead_letters_are_sent_again_at_once(self, admin: Person, mail, records):
        mail(3)
        form = admin.get("/admin/mail/").form("/admin/mail/again")
        assert "3 are on the way again" in admin.follow(admin.submit(form)).text
        assert "no dead letter left" in admin.follow(admin.submit(form)).text
        assert not admin.get("/admin/mail/").all('form[action="/admin/mail/again"]')
        assert resent(records) == [("mail.resend", Role.ADMIN, 1, None, {"messages": 3})]
        with admin.post_office.app.app_context():
            assert outbox.dead_letters() == []


class TestInvitations:
    def test_they_are_listed_with_how_far_they_came(self, app: Flask, admin: Person, alice: Person, clock, records):
        with app.app_context():
            rules.change({"email_invitations": True}, clock())
        alice.sign_up()
        states = list(InvitationState)
        with app.app_context():
            for number, state in enumerate(states):
                db.session.add(
                    Invitation(
                        profile_id=2, address=f"friend{number}@example.com" if number else None, state=state, words="",
                        address_hash=str(number), changed=clock(), created=clock() - timedelta(days=number),
                    )
                )  # fmt: skip
            db.session.commit()
        found = rows(admin.get("/admin/invitations/"))
        assert [row[3] for row in found.values()] == [
            "joined otherwise", "joined", "not sent", "visited", "bounced", "sent", "queued"
        ]  # fmt: skip
        assert found[1][1:3] == ["alice", "–"]
        assert set(rows(admin.get("/admin/invitations/?flt_state=sent&search=alice"))) == {2}
        since = (clock() - timedelta(days=2)).date()
        assert set(rows(admin.get(f"/admin/invitations/?flt_invited_since={since}"))) == {3, 2, 1}


class TestAuditLog:
    @pytest.fixture
    def lines(self, app: Flask, admin: Person, clock) -> None:
        """Let Grace add a perk, an operator change the rules, and the system do something to nobody."""
        form = admin.get("/admin/perks/new").form("/admin/perks/new")
        admin.submit(form, name="Mug", price="10", unit="points", stock="5")
        with app.app_context():
            rules.change({"referrer_amount": 2500, "member_cap": 7}, clock())
            with db.session.begin_nested():
                audit.record(
                    db.session(), SYSTEM, "tidy", "nothing", 9, {"a": [{"at": 1}, None]}, {}, clock(), "why not"
                )
            db.session.commit()

    def test_it_says_who_did_what_with_links(self, admin: Person, lines, records):
        page = admin.get("/admin/audit/")
        found = {number: row[2:] for number, row in rows(page).items()}
        assert found[4] == ["system", "–", "tidy", "nothing 9", "a: at 1; none → gone", "why not"]
        assert found[3][:3] == ["operator", "–", "program.change"]
        assert found[3][4] == "member cap: none → 7, referrer amount: 10 → 2,500"
        assert found[2][:4] == ["admin", "grace", "perk.add", "perk 1"]
        assert "/admin/perks/1/" in {link["href"] for link in page.one('tr[data-row="2"]').all("a")}
        assert "/admin/program/" in {link["href"] for link in page.one('tr[data-row="3"]').all("a")}
        assert page.one('tr[data-row="4"]').all("a") == []

    def test_it_is_filtered(self, admin: Person, lines, clock):
        day = clock().date()
        for query, expected in (
            ("flt_as=operator", {1, 3}),
            ("flt_action=ADD", {2}),
            ("flt_action=%25", set()),
            ("flt_on_what=perk", {2}),
            (f"flt_since={day}", {1, 2, 3, 4}),
            (f"flt_until={day - timedelta(days=1)}", set()),
            ("search=why", {4}),
            ("flt_as=nobody&flt_action=%00", {1, 2, 3, 4}),
        ):
            assert set(rows(admin.get(f"/admin/audit/?{query}"))) == expected, query

    def test_a_change_of_the_log_is_found(self, admin: Person, lines, records, database):
        page = admin.get("/admin/audit/verify")
        assert page.one("[data-chain]")["data-chain"] == "unbroken"
        assert page.one("[data-lines]")["data-lines"] == "4"
        assert records.all(AuditLine)[-1].digest in page.text
        statements = {
            "sqlite": ["DROP TRIGGER audit_log_no_update", "UPDATE audit_log SET reason = 'x' WHERE id = 3"],
            "postgresql": [
                "SET session_replication_role = replica", "UPDATE audit_log SET reason = 'x' WHERE id = 3",
                "SET session_replication_role = origin",
            ],
        }  # fmt: skip
        records.change(lambda: [db.session.execute(db.text(each)) for each in statements[database]])
        page = admin.get("/admin/audit/verify")
        assert page.one("[data-chain]")["data-chain"] == "broken"
        assert "Line 3 does not follow from the 2 lines before it" in page.text


def test_lists_run_as_many_queries_for_many_rows_as_for_few(
    app: Flask, admin: Person, mail, clock, count_queries, records
):
    paths = [f"/admin/{name}/{part}" for name in ("mail", "invitations", "audit") for part in ("", "rows.csv")]

    def grow(times: int, name: str) -> None:
        with app.app_context():
            signup.create_admin(name, f"{name}@example.com", "ada likes tea", clock())
            user = db.session.scalars(db.select(User).filter_by(username=name)).one()
            mail(times, user_id=user.id)
            for number in range(times):
                catalogue.add(f"{name} {number}", "", clock(), price=1, actor=audit.Actor(Role.ADMIN, user.id))
                db.session.add(
                    Invitation(
                        profile_id=user.profile.id, state=InvitationState.SENT, words="", changed=clock(),
                        address_hash=f"{name} {number}", created=clock(),
                    )
                )  # fmt: skip
            db.session.commit()

    def count(path: str) -> int:
        with count_queries() as statements:
            admin.file(path)
        return len(statements)

    grow(2, "ada")
    few = [count(path) for path in paths]
    clock.advance(minutes=1)
    grow(20, "hedy")
    assert [count(path) for path in paths] == few


def test_nobody_else_gets_near_them(admin: Person, alice: Person, mail, records):
    mail()
    alice.sign_up()
    token = alice.get("/account/profile").form("/account/profile").one('[name="csrf_token"]')["value"]
    before = records.everything()
    for path in ("mail/", "mail/rows.csv", "invitations/", "audit/", "audit/verify", "program/", "program/edit"):
        alice.get(f"/admin/{path}", 404)
    for path in ("mail/again", "mail/3/again", "program/", "program/preview", "program/edit"):
        alice.post(f"/admin/{path}", {"csrf_token": token}, 404)
        admin.post(f"/admin/{path}", {}, 400)
    assert records.everything() == before
