"""The review queue: what waits is seen with its reasons, decided for a reason, and not forgotten."""

import json
from datetime import timedelta

import pytest

from referralhub.extensions import db
from referralhub.models import (
    AuditLine,
    MessageKind,
    OutboxMessage,
    Reason,
    ReasonCode,
    Referral,
    ReferralState,
    RewardEntry,
    Role,
    User,
)
from referralhub.services.referrals import lifecycle, review
from referralhub.services.shared import audit
from referralhub.services.shared.audit import OPERATOR
from referralhub.words.audit import audit_reason, change_in_words
from tests.factories import befriend
from tests.people import Person, all_at_once, links_in, path_of, text_of

NO_DECISIONS = (
    ("confirm", [], "x"), ("confirm", ["1"], ""), ("erase", ["1"], "x"), ("", ["1"], "x"), ("reject", ["x"], "x"),
    ("reject", ["1"], "x" * 201), ("reject", ["99999999999999999999"], "x"), ("reject", ["²"], "x"),
)  # fmt: skip


@pytest.fixture
def held(admin: Person, alice: Person, bob: Person, charlie: Person) -> None:
    """Bob and Charlie joined by Alice's link, and each filled in a field that people do not see."""
    alice.sign_up()
    alice.confirm_address()
    for friend in (bob, charlie):
        friend.email = f"{friend.username}@gmail.com"
        friend.click(alice.link)
        friend.follow(friend.fill_in_signup(topic="https://example.com"))
        friend.confirm_address()


def states(records) -> list[str]:
    return [referral.state.value for referral in records.all(Referral)]


def decide(admin: Person, step: str, ids: list[str], expect: int = 303, reason: str = "asked them"):
    """Tick cases and press a button, as a browser sends it."""
    form = admin.get("/admin/review/").form("/admin/review/")
    data = {"csrf_token": form.one('[name="csrf_token"]')["value"], "case": ids, "step": step, "reason": reason}
    return admin.post("/admin/review/", data, expect)


def form_of(admin: Person, field: str) -> dict[str, str]:
    """What the forms of a member's page send, with this field filled in."""
    name, _, value = field.partition("=")
    return {"csrf_token": admin.get("/admin/members/2/").all('[name="csrf_token"]')[0]["value"], name: value}


def reminders(records) -> list[OutboxMessage]:
    return records.all(OutboxMessage, kind=MessageKind.REVIEW_REMINDER)


class TestTheQueue:
    def test_each_case_has_its_explanation_beside_it(self, held, admin):
        page = admin.get("/admin/review/")
        cases = page.all("[data-case]")
        assert [("bob" in case.text, "alice" in case.text) for case in cases] == [(True, True), (False, True)]
        for case in cases:
            assert "of 100 points" in case.text
            assert "Trap" in case.text
            assert "Without it" in case.text

    def test_cases_that_the_same_rules_held_are_together(self, held, admin, app, records, clock):
        befriend(app, "alice", 1, clock(), ReferralState.PENDING)
        with app.app_context():
            lifecycle.hold(3, OPERATOR, Reason.stated("a colleague warned us"), clock())
        titles = [legend.text for legend in admin.get("/admin/review/").all("legend")]
        assert titles == ["Trap: 2 cases", "Like no other: 1 case"]
        assert "a colleague warned us" in admin.get("/admin/review/").text

    def test_cases_from_one_network_are_together(self, app, admin, alice, post_office, clock):
        alice.sign_up()
        for name, network in (("dan", "192.0.2.7"), ("eve", "192.0.2.7"), ("fay", "192.0.2.8")):
            friend = Person(app, post_office, name, REMOTE_ADDR=network)
            friend.click(alice.link)
            friend.follow(friend.fill_in_signup(topic="x"))
            friend.confirm_address()
        titles = [legend.text for legend in admin.get("/admin/review/").all("legend")]
        assert titles[0] == "From one network: 2 cases"
        assert titles[1] == "Like no other: 1 case"

    def test_many_cases_cost_no_more_statements_than_few(self, held, app, admin, clock, count_queries):
        with count_queries() as few:
            admin.get("/admin/review/")
        befriend(app, "alice", 30, clock(), ReferralState.HELD)
        with count_queries() as many:
            admin.get("/admin/review/")
        assert len(many) == len(few) <= 5, f"{many}"

    def test_operators_read_it_too(self, held, app):
        run = app.test_cli_runner().invoke
        assert "1  " in run(args=["referrals", "held"]).output.splitlines()[0]
        found = json.loads(run(args=["referrals", "held", "--json"]).output)
        assert found["waiting"] == 2
        assert [(case["id"], case["friend"], case["referrer"]) for case in found["cases"]] == [
            (1, "bob", "alice"), (2, "charlie", "alice"),
        ]  # fmt: skip

    def test_with_nothing_to_decide_it_says_so(self, admin):
        assert "Nothing waits" in admin.get("/admin/review/").text


