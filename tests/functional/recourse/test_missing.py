"""A member misses a friend: who is asked, what they say, and nobody learns who has an account."""

from functools import partial

import pytest
from flask import Flask

from referralhub.models import Channel, ClaimState, MessageKind, OutboxMessage, Referral, ReferralClaim, User
from referralhub.services.accounts import erasure, exports
from referralhub.services.recourse import answers, missing
from referralhub.services.shared.errors import Conflict
from referralhub.words.referrals import FORMER_MEMBER
from tests.claims import CLAIMS, answer, claim, question_path, questions
from tests.pages import Visitor
from tests.people import Clock, Person, all_at_once, links_in, path_of, text_of, user_named

REVIEW = "/admin/review/missing/"


@pytest.fixture
def members(admin: Person, alice: Person, bob: Person, charlie: Person) -> None:
    """Alice, Charlie and Bob have joined, in this order, by nobody's link, and confirmed their addresses."""
    for person in (alice, charlie, bob):
        person.sign_up()
        person.confirm_address()


@pytest.mark.usefixtures("members")
class TestClaiming:
    def test_it_is_noted_and_its_friend_asked(self, alice, bob, records):
        page = alice.follow(claim(alice, "BOB@example.com", words="We sat at one table.\r\nBob typed."))
        assert "we ask them by mail" in page.text
        assert [row["data-status"] for row in page.all("[data-claim]")] == ["asked"]
        row = records.one(ReferralClaim)
        assert (row.channel, row.words) == (Channel.WHATSAPP, "We sat at one table.\nBob typed.")
        (letter,) = questions(bob)
        assert "Did alice invite you to ReferralHub?" in letter["Subject"]
        assert "one table" not in text_of(letter)  # nobody writes to strangers through us
        assert len(questions(bob)) == 1

    def test_with_and_without_such_a_member_it_is_the_same(self, app, alice, bob, records, count_queries):
        answers, statements = [], []
        for address in (bob.email, "nobody@example.org"):
            with count_queries() as sent:
                answers.append(claim(alice, address).location)
            statements.append([each.split(" RETURNING")[0] for each in sent.sent])
        assert answers[0] == answers[1]
        assert statements[0] == statements[1]
        bob.post_office.deliver()
        page = alice.get(CLAIMS)
        assert [row["data-status"] for row in page.all("[data-claim]")] == ["asked", "asked"]
        one, other = (row.text.replace(address, "") for row, address in zip(
            page.all("[data-claim]"), ("nobody@example.org", bob.email), strict=True
        ))  # fmt: skip
        assert one == other
        with app.app_context():
            held = exports.everything_about(user_named("alice"))
        assert MessageKind.CLAIM_QUESTION not in {row["kind"] for row in held["mail"]}

    def test_an_address_is_claimed_once_for_ever(self, app, alice, bob, records, clock):
        claim(alice, bob.email)
        claim(alice, bob.email)  # the second of two clicks
        clock.advance(minutes=2)
        assert "named this address before" in claim(alice, "Bob@Example.com", expect=422).error_at("email")
        clock.advance(days=31)
        with app.app_context():
            assert missing.expire_due(clock()) == 1
        claim(alice, bob.email, expect=422)
        records.one(ReferralClaim)

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("email", "alice@example.com", "your own address"),
            ("email", "ALICE+me@example.com", "your own address"),
            ("email", "bob", "e-mail address"),
            ("email", "", "Enter"),
            ("joined_on", "", "Enter a day"),
            ("joined_on", "31.1.2026", "Use a date"),
            ("joined_on", "2026-02-31", "Use a date"),
            ("joined_on", "9999-01-01", "still to come"),
            ("joined_on", "2020-01-01", "no member yourself"),
            ("channel", "pigeon", ""),
            ("words", "x" * 501, "at most 500"),
            ("words", "a\0b", "control character"),
        ],
    )
    def test_what_cannot_be_is_said_at_its_field(self, alice, records, field: str, value: str, words: str):
        before = records.everything()
        values = {"address": "dan@example.com", **{{"email": "address"}.get(field, field): value}}
        page = claim(alice, expect=422, **values)
        assert words in page.error_at(field)
        assert records.everything() == before

    def test_who_is_not_confirmed_claims_nobody(self, app, post_office, bob, records):
        dora = Person(app, post_office, "dora")
        dora.sign_up()
        assert "Confirm your own address" in claim(dora, bob.email, expect=422).text
        assert records.all(ReferralClaim) == []

    def test_ten_are_open_at_once(self, unlimited_app, alice, bob, records, app, clock):
        claim(alice, bob.email)
        with app.app_context():
            user = user_named("alice")
            for number in range(9):
                missing.claim(user, f"x{number}@example.com", clock().date(), Channel.LINK, "", clock())
        assert "10 of your claims are open" in claim(alice, "one.more@example.com", expect=422).text
        answer(bob, "no")
        claim(alice, "one.more@example.com")

    def test_the_form_is_rate_limited(self, alice):
        answers = [claim(alice, "x", expect=None).status for _ in range(12)]
        assert answers == [422] * 10 + [429] * 2


