"""A friend has agreed to a claim: an admin sees what speaks for it, and decides; both read why."""

from datetime import timedelta

import pytest

from referralhub.models import (
    AuditLine,
    Channel,
    MessageKind,
    OutboxMessage,
    Profile,
    Reason,
    Referral,
    ReferralClaim,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    User,
)
from referralhub.services.ledger import recount
from referralhub.services.recourse import decisions, missing
from referralhub.services.referrals import review
from referralhub.services.shared import audit
from referralhub.services.shared.errors import AlreadyDone
from referralhub.words.audit import change_in_words, subject_in_words
from tests.claims import CLAIMS, answer, claim
from tests.pages import Page, Visitor
from tests.people import Person, Records, all_at_once, path_of, text_of, user_named

REVIEW = "/admin/review/missing/"


@pytest.fixture
def members(admin: Person, alice: Person, bob: Person, charlie: Person) -> None:
    """Alice, Charlie and Bob have joined, in this order, by nobody's link, and confirmed their addresses."""
    for person in (alice, charlie, bob):
        person.sign_up()
        person.confirm_address()


def decide(admin: Person, step: str, expect: int = 303, number: int = 1, reason: str = "asked both") -> Page:
    form = admin.get(f"{REVIEW}{number}/").form(f"{REVIEW}{number}/confirm")
    data = {"csrf_token": form.one('[name="csrf_token"]')["value"], "reason": reason}
    return admin.post(f"{REVIEW}{number}/{step}", data, expect)


def state(records: Records) -> str:
    return records.one(ReferralClaim).state.value


