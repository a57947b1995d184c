"""A friend who came by no link enters a code later: while there is time, once, and never against who was first."""

from datetime import timedelta
from functools import partial

import pytest
from flask import Flask

from referralhub.models import (
    MessageKind,
    OutboxMessage,
    Profile,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    SignupFacts,
    User,
)
from referralhub.services.accounts import erasure
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.growth import cohorts, funnel, monthly
from referralhub.services.growth.ranges import DateRange
from referralhub.services.ledger import recount
from referralhub.services.recourse import corrections, late_codes
from referralhub.services.referrals import customers, lifecycle
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError
from referralhub.words.referrals import FORMER_MEMBER
from tests.people import Clock, Person, all_at_once, user_named

PAGE = "/account/referrer"


@pytest.fixture
def code(alice: Person) -> str:
    alice.sign_up()
    return alice.code


@pytest.fixture
def enter(app: Flask, clock: Clock):
    """Enter a code for a member by the service, as the page does."""

    def act(username: str, code: str, network: str | None = None, members: tuple[int, ...] = ()):
        with app.app_context():
            profile_id = user_named(username).profile.id
            return late_codes.enter(profile_id, code, RequestOrigin(network, "Firefox"), clock(), members=members)

    return act


def refusal(code: str) -> pytest.raises:
    return pytest.raises(DomainError, match=f"^{code}$")


class TestThePage:
    def test_a_confirmed_friend_is_credited_at_once(self, alice, bob, code, clock, records):
        bob.sign_up()
        bob.confirm_address()
        clock.advance(days=3)
        page = bob.follow(bob.submit(bob.get(PAGE).form(PAGE), referral_code=code.upper()))
        assert "alice" in page.text
        assert "You entered the code of alice on" in page.text
        assert not [form for form in page.all("form") if form["action"] == PAGE]
        referral = records.one(Referral)
        assert (referral.state, referral.channel.value) == (ReferralState.CONFIRMED, "code")
        assert alice.get("/dashboard/").stat("total_referrals") == 1
        assert alice.get("/dashboard/").stat("rewards") == 10
        assert "the friend entered the code on" in alice.get("/dashboard/referrals").text
        assert "before signup" not in alice.get("/dashboard/referrals").text
        assert [event.reason_code for event in records.all(ReferralEvent)] == ["code_entered", "code_entered"]

    def test_the_referrer_hears_of_it_once(self, alice, bob, code, records):
        alice.confirm_address()
        bob.sign_up()
        bob.confirm_address()
        bob.submit(bob.get(PAGE).form(PAGE), referral_code=code)
        kinds = [
            row.kind for row in records.all(OutboxMessage, user_id=1) if row.kind is not MessageKind.VERIFY_ADDRESS
        ]
        assert kinds == [MessageKind.REFERRAL_CONFIRMED, MessageKind.BADGE_EARNED]

    def test_without_a_confirmed_address_it_waits_as_usual(self, alice, bob, code, records):
        bob.sign_up()
        bob.submit(bob.get(PAGE).form(PAGE), referral_code=code)
        assert records.one(Referral).state is ReferralState.PENDING
        assert alice.get("/dashboard/").stat("pending") == 1
        bob.confirm_address()
        assert records.one(Referral).state is ReferralState.CONFIRMED
        assert records.all(ReferralEvent)[-1].reason_code == "address_verified"

    def test_where_events_are_rewarded_it_waits_for_one(self, run, alice, bob, code):
        run("program", "set", "qualifies_on", "purchase")
        bob.sign_up()
        bob.submit(bob.get(PAGE).form(PAGE), referral_code=code)
        assert "waiting for bob to confirm their address" in alice.get("/dashboard/referrals").text
        bob.confirm_address()
        assert "waiting for what the program rewards: bob has signed up" in alice.get("/dashboard/referrals").text

    def test_a_confirmed_friend_is_not_asked_to_confirm_again(self, run, alice, bob, code):
        run("program", "set", "qualifies_on", "purchase")
        bob.sign_up()
        bob.confirm_address()
        bob.submit(bob.get(PAGE).form(PAGE), referral_code=code)
        assert "waiting for what the program rewards: bob has signed up" in alice.get("/dashboard/referrals").text

    def test_a_whole_link_is_as_good_as_its_code(self, alice, bob, code, records):
        bob.sign_up()
        bob.submit(bob.get(PAGE).form(PAGE), referral_code=alice.link)
        assert records.one(Profile, id=2).referred_by_id == 1

    def test_who_came_by_a_link_reads_by_whose(self, alice, bob, code):
        bob.click(alice.link)
        bob.sign_up()
        page = bob.get(PAGE)
        assert "alice invited you" in page.text
        assert not [form for form in page.all("form") if form["action"] == PAGE]

    def test_a_second_click_finds_it_done(self, bob, code, records):
        bob.sign_up()
        bob.submit_twice(bob.get(PAGE).form(PAGE), referral_code=code)
        records.one(Referral)

    @pytest.mark.parametrize(
        ("typed", "words"),
        [("", "Enter a code"), ("a", "4 to 20"), ("zzzzzzzz", "don't know this code"), ("own", "your own code")],
    )
    def test_a_wrong_code_is_said_at_its_field(self, bob, code, records, typed: str, words: str):
        bob.sign_up()
        before = records.everything()
        page = bob.submit(bob.get(PAGE).form(PAGE), 422, referral_code=bob.code if typed == "own" else typed)
        assert words in page.error_at("referral_code")
        assert records.everything()["referral"] == before["referral"]

    def test_guessing_is_limited(self, bob, code):
        bob.sign_up()
        form = bob.get(PAGE).form(PAGE)
        answers = [bob.submit(form, None, referral_code=f"guess{n:05}").status for n in range(12)]
        assert answers == [422] * 10 + [429] * 2