@pytest.mark.usefixtures("members")
class TestAsking:
    def test_nobody_is_asked_who_cannot_be_meant(self, app, post_office, alice, bob, charlie, records):
        dora, eve, finn = (Person(app, post_office, name) for name in ("dora", "eve", "finn"))
        dora.click(bob.link)
        dora.sign_up()
        dora.confirm_address()
        eve.sign_up()  # unconfirmed
        finn.sign_up()
        finn.confirm_address()
        records.change(lambda: setattr(user_named("finn"), "is_active", False))
        for friend in (dora, eve, finn):
            claim(alice, friend.email)
        claim(bob, alice.email)  # who was here before
        post_office.deliver()
        assert records.all(OutboxMessage, kind=MessageKind.CLAIM_QUESTION) == []
        assert {row.state for row in records.all(ReferralClaim)} == {ClaimState.ASKED}

    def test_who_confirms_the_address_later_is_asked_within_the_hour(self, app, post_office, alice, clock):
        dora = Person(app, post_office, "dora")
        dora.sign_up()
        claim(alice, dora.email)
        assert questions(dora) == []
        path = dora.verification_path()
        clock.advance(hours=3)
        dora.submit(dora.get(path).form(path))
        assert questions(dora) == []
        for number in (1, 0):
            with app.app_context():
                assert missing.ask_friends(clock()) == number
        assert len(questions(dora)) == 1

    def test_a_question_that_is_settled_before_its_mail_is_not_sent(self, app, post_office, alice, bob, records, clock):
        claim(alice, bob.email)
        with app.app_context():
            assert missing.ask_friends(clock()) == 1
        bob.submit(bob.get("/account/referrer").form("/account/referrer"), referral_code=alice.code)
        assert questions(bob) == []

    def test_after_thirty_days_it_ends_whether_there_was_somebody_or_not(self, app, alice, bob, records, clock):
        for address in (bob.email, "nobody@example.org"):
            claim(alice, address)
        path = question_path(bob)
        clock.advance(days=29, hours=23)
        with app.app_context():
            assert missing.expire_due(clock()) == 0
        clock.advance(hours=1)
        Visitor(app).get(path, 400)
        with app.app_context():
            assert missing.expire_due(clock()) == 2
            assert missing.expire_due(clock()) == 0
        Visitor(app).get(path, 400)
        again = alice.in_another_browser()
        again.sign_in()
        assert [row["data-status"] for row in again.get(CLAIMS).all("[data-claim]")] == ["expired", "expired"]


@pytest.mark.usefixtures("members")
class TestAnswering:
    def test_looking_changes_nothing(self, app, alice, bob, records):
        claim(alice, bob.email)
        path = question_path(bob)
        before = records.everything()
        for _ in range(2):
            page = Visitor(app).get(path)
            assert "alice" in page.text
            assert len(page.form(path).all("button")) == 2
        assert records.everything() == before

    @pytest.mark.parametrize(("says", "after"), [("yes", "agreed"), ("no", "declined")])
    def test_yes_or_no_is_taken_once(self, app, alice, bob, records, says: str, after: str):
        claim(alice, bob.email)
        path = question_path(bob)
        browser = Visitor(app)
        form = browser.get(path).form(path)
        data = browser.filled_in(form)
        for again in (says, says, {"yes": "no", "no": "yes"}[says]):
            page = browser.follow(browser.post(path, data | {"answer": again}, 303))
            assert "Thank you" in page.text
            row = records.one(ReferralClaim)
            assert (row.state.value, row.friend_id) == (after, records.one(User, username="bob").id)
        assert [row["data-status"] for row in alice.get(CLAIMS).all("[data-claim]")] == [after]
        assert records.all(Referral) == []

    def test_no_answer_is_none(self, app, alice, bob, records):
        claim(alice, bob.email)
        path = question_path(bob)
        browser = Visitor(app)
        data = browser.filled_in(browser.get(path).form(path))
        for nonsense in ({}, {"answer": "perhaps"}, {"answer": ""}):
            browser.post(path, data | nonsense, 303)
        assert records.one(ReferralClaim).state == "asked"

    def test_of_two_claimants_the_first_whom_the_friend_agrees_with_is_looked_at(self, alice, charlie, bob, records):
        for claimant in (alice, charlie):
            claim(claimant, bob.email)
        paths = [path_of(next(a for a in links_in(each) if "/claims/" in a)) for each in questions(bob)]
        for path in paths:
            answer(bob, "yes", path=path)
        assert [row.state.value for row in records.all(ReferralClaim)] == ["agreed", "rejected"]
        assert "named somebody else first" in charlie.get(CLAIMS).text

    def test_who_has_a_referrer_by_now_cannot_agree(self, app, alice, charlie, bob, records):
        claim(alice, bob.email)
        path = question_path(bob)
        bob.submit(bob.get("/account/referrer").form("/account/referrer"), referral_code=charlie.code)
        answer(bob, "yes", path=path)
        assert records.one(ReferralClaim).state == "rejected"
        assert "somebody else brought this friend" in alice.get(CLAIMS).text
        assert len(records.all(Referral)) == 1


