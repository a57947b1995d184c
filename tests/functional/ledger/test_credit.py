"""What happens to a credit after it was given: review, reversal, debt, hold period, and the proof of it all."""

from unittest import mock

import pytest

from referralhub.extensions import db
from referralhub.models import (
    BadgeAward,
    MessageKind,
    OutboxMessage,
    Profile,
    Reason,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
)
from referralhub.services.accounts import erasure
from referralhub.services.ledger import recount
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import Unverified, WrongState
from referralhub.words.referrals import FORMER_MEMBER
from tests.factories import befriend


def balance_of(records, profile_id: int) -> int:
    return ([0] + [e.balance for e in records.all(RewardEntry, profile_id=profile_id)])[-1]


def kinds(records) -> list[MessageKind]:
    return [message.kind for message in records.all(OutboxMessage, user_id=1)]


class TestReview:
    def test_a_held_referral_waits_for_a_decision(self, joined, app, clock, alice, bob, records):
        with app.app_context():
            lifecycle.hold(1, OPERATOR, Reason.stated("same network"), clock())
        bob.confirm_address()
        assert records.one(Referral).state is ReferralState.HELD
        assert alice.get("/dashboard/").stat("total_referrals") == 0
        page = alice.get("/dashboard/referrals")
        assert page.referrals == [("bob", "held")]
        assert "in review" in page.one("[data-referral]").text
        assert "same network" not in page.text  # what looked wrong is for admins
        with app.app_context():
            lifecycle.release(1, OPERATOR, Reason.stated("looked at"), clock())
        assert alice.get("/dashboard/").stat("rewards") == 10
        assert [event.to_state.value for event in records.all(ReferralEvent)] == ["pending", "held", "confirmed"]
        assert MessageKind.REFERRAL_HELD in kinds(records)

    def test_no_release_before_the_address_is_confirmed(self, joined, app, clock, records):
        with app.app_context():
            lifecycle.hold(1, OPERATOR, Reason.stated("same network"), clock())
            with pytest.raises(Unverified):
                lifecycle.release(1, OPERATOR, Reason.stated("looked at"), clock())
        assert records.one(Referral).state is ReferralState.HELD
        assert not records.all(RewardEntry)

    def test_a_rejected_referral_says_why(self, joined, app, clock, alice, records):
        with app.app_context():
            lifecycle.hold(1, OPERATOR, Reason.stated("same network"), clock())
            lifecycle.reject(1, OPERATOR, Reason.stated("the same person twice"), clock())
        assert "the same person twice" in alice.get("/dashboard/referrals").one("[data-referral]").text
        assert not records.all(RewardEntry)

    @pytest.mark.parametrize("step", ["release", "reject", "reverse"])
    def test_a_step_from_the_wrong_state_changes_nothing(self, joined, app, clock, records, step: str):
        before = records.everything()
        with app.app_context(), pytest.raises(WrongState):
            getattr(lifecycle, step)(1, None, "why not", clock())
        assert records.everything() == before

    def test_a_friend_who_never_confirms_expires(self, joined, app, clock, alice, bob, records):
        path = bob.verification_path()
        clock.advance(days=31)
        with app.app_context():
            assert lifecycle.expire_due(clock()) == 1
            assert lifecycle.expire_due(clock()) == 0
        assert alice.get("/dashboard/referrals").referrals == [("bob", "expired")]
        bob.submit(bob.get(path).form(path), 400)
        assert not records.all(RewardEntry)


class TestReversal:
    def test_it_takes_back_everything_and_tells(self, credited, app, clock, alice, records):
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("the card was stolen"), clock())
        page = alice.get("/dashboard/")
        assert (page.stat("total_referrals"), page.stat("rewards")) == (0, 0)
        assert page.one('[data-badge="first"]')["data-earned"] == "false"
        assert not records.all(BadgeAward)
        assert "the card was stolen" in alice.get("/dashboard/rewards").text
        assert alice.get("/leaderboard").leaders == []
        original, reversal = records.all(RewardEntry)
        assert (reversal.amount, reversal.reverses_id, reversal.balance) == (-10, original.id, 0)
        assert MessageKind.REFERRAL_REVERSED in kinds(records)

    def test_a_second_one_changes_nothing(self, credited, app, clock, records):
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen"), clock())
            before = records.everything()
            with pytest.raises(WrongState):
                lifecycle.reverse(1, OPERATOR, Reason.stated("stolen"), clock())
        assert records.everything() == before

    def test_a_badge_can_be_earned_again(self, credited, app, clock, alice, charlie, records):
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen"), clock())
        charlie.click(alice.link)
        charlie.sign_up()
        charlie.confirm_address()
        assert alice.get("/dashboard/").one('[data-badge="first"]')["data-earned"] == "true"
        assert kinds(records).count(MessageKind.BADGE_EARNED) == 2

    def test_after_spending_it_is_a_debt_that_the_next_credit_pays(self, credited, app, clock, alice, charlie, records):
        with app.app_context():
            catalogue.add("Sticker", "", clock(), price=10)
        alice.submit(alice.get("/dashboard/rewards").form("/dashboard/perks/1/redeem"))
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen"), clock())
        assert balance_of(records, 1) == -10
        page = alice.get("/dashboard/rewards")
        assert page.one("[data-balance]")["data-value"] == "-10"
        assert "owed" in page.text
        charlie.click(alice.link)
        charlie.sign_up()
        charlie.confirm_address()
        assert balance_of(records, 1) == 0