class TestTheDashboard:
    def test_says_so_while_it_is_possible_and_asks_no_more_for_it(self, alice, bob, code, clock, count_queries):
        bob.sign_up()
        assert "enter their code" in bob.get("/dashboard/").text
        clock.advance(days=14, seconds=1)
        assert "enter their code" not in bob.get("/dashboard/").text

    def test_forgets_it_at_once_when_a_code_was_entered(self, bob, code):
        bob.sign_up()
        for _ in range(3):
            assert "enter their code" in bob.get("/dashboard/").text
        bob.submit(bob.get(PAGE).form(PAGE), referral_code=code)
        assert "enter their code" not in bob.get("/dashboard/").text

    def test_follows_the_rule_in_force(self, run, bob, code):
        bob.sign_up()
        run("program", "set", "late_code_days", "0")
        assert "enter their code" not in bob.get("/dashboard/").text
        assert "nobody's link" in bob.get(PAGE).text


class TestTheRules:
    def test_the_days_end(self, bob, code, clock, enter):
        bob.sign_up()
        clock.advance(days=14, seconds=1)
        with refusal("late_code_too_late"):
            enter("bob", code)

    def test_the_last_moment_counts(self, bob, code, clock, enter, records):
        bob.sign_up()
        clock.advance(days=14)
        enter("bob", code)
        records.one(Referral)

    def test_the_rule_in_force_now_counts(self, app, bob, code, clock, enter, run):
        bob.sign_up()
        run("program", "set", "late_code_days", "0")
        with refusal("late_codes_off"):
            enter("bob", code)
        run("program", "set", "late_code_days", "30")
        clock.advance(days=29)
        assert enter("bob", code).name == "alice"

    def test_it_is_said_in_words(self, run):
        assert "late_code_days" in run("program", "show").output
        run("program", "set", "late_code_days", "31", expect=1)

    def test_who_came_later_brings_nobody(self, bob, code, enter):
        bob.sign_up()
        with refusal("code_of_newer_member"):
            enter("alice", bob.code)

    def test_there_is_one_referrer(self, app, post_office, alice, bob, code, enter):
        charlie = Person(app, post_office, "charlie")
        for person in (bob, charlie):
            person.sign_up()
        enter("charlie", code)
        with pytest.raises(AlreadyDone):
            enter("charlie", code)
        with refusal("has_referrer"):
            enter("charlie", bob.code)
        with refusal("has_referrer"):  # nor does it say whether there is such a code
            enter("charlie", "zzzzzzzz")

    def test_a_closed_or_deleted_member_brings_nobody(self, app, bob, code, enter, clock, records):
        bob.sign_up()
        records.change(lambda: setattr(user_named("alice"), "is_active", False))
        with refusal("unknown_code"):
            enter("bob", code)
        with app.app_context():
            erasure.erase(1, FORMER_MEMBER, clock())
        with refusal("unknown_code"):
            enter("bob", code)

    def test_whom_an_admin_gave_to_somebody_is_given_to_nobody_else(self, app, post_office, bob, code, enter, clock):
        bob.sign_up()
        charlie = Person(app, post_office, "charlie")
        charlie.sign_up()
        with app.app_context():
            corrections.correct_referrer(user_named("charlie").id, bob.code, "they met", OPERATOR, clock())
        with refusal("friend_has_referrer"):
            enter("charlie", code)

    def test_a_customer_of_before_was_brought_by_nobody(self, app, bob, code, enter, clock, records):
        bob.sign_up()
        bob.confirm_address()
        load(app, clock, bob.email, clock() - timedelta(days=2))
        enter("bob", code)
        assert records.one(Referral).state is ReferralState.REJECTED

    def test_who_became_a_customer_by_signing_up_was_brought(self, app, bob, code, enter, clock, records):
        bob.sign_up()
        bob.confirm_address()
        load(app, clock, bob.email, clock())
        clock.advance(days=4)
        enter("bob", code)
        assert records.one(Referral).state is ReferralState.CONFIRMED

    def test_late_friends_have_as_long_to_confirm_as_others(self, app, run, bob, code, enter, clock, records):
        run("program", "set", "late_code_days", "30")
        bob.sign_up()
        clock.advance(days=30)
        enter("bob", code)
        for days, state in ((1, ReferralState.PENDING), (29, ReferralState.EXPIRED)):
            clock.advance(days=days)
            with app.app_context():
                lifecycle.expire_due(clock())
            assert records.one(Referral).state is state


