"""A referrer appeals against a rejection: once, in words, and a person decides again."""

from functools import partial

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import (
    Appeal,
    MessageKind,
    OutboxMessage,
    Reason,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
)
from referralhub.services.accounts import erasure, exports
from referralhub.services.ledger import recount
from referralhub.services.recourse import appeals
from referralhub.services.referrals import lifecycle, review
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone
from referralhub.words.referrals import FORMER_MEMBER
from tests.pages import Page
from tests.people import Clock, Person, Records, all_at_once, user_named

LIST, APPEAL = "/dashboard/referrals", "/dashboard/referrals/1/appeal"
WORDS = "Bob sat beside me.\nIt was my laptop."


@pytest.fixture
def rejected(app: Flask, admin: Person, alice: Person, bob: Person, clock: Clock) -> None:
    """Bob joined by Alice's link, filled in a field that people do not see, and was rejected for it."""
    alice.sign_up()
    bob.click(alice.link)
    bob.follow(bob.fill_in_signup(topic="https://example.com"))
    bob.confirm_address()
    with app.app_context():
        lifecycle.reject(1, OPERATOR, Reason.stated("the same person twice"), clock())


def appeal(who: Person, words: str = WORDS, expect: int = 303) -> Page:
    return who.submit(who.get(LIST).form(APPEAL), expect, words=words)


def state(records: Records) -> str:
    return records.one(Referral).state.value


@pytest.mark.usefixtures("rejected")
class TestAppealing:
    def test_it_is_in_review_again(self, alice, records):
        page = alice.follow(appeal(alice))
        assert "Your appeal is noted" in page.text
        assert "you appealed, and somebody looks at it once more" in page.text
        assert page.referrals == [("bob", "held")]
        assert not [form for form in page.all("form") if form["action"] == APPEAL]
        step = records.all(ReferralEvent)[-1]
        assert (step.from_state, step.to_state) == (ReferralState.REJECTED, ReferralState.HELD)
        assert (step.reason_code, step.actor_id) == ("appealed", None)
        assert records.one(Appeal).words == WORDS
        assert alice.get("/dashboard/").stat("pending") == 1

    def test_who_decides_reads_what_was_said_and_why_it_was_rejected(self, alice, admin):
        appeal(alice)
        (case,) = admin.get("/admin/review/").all("[data-case]")
        for words in ("Appeal.", "the same person twice", "Bob sat beside me.", "of 100 points", "Trap"):
            assert words in case.text, words
        assert "the referrer appealed Bob sat beside me." in admin.get("/admin/referrals/1/").text

    def test_a_second_rejection_is_final_and_the_page_says_so(self, app, alice, records, clock):
        form = alice.get(LIST).form(APPEAL)
        appeal(alice)
        with app.app_context():
            lifecycle.reject(1, OPERATOR, Reason.stated("still the same person"), clock())
        page = alice.get(LIST)
        assert "still the same person. You appealed; this is final" in page.text
        assert not [each for each in page.all("form") if each["action"] == APPEAL]
        assert "final" in alice.submit(form, 409, words=WORDS).text
        assert state(records) == "rejected"

    def test_confirmed_after_all_it_is_credited_as_any_other(self, app, alice, records, clock):
        appeal(alice)
        with app.app_context():
            lifecycle.release(1, OPERATOR, Reason.stated("we asked them"), clock())
            assert list(recount.drifts(app.extensions["redis"], clock())) == []
        assert alice.get("/dashboard/").stat("rewards") == 10
        assert len(records.all(RewardEntry)) == 1

    def test_two_clicks_are_one_appeal(self, alice, records):
        page = alice.follow(alice.submit_twice(alice.get(LIST).form(APPEAL), words=WORDS))
        assert "You have appealed already" in page.text
        assert [step.reason_code for step in records.all(ReferralEvent)].count("appealed") == 1

    @pytest.mark.parametrize(
        ("words", "said"), [("", "Say why"), ("  ", "Say why"), ("x" * 501, "at most 500"), ("a\0b", "control")]
    )
    def test_it_needs_words(self, alice, records, words: str, said: str):
        page = appeal(alice, words, 422)
        assert said in page.error_at("words")
        assert page.referrals[0] == ("bob", "rejected")
        assert (state(records), records.all(Appeal)) == ("rejected", [])

    def test_others_find_nothing_there(self, alice, bob, records):
        form = alice.get(LIST).form(APPEAL)
        token = {"csrf_token": bob.get(LIST).all('[name="csrf_token"]')[0]["value"]}
        for words in (WORDS, ""):
            bob.post(APPEAL, token | {"words": words}, 404)
        bob.post("/dashboard/referrals/2147483647/appeal", token | {"words": WORDS}, 404)
        bob.post("/dashboard/referrals/2147483647/appeal", token | {"words": ""}, 404)
        assert form and records.all(Appeal) == []

    def test_only_a_rejection_is_appealed_against(self, app, alice, charlie, records, clock):
        charlie.click(alice.link)
        charlie.sign_up()
        with app.app_context(), pytest.raises(Exception, match="referral_in_other_state"):
            appeals.file(2, 2, WORDS, clock())
        assert records.all(Appeal) == []

    def test_of_many_at_once_one_counts(self, app, records, clock):
        def file(number: int) -> bool:
            with app.app_context():
                try:
                    appeals.file(1, 2, f"reason {number}", clock())
                except AlreadyDone:
                    return False
            return True

        assert sum(all_at_once([partial(file, number) for number in range(5)])) == 1
        assert [step.reason_code for step in records.all(ReferralEvent)].count("appealed") == 1


@pytest.mark.usefixtures("rejected")
class TestNobodyComes:
    def test_it_never_confirms_itself(self, app, alice, records, clock):
        records.change(lambda: setattr(db.session.get(Referral, 1), "score", 35))  # which alone would do so
        appeal(alice)
        clock.advance(days=90)
        with app.app_context():
            assert review.release_due(clock()) == 0
        assert state(records) == "held"

    def test_admins_are_reminded_of_it_anew(self, app, alice, records, clock):
        appeal(alice)
        for days, due in ((2, 0), (1, 1), (4, 1), (3, 0)):
            clock.advance(days=days)
            with app.app_context():
                assert review.remind(clock()) == due
        assert len(records.all(OutboxMessage, kind=MessageKind.REVIEW_REMINDER)) == 2


@pytest.mark.usefixtures("rejected")
class TestErasing:
    def test_the_words_go_with_their_author_and_the_case_stays(self, app, alice, admin, records, clock):
        appeal(alice)
        with app.app_context():
            erasure.erase(user_named("alice").id, FORMER_MEMBER, clock())
        everything = str(records.everything())
        assert "beside me" not in everything
        (case,) = admin.get("/admin/review/").all("[data-case]")
        assert "erased with the account" in case.text

    def test_they_are_taken_along(self, app, alice):
        appeal(alice)
        with app.app_context():
            held = exports.everything_about(user_named("alice"))
        assert [row["words"] for row in held["appeals"]] == [WORDS]
