"""What the fraud rules do to a referral, from the form to the page that its members see. Nobody is on loopback here."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, update

from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import (
    NO_PASSWORD,
    Channel,
    DailySalt,
    OutboxMessage,
    Profile,
    Referral,
    ReferralEvent,
    ReferralState,
    Sighting,
    SignupFacts,
    TokenPurpose,
    User,
)
from referralhub.services.accounts import credentials, erasure, passwords, signup, tokens
from referralhub.services.fraud import assessment, signals
from referralhub.services.fraud.rules import RULES, Facts, Finding
from referralhub.services.fraud.signals import FormTiming, RequestOrigin
from referralhub.services.links import visits
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.words.referrals import FORMER_MEMBER
from tests.functional.fraud.friends import FIREFOX, SAFARI, join, verdict
from tests.people import Clock, Person, PostOffice

HINTS = ("fraud", "browser", "network", "rule", "points", "score", "suspicious")


def test_whoever_signs_out_and_joins_by_their_own_link_waits_for_review(
    alice: Person, at, post_office: PostOffice, clock: Clock, records
):
    link = alice.link
    alice.sign_out()
    second = at("caro")
    second.client = alice.client
    join(second, link, clock)

    referral = records.one(Referral)
    assert (referral.state, referral.score) == (ReferralState.HELD, 95)
    kept = verdict(records)
    assert kept["verdict"] == "likely_fraud"
    assert kept["version"] == assessment.VERSION
    assert [(f["rule"], f["points"]) for f in kept["findings"]] == [
        ("same_browser", 60), ("same_network_and_browser", 35)
    ]  # fmt: skip
    assert kept["without"] == {"same_browser": "review", "same_network_and_browser": "likely_fraud"}

    second.sign_out()
    alice.sign_in()
    page = alice.get("/dashboard/referrals")
    assert page.referrals == [("caro", "held")]
    listed = page.one("[data-referral]").text.lower()
    assert "in review" in listed
    assert not [hint for hint in HINTS if hint in listed]
    assert alice.get("/dashboard/").stat("total_referrals") == 0
    post_office.deliver()
    letter = post_office.letters(alice.email)[-1]
    assert letter["Subject"] == "caro joined: we're having a look"
    assert not [hint for hint in HINTS if hint in str(letter.get_body(("plain",)).get_content()).lower()]


def test_later_rules_do_not_change_what_was_found(
    alice: Person, at, clock: Clock, records, monkeypatch: pytest.MonkeyPatch
):
    join(at("bob"), alice.link, clock, seconds=1)
    before = verdict(records)
    assert (before["verdict"], before["score"]) == ("clear", 15)
    assert before["findings"][0]["values"] == {"seconds": 1, "least": 3}

    def stricter(_: Facts) -> Finding:
        return Finding("fast_form", 50, {"seconds": 1, "least": 3})

    monkeypatch.setattr(assessment, "VERSION", 2)
    monkeypatch.setitem(RULES, "fast_form", stricter)
    assert verdict(records) == before
    join(at("charlie"), alice.link, clock, seconds=1)
    first, second = (e.evidence["assessment"] for e in records.all(ReferralEvent) if "assessment" in e.evidence)
    assert first == before
    assert (second["version"], second["verdict"]) == (2, "review")
    assert [referral.state for referral in records.all(Referral)] == [ReferralState.CONFIRMED, ReferralState.HELD]


def test_without_its_facts_a_referral_waits_as_incomplete(alice: Person, at, records):
    bob = at("bob")
    bob.click(alice.link)
    bob.sign_up()
    records.change(lambda: db.session.execute(delete(SignupFacts)))
    bob.confirm_address()
    assert records.one(Referral).state is ReferralState.HELD
    assert (verdict(records)["verdict"], verdict(records)["incomplete"]) == ("check_incomplete", ["facts"])
    assert records.one(User, username="bob").verified_at is not None


@pytest.mark.parametrize("broken", ["rule", "reading"])
def test_a_check_that_breaks_neither_confirms_nor_rejects(
    alice: Person, at, clock: Clock, records, monkeypatch: pytest.MonkeyPatch, broken: str
):
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    if broken == "rule":
        monkeypatch.setitem(RULES, "velocity", fail)
    else:
        monkeypatch.setattr(signals, "gather", fail)
    join(at("bob"), alice.link, clock)
    assert records.one(Referral).state is ReferralState.HELD
    assert verdict(records)["verdict"] == "check_incomplete"
    assert records.one(User, username="bob").verified_at is not None


def test_two_browsers_on_this_machine_make_a_credit_at_once(app: Flask, post_office: PostOffice, records):
    alice, bob = (Person(app, post_office, name, HTTP_USER_AGENT=FIREFOX) for name in ("alice", "alice2"))
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    bob.confirm_address()
    assert records.one(Referral).state is ReferralState.CONFIRMED
    assert [finding["rule"] for finding in verdict(records)["findings"]] == ["shared_company"]  # example.com


def test_one_network_and_other_browsers_make_a_credit(alice: Person, at, clock: Clock, records):
    join(at("bob", "203.0.113.5", SAFARI), alice.link, clock)
    assert records.one(Referral).state is ReferralState.CONFIRMED
    assert [finding["rule"] for finding in verdict(records)["findings"]] == ["same_network"]


def test_who_falls_into_the_trap_has_an_account_and_no_credit_for_anybody(alice: Person, at, clock: Clock, records):
    bob = at("bob")
    join(bob, alice.link, clock, topic="https://cheap.example")
    assert bob.get("/dashboard/").one("#referral-link")
    referral = records.one(Referral)
    assert (referral.state, referral.score) == (ReferralState.HELD, 60)


class TestSignals:
    def test_hold_no_address_and_no_user_agent(self, alice: Person, at, clock: Clock, records):
        join(at("bob", "198.51.100.77", SAFARI), alice.link, clock, topic="x")
        text = str(records.everything())
        assert "198.51.100.77" not in text
        assert "203.0.113.5" not in text
        assert "Gecko" not in text
        assert "iPhone OS" not in text
        assert len({sighting.network for sighting in records.all(Sighting)}) == 2

    def test_are_gone_after_thirty_days_and_salts_after_one(self, app: Flask, alice: Person, at, clock: Clock, records):
        join(at("bob"), alice.link, clock)
        for days, salts, kept in ((1, 1, True), (1, 0, True), (27, 0, True), (2, 0, False)):
            clock.advance(days=days)
            with app.app_context():
                signals.tidy(clock())
            assert len(records.all(DailySalt)) == salts, days
            assert bool(records.all(Sighting)) is kept
            assert bool(records.all(SignupFacts)) is kept

    def test_are_deleted_with_the_member_and_the_trail_names_nobody(
        self, app: Flask, alice: Person, at, clock: Clock, records
    ):
        bob = at("bobmiller9", "203.0.113.5")
        bob.email = "bob@millerfamily.example"
        join(bob, alice.link, clock, topic="x")
        user = records.one(User, username="bobmiller9")
        profile_id = records.one(Profile, user_id=user.id).id
        assert records.all(Sighting, profile_id=profile_id)
        with app.app_context():
            erasure.erase(user.id, FORMER_MEMBER, clock())
        assert records.all(Sighting, profile_id=profile_id) == []
        assert records.all(SignupFacts) == []
        assert verdict(records)["findings"]
        assert "miller" not in str(records.everything())


class TestCost:
    @pytest.fixture(autouse=True)
    def _cheap_passwords(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(passwords, "hash_password", lambda _: NO_PASSWORD)
        yield

    def test_a_verdict_takes_as_many_queries_for_a_crowd_as_for_one(self, app: Flask, clock: Clock, count_queries):
        sent = []
        for number in (1, 30):
            with app.app_context():
                code = signup.sign_up(f"ref{number}", f"r{number}@gmail.com", "tea and cakes", None, clock()).profile
                link = FollowedLink(code.code, Channel.LINK, clock())
                filled = FormTiming(RequestOrigin("192.0.2.9", FIREFOX), 40)
                for each in range(number):
                    name = f"friend{number}x{each}"
                    user = signup.sign_up(name, f"{name}@x.example", "tea and cakes", link, clock(), form_timing=filled)
                referral = db.session.scalars(db.select(Referral).order_by(Referral.id.desc())).first()
                with count_queries() as statements:
                    facts = signals.gather(db.session(), referral)
                assert len(facts.before) == number - 1
                assert facts.on_connection == number
                sent.append(len(statements))
                with transaction() as session:
                    token = tokens.issue(session, TokenPurpose.VERIFY_ADDRESS, user.id, user.email, clock())
                credentials.verify_address(token, clock())
        assert sent[0] == sent[1] <= 12


class TestGather:
    """What is read from the tables, and how."""

    @pytest.fixture
    def read(self, app: Flask, clock: Clock, records) -> Callable[[], Facts]:
        def facts() -> Facts:
            with app.app_context():
                referral = db.session.scalars(db.select(Referral).order_by(Referral.id.desc())).first()
                return signals.gather(db.session(), referral)

        return facts

    def test_a_ring_is_seen_through_the_browser(self, alice: Person, at, clock: Clock, read, records):
        bob, second = at("bob"), at("caro")
        join(bob, alice.link, clock)
        alice.sign_out()
        second.client = alice.client
        join(second, bob.link, clock)
        assert (read().same_browser, read().ancestors_in_browser, read().siblings_in_browser) == (False, 1, 0)
        assert records.all(Referral)[-1].state is ReferralState.HELD

    def test_sisters_and_brothers_share_a_tablet(self, alice: Person, at, clock: Clock, read, records):
        tablet = at("mia")
        join(tablet, alice.link, clock)
        for name in ("jonas", "hugo", "rosa"):
            tablet.sign_out()
            brother = at(name)
            brother.client = tablet.client
            join(brother, alice.link, clock)
        assert read().siblings_in_browser == 3
        states = [referral.state for referral in records.all(Referral)]
        assert states == [ReferralState.CONFIRMED] * 3 + [ReferralState.HELD]

    def test_codes_that_are_typed_in_come_without_a_visit(self, app: Flask, alice: Person, at, clock: Clock, read):
        bob = at("bob")
        bob.fill_in_signup(referral_code=alice.code)
        join(at("charlie"), alice.link, clock)
        with app.app_context():
            visits.book_all(app.extensions["redis"], clock())
        assert (read().friends_by_link, read().visitors_last_day, read().last_hour) == (1, 1, 2)

    def test_minutes_are_told_from_hours(self, alice: Person, at, clock: Clock, read, records):
        records.change(lambda: db.session.execute(update(Sighting).values(created=clock() - timedelta(minutes=11))))
        join(at("bob", "203.0.113.5"), alice.link, clock)
        assert (read().same_network, read().same_agent, read().moments_ago) == (True, True, False)


class TestExplain:
    @pytest.fixture
    def explain(self, app: Flask) -> Callable[..., str]:
        def command(referral_id: int, expect: int = 0) -> str:
            result = app.test_cli_runner().invoke(args=["referrals", "explain", str(referral_id)])
            assert result.exit_code == expect, result.output
            return result.output

        return command

    def test_says_why(self, alice: Person, at, clock: Clock, records, explain):
        bob = at("bob", "203.0.113.5", SAFARI)
        bob.email = "bob@mailinator.com"
        join(bob, alice.link, clock, seconds=2)
        lines = explain(records.one(Referral).id).splitlines()
        assert lines[0].startswith(f"likely fraud: 65 of 100 points, by rules of version {assessment.VERSION} at ")
        assert lines[0].endswith("; the referral is held today.")
        assert lines[1:] == [
            "  because: The address is from a throw-away service.",
            "  because: The form was filled in faster than anybody types.",
            "  40  disposable: …@mailinator.com / on the list; without it: clear",
            "  15  fast form: 2 s / 3 s; without it: review",
            "  10  same network: another browser / the referrer's network; without it: review",
        ]

    def test_says_what_is_missing(self, alice: Person, at, records, explain):
        bob = at("bob")
        bob.click(alice.link)
        bob.sign_up()
        assert "not judged" in explain(records.one(Referral).id, expect=1)
        records.change(lambda: db.session.execute(delete(SignupFacts)))
        bob.confirm_address()
        assert "check incomplete: 0 of 100 points" in explain(records.one(Referral).id)
        assert "no referral with this number" in explain(99, expect=1)
        assert records.all(OutboxMessage)