def load(app: Flask, clock: Clock, address: str, since) -> None:
    with app.app_context():
        lines = ["email,customer_since\n", f"{address},{since:%Y-%m-%d}\n"]
        customers.load(customers.read(lines, clock().date()), OPERATOR, clock())


class TestFraud:
    def test_what_is_known_is_judged_and_the_form_is_not_asked_for(self, bob, code, enter, clock, records):
        bob.sign_up()
        bob.confirm_address()
        clock.advance(minutes=1)
        enter("bob", code, network="192.0.2.9")
        facts = records.one(SignupFacts)
        assert (facts.seconds, facts.trapped) == (None, False)
        assessment = records.all(ReferralEvent)[-1].evidence["assessment"]
        assert (assessment["verdict"], assessment["incomplete"]) == ("clear", [])

    def test_a_second_account_in_the_referrers_browser_waits_for_a_person(self, bob, code, enter, records):
        bob.sign_up()
        bob.confirm_address()
        enter("bob", code, network="192.0.2.9", members=(1, 2))
        assert records.one(Referral).state is ReferralState.HELD
        assert records.all(ReferralEvent)[-1].reason_code == "code_entered"
        assert records.all(RewardEntry) == []


class TestTheSums:
    def test_everything_that_is_counted_stays_right(self, app, alice, bob, code, enter, clock, records):
        start = clock()
        alice.confirm_address()
        bob.sign_up()
        bob.confirm_address()
        clock.advance(days=5)
        enter("bob", code)
        referral = records.one(Referral)
        assert (referral.created, referral.visited_at) == (start, start)  # as of the day on which Bob joined
        with app.app_context():
            assert list(recount.drifts(app.extensions["redis"], clock())) == []
            days = DateRange(start.date(), clock().date())
            months = monthly.monthly(days)
            assert sum(month.referred for month in months) == 1
            assert sum(month.organic for month in months) == 1
            stages = funnel.read(DateRange(start.date(), start.date()), clock()).total
            assert (stages.signups, stages.verified, stages.confirmed) == (1, 1, 1)
            assert sum(cohort.raw_k * cohort.members for cohort in cohorts.read(months, clock()).months) == 1
        assert alice.get("/leaderboard").leaders == [(1, "alice", 1)]
        assert alice.get("/dashboard/network").text.count("bob") == 1

    def test_an_invitation_says_that_it_was_the_inviters(self, app, run, alice, bob, code, enter, records):
        run("program", "set", "email_invitations", "true")
        alice.confirm_address()
        preview = alice.submit(alice.get("/dashboard/invite").form("/dashboard/invite"), 200, addresses=bob.email)
        alice.submit(preview.form("/dashboard/invite"), send="yes")
        bob.sign_up()
        bob.confirm_address()
        assert "joined another way" in alice.get("/dashboard/invite").text
        enter("bob", code)
        assert "joined another way" not in alice.get("/dashboard/invite").text


class TestRaces:
    def test_of_two_codes_at_once_one_counts(self, app, post_office, alice, bob, code, enter, records):
        charlie = Person(app, post_office, "charlie")
        for person in (bob, charlie):
            person.sign_up()
        charlie.confirm_address()
        theirs = bob.code

        def attempt(which: str) -> bool:
            try:
                enter("charlie", which)
            except Conflict:
                return False
            return True

        assert sum(all_at_once([partial(attempt, which) for which in (code, theirs) * 3])) == 1
        referral = records.one(Referral)
        assert records.one(Profile, id=referral.friend_id).referred_by_id == referral.referrer_id
        assert len(records.all(RewardEntry)) == 1

    def test_confirming_the_address_at_the_same_moment_credits_once(self, app, bob, code, enter, records):
        bob.sign_up()
        path = bob.verification_path()
        form = bob.get(path).form(path)
        all_at_once([partial(enter, "bob", code), partial(bob.submit, form)])
        assert records.one(Referral).state is ReferralState.CONFIRMED
        assert len(records.all(RewardEntry)) == 1
        assert records.one(User, username="bob").verified_at is not None