@pytest.mark.usefixtures("members")
class TestDeciding:
    @pytest.fixture
    def agreed(self, alice: Person, bob: Person, members) -> None:
        claim(alice, bob.email, words="We sat at one table.")
        answer(bob, "yes")

    def test_it_waits_beside_the_review_queue_with_the_evidence(self, agreed, admin):
        page = admin.get("/admin/review/")
        assert "their friends agree to: 1." in page.text
        assert "bob, claimed by alice" in admin.get(REVIEW).text
        page = admin.get(f"{REVIEW}1/")
        for words in (
            "We sat at one table", "the day that is claimed", "none, or longer than 90 days ago", "of 100 points",
            "Invitation to this address none", "There are none",
        ):  # fmt: skip
            assert words in page.text, words

    def test_confirming_it_is_a_referral_from_then_on(self, agreed, app, admin, alice, bob, records, clock):
        joined = records.one(Profile, id=user_id(records, "bob")).created
        clock.advance(hours=1)
        assert "get a mail" in admin.follow(decide(admin, "confirm")).text
        referral = records.one(Referral)
        assert (referral.state, referral.channel) == (ReferralState.CONFIRMED, Channel.WHATSAPP)
        assert (referral.created, referral.decided_at) == (joined, clock())
        begun, credited = records.all(ReferralEvent)
        assert (begun.to_state, begun.reason_code, begun.actor_id) == (ReferralState.PENDING, "friend_agreed", None)
        assert (credited.from_state, credited.reason.text, credited.actor_id) == (
            ReferralState.PENDING, "asked both", user_id(records, "grace"),
        )  # fmt: skip
        assert credited.evidence["claim"] == 1
        assert credited.evidence["assessment"]["verdict"] == "clear"
        assert alice.get("/dashboard/").stat("total_referrals") == 1
        assert len(records.all(RewardEntry)) == 1
        with app.app_context():
            assert list(recount.drifts(app.extensions["redis"], clock())) == []
            assert audit.verify().broken_at is None

    @pytest.mark.parametrize(
        ("step", "subject", "words"), [("confirm", "was found", "counts since"), ("reject", "We looked", "not counted")]
    )
    def test_both_read_why(self, agreed, admin, alice, bob, records, step: str, subject: str, words: str):
        decide(admin, step, reason="we asked both of them")
        bob.post_office.deliver()
        for person, page in ((alice, CLAIMS), (bob, "/account/referrer")):
            (letter,) = (each for each in person.post_office.letters(person.email) if subject in each["Subject"])
            assert all(each in text_of(letter) for each in ("we asked both of them", "alice", "bob", page))
            assert words in person.get(page).text
            assert "we asked both of them" in person.get(page).text

    def test_it_is_decided_once_and_audited(self, agreed, admin, records):
        decide(admin, "reject")
        form = {"csrf_token": admin.get("/admin/review/").all('[name="csrf_token"]')[0]["value"], "reason": "x"}
        assert "done before" in admin.follow(admin.post(f"{REVIEW}1/reject", form, 303)).text
        assert "does not wait" in admin.post(f"{REVIEW}1/confirm", form, 422).text
        admin.post(f"{REVIEW}99/confirm", form, 404)
        admin.get(f"{REVIEW}99/", 404)
        assert state(records) == "rejected"
        (line,) = [line for line in records.all(AuditLine) if line.subject == decisions.SUBJECT]
        assert (line.action, line.reason) == ("claim.reject", "asked both")
        with admin.post_office.app.test_request_context():
            assert subject_in_words(line) == "claim of a referral 1"
            assert change_in_words(line) == "state: agreed → rejected"

    def test_without_a_reason_nothing_is_decided(self, agreed, admin, records):
        for reason in ("", "  ", "x" * 201, "a\0b"):
            assert decide(admin, "confirm", 422, reason=reason).wrong_fields == {"reason"}
        assert state(records) == "agreed"

    def test_a_friend_with_a_referrer_by_now_stops_it_and_nothing_is_half_done(
        self, agreed, admin, charlie, bob, records
    ):
        bob.submit(bob.get("/account/referrer").form("/account/referrer"), referral_code=charlie.code)
        assert "this can only be rejected" in admin.get(f"{REVIEW}1/").text
        before = records.everything()
        assert "that does not change" in decide(admin, "confirm", 422).text
        after = records.everything()
        assert {name for name in after if after[name] != before[name]} <= {"sighting"}
        decide(admin, "reject")
        assert state(records) == "rejected"

    def test_an_unconfirmed_friend_stops_it(self, agreed, admin, bob, records):
        records.change(lambda: setattr(user_named("bob"), "verified_at", None))
        assert "has not confirmed their address" in decide(admin, "confirm", 422).text
        assert (state(records), records.all(Referral)) == ("agreed", [])

    def test_two_admins_at_once_decide_once(self, agreed, app, records, clock):
        def confirm() -> bool:
            with app.app_context():
                try:
                    decisions.confirm(1, Reason.stated("asked both"), audit.OPERATOR, clock())
                except AlreadyDone:
                    return False
            return True

        assert sum(all_at_once([confirm] * 4)) == 1
        assert len(records.all(RewardEntry)) == 1

    def test_who_decides_is_reminded_of_it(self, agreed, app, admin, records, clock):
        for days, due in ((2, 0), (1, 1), (1, 0), (3, 1), (5, 0)):
            clock.advance(days=days)
            with app.app_context():
                assert review.remind(clock()) == due
        reminders = records.all(OutboxMessage, kind=MessageKind.REVIEW_REMINDER)
        assert [row.payload["waiting"] for row in reminders] == [1, 1]

    def test_the_evidence_is_that_of_visits_invitations_and_other_claims(
        self, app, run, admin, alice, bob, charlie, records, clock
    ):
        run("program", "set", "email_invitations", "true")
        preview = charlie.submit(
            charlie.get("/dashboard/invite").form("/dashboard/invite"), 200, addresses="dan@example.com"
        )
        charlie.submit(preview.form("/dashboard/invite"), send="yes")
        clock.advance(days=1)
        Visitor(app).get(f"{path_of(alice.link)}?via=qr", 302)
        records.visits()
        clock.advance(days=1)
        admin.submit(admin.get("/account/confirm").form("/account/confirm"), password=admin.password)
        dan = Person(app, bob.post_office, "dan")
        dan.sign_up()
        dan.confirm_address()
        claim(alice, "nobody@example.org")
        claim(alice, dan.email, day=f"{clock() - timedelta(days=1):%Y-%m-%d}")
        answer(dan, "yes")
        page = admin.get(f"{REVIEW}2/")
        assert "1 day later than claimed" in page.text
        assert "1 by qr" in page.text
        assert "by charlie on" in page.text
        assert "Claim 1" in page.text

    def test_it_costs_as_many_statements_however_much_there_is(self, agreed, admin, alice, app, clock, count_queries):
        with count_queries() as few:
            admin.get(f"{REVIEW}1/")
        with app.app_context():
            user = user_named("alice")
            for number in range(8):
                missing.claim(user, f"x{number}@example.com", clock().date(), Channel.LINK, "", clock())
        with count_queries() as many:
            admin.get(f"{REVIEW}1/")
        assert len(few) == len(many) <= 26, f"{many}"


def user_id(records: Records, name: str) -> int:
    return records.one(User, username=name).id