class TestDeciding:
    def test_many_are_confirmed_at_once(self, held, admin, alice, records):
        page = admin.follow(decide(admin, "confirm", ["1", "2"]))
        assert "2 cases confirmed." in page.text
        assert states(records) == ["confirmed", "confirmed"]
        assert alice.get("/dashboard/").stat("rewards") == 20
        lines = [line for line in records.all(AuditLine) if line.role is Role.ADMIN]
        assert [(a.actor_id, a.action, a.subject_id, a.before, a.after, a.reason) for a in lines] == [
            (1, "referral.confirmed", number, {"state": "held"}, {"state": "confirmed"}, "asked them")
            for number in (1, 2)
        ]

    def test_one_is_rejected_and_its_members_read_why(self, held, admin, alice, records):
        decide(admin, "reject", ["2"], reason="the same person twice")
        assert states(records) == ["held", "rejected"]
        assert "the same person twice" in alice.get("/dashboard/referrals").text
        assert "grace" in admin.get("/admin/referrals/2/").text  # who decided is for admins

    def test_what_was_decided_meanwhile_is_said_and_stops_no_other(self, held, admin, app, records, clock):
        with app.app_context():
            lifecycle.reject(1, OPERATOR, Reason.stated("quicker"), clock())
        page = admin.follow(decide(admin, "confirm", ["1", "2", "99"]))
        assert "1 case confirmed." in page.text
        assert "Referral 1" in page.text
        assert states(records) == ["rejected", "confirmed"]

    def test_half_a_decision_is_none_and_what_was_ticked_stays(self, held, admin, records):
        for step, ids, reason in NO_DECISIONS:
            page = decide(admin, step, ids, 422, reason)
            assert [box["value"] for box in page.all("input[checked]")] == [each for each in ids if each == "1"]
        assert states(records) == ["held", "held"]

    def test_two_admins_at_once_decide_once(self, held, app, records, clock):
        def confirm() -> int:
            with app.app_context():
                return review.decide([1, 2], True, Reason.stated("asked them"), OPERATOR, clock()).done

        assert sum(all_at_once([confirm] * 6)) == 2
        assert len(records.all(RewardEntry)) == 2
        with app.app_context():
            assert audit.verify().broken_at is None

    def test_every_step_can_be_taken_from_the_referrals_page(self, admin, alice, bob, records):
        alice.sign_up()
        bob.click(alice.link)
        bob.sign_up()
        for step, after in (("hold", "held"), ("reject", "rejected")):
            page = admin.get("/admin/referrals/1/")
            form = page.form(f"/admin/referrals/1/{'release' if step == 'reject' else step}")
            token = form.one('[name="csrf_token"]')["value"]
            admin.post(f"/admin/referrals/1/{step}", {"csrf_token": token, "reason": "looked at it"}, 303)
            assert states(records) == [after]
        again = admin.post("/admin/referrals/1/reverse", {"csrf_token": token, "reason": "x"}, 422)
        assert "not confirmed, or not any more" in again.text
        assert not again.all("button[formaction]")