@pytest.mark.usefixtures("members")
class TestErasing:
    def test_a_claimants_words_and_addresses_are_gone_and_what_was_open_is_over(self, app, alice, bob, records, clock):
        claim(alice, bob.email, words="We sat at one table.")
        claim(alice, "nobody@example.org")
        answer(bob, "yes")
        with app.app_context():
            erasure.erase(user_named("alice").id, FORMER_MEMBER, clock())
        rows = records.all(ReferralClaim)
        assert [(row.address, row.words, row.state.value) for row in rows] == [(None, "", "expired")] * 2
        assert "A former member" in bob.get("/account/referrer").text

    def test_a_friends_address_is_gone_and_the_claim_is_over(self, app, alice, bob, admin, records, clock):
        claim(alice, bob.email)
        answer(bob, "yes")
        with app.app_context():
            erasure.erase(user_named("bob").id, FORMER_MEMBER, clock())
        row = records.one(ReferralClaim)
        assert (row.address, row.state.value) == (None, "rejected")
        assert "has deleted the account" in alice.get(CLAIMS).text
        assert "Nothing waits" in admin.get(REVIEW).text

    def test_a_question_to_an_erased_friend_is_not_answered(self, app, alice, bob, records, clock):
        claim(alice, bob.email)
        path = question_path(bob)
        browser = Visitor(app)
        data = browser.filled_in(browser.get(path).form(path))
        with app.app_context():
            erasure.erase(user_named("bob").id, FORMER_MEMBER, clock())
        browser.post(path, data | {"answer": "yes"}, 400)
        row = records.one(ReferralClaim)
        assert (row.address, row.state.value) == (None, "asked")

    def test_each_takes_along_what_is_theirs(self, app, alice, bob, records):
        claim(alice, bob.email, words="We sat at one table.")
        answer(bob, "yes")
        with app.app_context():
            hers, his = (exports.everything_about(user_named(name)) for name in ("alice", "bob"))
        assert [row["words"] for row in hers["claims"]] == ["We sat at one table."]
        assert hers["claims_about_me"] == his["claims"] == []
        assert [row.keys() for row in his["claims_about_me"]] == [{"state", "created"}]


def test_a_claim_is_as_exact_when_many_come_at_once(app: Flask, members, alice, records, clock: Clock):
    """Fourteen forms at once: ten are open, and one address is claimed once."""
    addresses = [f"x{n % 11}@example.com" for n in range(14)]

    def send(address: str) -> bool:
        with app.app_context():
            try:
                missing.claim(user_named("alice"), address, clock().date(), Channel.LINK, "", clock())
            except Conflict:
                return False
        return True

    assert sum(all_at_once([partial(send, address) for address in addresses])) == 10
    rows = records.all(ReferralClaim)
    assert len({row.address for row in rows}) == len(rows) == 10


def test_whoever_has_the_key_alone_makes_the_links(app: Flask):
    token = answers.token(1, 2, "one secret")
    assert answers.read_token(token, "one secret") == (1, 2)
    for forged in (token + "x", token.swapcase(), answers.token(1, 2, "another"), "", "x"):
        Visitor(app).get(f"/claims/{forged or 'x'}", 400)