class TestHoldPeriod:
    def test_points_can_be_spent_when_it_is_over(self, app, clock, alice, bob):
        with app.app_context():
            rules.change({"hold_days": 14}, clock())
            catalogue.add("Sticker", "", clock(), price=10)
        alice.sign_up()
        bob.click(alice.link)
        bob.sign_up()
        bob.confirm_address()
        page = alice.get("/dashboard/rewards")
        assert "0 points can be spent today" in page.text
        assert "10 points to go" in page.one("[data-perk]").text
        token = page.all('[name="csrf_token"]')[0]["value"]
        refused = alice.post("/dashboard/perks/1/redeem", {"csrf_token": token, "key": "k"}, 409)
        assert "you can spend 0 points today" in refused.text
        clock.advance(days=14, minutes=1)
        alice.submit(alice.get("/dashboard/rewards").form("/dashboard/perks/1/redeem"))
        assert alice.get("/dashboard/rewards").one("[data-balance]")["data-value"] == "0"


class TestNames:
    def test_a_display_name_is_what_others_see(self, credited, alice, bob):
        page = alice.get("/account/profile")
        alice.submit(page.form("/account/profile"), display_name="Alice <b>B.</b>")
        assert bob.get("/leaderboard").leaders == [(1, "Alice <b>B.</b>", 1)]

    def test_who_stays_off_the_leaderboard_is_not_on_it(self, credited, alice, bob):
        form = alice.get("/account/profile").form("/account/profile")
        box = form.one('[name="listed"]')
        del box.attributes["checked"]
        alice.submit(form)
        assert bob.get("/leaderboard").leaders == []
        assert alice.get("/leaderboard").leaders == []

    def test_a_bad_display_name_is_refused_at_the_field(self, credited, alice, subtests):
        for name in ("x" * 41, "a\0b", "a\nb"):
            with subtests.test(name=name):
                page = alice.submit(alice.get("/account/profile").form("/account/profile"), 422, display_name=name)
                assert page.wrong_fields == {"display_name"}


class TestVerify:
    def run(self, app, *arguments: str):
        return app.test_cli_runner().invoke(args=["ledger", "verify", *arguments])

    def test_all_is_well_after_a_credit_and_a_reversal(self, credited, app, clock, alice, charlie):
        charlie.click(alice.link)
        charlie.sign_up()
        charlie.confirm_address()
        with app.app_context():
            lifecycle.reverse(1, OPERATOR, Reason.stated("stolen"), clock())
        result = self.run(app)
        assert (result.exit_code, result.output) == (0, "Everything follows from the ledger.\n")

    @pytest.mark.parametrize(
        ("statement", "complaint"),
        [
            ("UPDATE profile SET referral_count = 7 WHERE id = 1", "member 1: count 7"),
            ("UPDATE profile SET last_confirmed_at = NULL WHERE id = 1", "member 1: count 1 at None"),
            ("DELETE FROM badge_award", "member 1: badges [], 1 referrals"),
            (
                "INSERT INTO badge_award (profile_id, badge, created) VALUES (2, '10', '2026-01-01 00:00:00')",
                "member 2: badges",
            ),
        ],
    )
    def test_a_wrong_copy_is_found_and_repaired(self, credited, app, records, statement: str, complaint: str):
        records.change(lambda: db.session.execute(db.text(statement)))
        result = self.run(app)
        assert result.exit_code == 1
        assert complaint in result.output
        assert self.run(app, "--repair").exit_code == 0
        assert self.run(app).exit_code == 0

    def test_what_happens_while_it_recounts_is_no_drift(self, credited, app, clock):
        def and_friends_join(query):
            rows = read(query).all()
            befriend(app, "alice", 1, clock())
            return rows

        read = recount._rows
        with app.app_context(), mock.patch.object(recount, "_rows", and_friends_join):
            assert list(recount.drifts(app.extensions["redis"], clock())) == []

    def test_a_wrong_leaderboard_is_found_and_repaired(self, credited, app, valkey):
        assert self.run(app).exit_code == 0
        valkey.client.zadd("leaderboard:all:ever", {"0000000002": -5 * 2**33})
        result = self.run(app)
        assert result.exit_code == 1
        assert "leaderboard all" in result.output
        assert self.run(app, "--repair").exit_code == 0

    @pytest.mark.parametrize(
        ("statement", "complaint"),
        [
            ("UPDATE referral SET state = 'pending'", "referral 1: is pending, the trail ends in confirmed"),
            ("UPDATE referral SET state = 'reversed'", "referral 1: is reversed, entry 1 has reversal None"),
        ],
    )
    def test_a_wrong_referral_is_found_and_the_ledger_never_changed(
        self, credited, app, records, statement: str, complaint: str
    ):
        records.change(lambda: db.session.execute(db.text(statement)))
        entries = [(e.id, e.amount, e.balance) for e in records.all(RewardEntry)]
        result = self.run(app, "--repair")
        assert result.exit_code == 1
        assert complaint in result.output
        assert [(e.id, e.amount, e.balance) for e in records.all(RewardEntry)] == entries


def test_erasing_a_member_keeps_totals_and_forgets_the_name(credited, app, clock, alice, bob, records):

    before = [(p.id, p.referral_count) for p in records.all(Profile)]
    with app.app_context():
        erasure.erase(2, FORMER_MEMBER, clock())
    assert [(p.id, p.referral_count) for p in records.all(Profile)] == before
    assert alice.get("/dashboard/").stat("rewards") == 10
    assert alice.get("/dashboard/referrals").referrals == [("A former member", "confirmed")]
    bob.get("/dashboard/", 302)
    assert app.test_cli_runner().invoke(args=["ledger", "verify"]).exit_code == 0