class TestNobodyComes:
    def wait(self, app, clock, **span: float) -> tuple[int, int]:
        clock.advance(**span)
        with app.app_context():
            return review.remind(clock()), review.release_due(clock())

    def test_admins_are_reminded_after_three_and_seven_days_once_each(self, held, app, records, clock, admin):
        sent = [self.wait(app, clock, days=1)[0] for _ in range(10)]
        assert sent == [0, 0, 2, 0, 0, 0, 2, 0, 0, 0]
        assert [message.user_id for message in reminders(records)] == [1, 1]  # one mail, however many cases
        admin.post_office.deliver()
        letter = text_of(admin.post_office.letters(admin.email)[-1])
        assert "2 referrals wait" in letter
        assert (
            admin.get(path_of(links_in(admin.post_office.letters(admin.email)[-1])[0]), 302).location
            == "/admin/review/"
        )

    def test_a_worker_that_was_away_reminds_once_when_it_is_back(self, held, app, records, clock):
        assert self.wait(app, clock, days=9)[0] == 4
        assert self.wait(app, clock, hours=1)[0] == 0
        assert len(reminders(records)) == 1

    def test_what_is_decided_reminds_nobody(self, held, app, admin, records, clock):
        decide(admin, "reject", ["1", "2"])
        self.wait(app, clock, days=8)
        assert reminders(records) == []

    def test_after_thirty_days_small_suspicions_confirm_themselves(self, held, app, records, clock, alice):
        with app.app_context():
            for number, score in ((1, 59), (2, 60)):  # likely fraud waits on
                db.session.get(Referral, number).score = score
            db.session.commit()
        assert self.wait(app, clock, days=29)[1] == 0
        assert self.wait(app, clock, days=1)[1] == 1
        assert states(records) == ["confirmed", "held"]
        line = records.all(AuditLine)[-1]
        assert (line.role, line.actor_id, line.action, line.subject_id) == (Role.SYSTEM, None, "referral.confirmed", 1)
        assert self.wait(app, clock, days=60)[1] == 0
        assert audit_reason(line) == "nobody decided within 30 days, and the score is under 60"
        assert change_in_words(line) == "state: held → confirmed"

    def test_a_reason_that_reads_like_a_code_is_shown_as_it_was_typed(self, held, admin, records):
        decide(admin, "reject", ["1"], reason=ReasonCode.STATED.value)
        for code in ReasonCode:
            admin.post("/admin/members/2/active", form_of(admin, f"active-reason={code.value}"), 303)
            admin.post("/admin/members/2/active/again", form_of(admin, f"active-reason={code.value}"), 303)
        text = admin.get("/admin/audit/").text
        assert all(code.value in text for code in ReasonCode)

    def test_what_a_person_held_waits_for_a_person(self, app, admin, alice, bob, records, clock):
        alice.sign_up()
        bob.click(alice.link)
        bob.sign_up()
        with app.app_context():
            lifecycle.hold(1, OPERATOR, Reason.stated("a colleague warned us"), clock())
        bob.confirm_address()
        assert self.wait(app, clock, days=40)[1] == 0
        assert states(records) == ["held"]

    def test_a_failed_reminder_is_made_up_for(self, held, app, records, clock, monkeypatch):
        clock.advance(days=3)
        with app.app_context(), monkeypatch.context() as broken, pytest.raises(RuntimeError):
            broken.setattr(review.outbox, "queue", _fail)
            review.remind(clock())
        assert self.wait(app, clock, hours=1)[0] == 2
        assert len(reminders(records)) == 1

    def test_who_runs_nothing_any_more_is_not_reminded(self, held, app, records, clock):
        records.change(lambda: setattr(db.session.get(User, 1), "is_admin", False))
        self.wait(app, clock, days=3 + timedelta(hours=1) / timedelta(days=1))
        assert reminders(records) == []


def _fail(*_: object) -> None:
    raise RuntimeError("the database went away")
