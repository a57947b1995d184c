"""Invited people who come another way, or whom no mail reaches any more: what the inviter is told, and what is sent."""

import pytest
from flask import Flask

from referralhub import mail_content
from referralhub.models import Invitation, InvitationState, MessageKind, OutboxMessage, Referral
from referralhub.services.accounts import erasure, signup
from referralhub.services.mailing import outbox
from referralhub.services.mailing.delivery import Delivery, Refused
from referralhub.services.program import rules
from referralhub.services.referrals import invitation_progress
from tests.functional.referrals.test_invitations import (
    PATH,
    Page,
    invite,
    invited_path,
    open_as_a_person,
    refuse,
    states,
)
from tests.people import Clock, Person, all_at_once, path_of

ADDRESS = "Bob@example.com"  # as it was invited; Bob himself writes it in small letters
REMIND = "/dashboard/invitations/1/remind"


@pytest.fixture
def app(unlimited_app: Flask, clock: Clock) -> Flask:
    """An application whose program has invitations."""
    with unlimited_app.app_context():
        rules.change(rules.PRESETS["paypal"], clock())
    return unlimited_app


@pytest.fixture
def alice(alice: Person) -> Person:
    """A member with a confirmed address."""
    alice.sign_up()
    alice.confirm_address()
    return alice


@pytest.fixture
def invited(alice: Person, bob: Person, clock: Clock) -> Person:
    """Bob, whom Alice invited four days ago."""
    invite(alice, ADDRESS)
    alice.post_office.deliver()
    clock.advance(days=4)
    return bob


def remind(member: Person, expect: int = 303) -> Page:
    """Send the reminder's form, also where the page has none."""
    token = member.get(PATH).form("/logout").one('[name="csrf_token"]')["value"]
    return member.post(REMIND, {"csrf_token": token}, expect=expect)


def take_address(member: Person, address: str) -> None:
    """Ask for another address, and confirm it."""
    page = member.get("/account/email")
    member.submit(page.form("/account/email"), email=address, password=member.password)
    path = member.mailed_path("/account/email/", to=address)
    member.submit(member.get(path).form(path))


def can_remind(page: Page) -> bool:
    return bool(page.all(f'form[action="{REMIND}"]'))


class TestWhoJoinsAnotherWay:
    def test_is_no_longer_sent_once_the_address_is_confirmed(self, alice: Person, invited: Person, records):
        invited.sign_up()
        assert states(alice.get(PATH)) == ["sent"]  # anybody can type in an address
        invited.confirm_address()
        page = alice.get(PATH)
        assert states(page) == ["joined_otherwise"]
        assert "joined another way" in page.one("[data-invitation]").text
        assert not can_remind(page)
        assert records.all(Referral) == []
        assert alice.get("/dashboard/").one('[data-stat="total_referrals"]')["data-value"] == "0"

    def test_and_nobody_learns_by_whom(self, alice: Person, charlie: Person, invited: Person):
        charlie.sign_up()
        open_as_a_person(invited, path_of(charlie.link))
        invited.sign_up()
        invited.confirm_address()
        page = alice.get(PATH)
        assert states(page) == ["joined_otherwise"]
        assert "charlie" not in page.text

    def test_has_joined_when_it_was_by_another_link_of_the_inviters(self, alice: Person, invited: Person, records):
        open_as_a_person(invited, path_of(alice.link))
        invited.sign_up()
        assert states(alice.get(PATH)) == ["sent"]
        invited.confirm_address()
        assert states(alice.get(PATH)) == ["joined"]
        assert records.one(Referral).referrer_id == records.one(Invitation).profile_id

    def test_by_a_change_of_address_too(self, alice: Person, invited: Person, charlie: Person):
        charlie.sign_up()
        assert states(alice.get(PATH)) == ["sent"]
        take_address(charlie, invited.email)
        assert states(alice.get(PATH)) == ["joined_otherwise"]

    def test_and_at_the_signup_where_addresses_need_no_confirmation(self, app, alice: Person, invited: Person, clock):
        with app.app_context():
            signup.sign_up("robert", invited.email, "robert likes tea", None, clock(), verification_required=False)
        assert states(alice.get(PATH)) == ["joined_otherwise"]

    def test_also_after_the_mail_came_back(self, app, alice: Person, bob: Person, clock: Clock):
        def post(letter: object) -> None:
            raise Refused("550 no such mailbox")

        invite(alice, bob.email)
        with app.app_context():
            Delivery(mail_content.write, post, clock, note_bounced=invitation_progress.note_bounced).run()
        clock.advance(days=4)
        assert states(alice.get(PATH)) == ["bounced"]
        assert "mail came back" in remind(alice, 409).text
        bob.sign_up()
        bob.confirm_address()
        assert states(alice.get(PATH)) == ["joined_otherwise"]

    def test_and_then_brings_the_inviter_a_friend_by_the_invitation_after_all(
        self, alice: Person, invited: Person, charlie: Person
    ):
        link = invited_path(alice, ADDRESS)
        invited.sign_up()
        invited.confirm_address()
        open_as_a_person(charlie, link)
        charlie.sign_up()
        assert states(alice.get(PATH)) == ["joined"]

    def test_stays_joined_by_the_invitation_when_the_address_is_confirmed(self, alice, invited: Person, records):
        open_as_a_person(invited, invited_path(alice, ADDRESS))
        invited.sign_up()
        invited.confirm_address()
        assert states(alice.get(PATH)) == ["joined"]
        assert records.one(Invitation).friend_id == records.one(Referral).friend_id

    def test_confirms_and_is_reminded_at_once_and_both_are_told_the_truth(self, app, alice, invited: Person, records):
        invited.sign_up()
        path = invited.verification_path()
        form = invited.get(path).form(path)
        token = alice.get(PATH).form("/logout").one('[name="csrf_token"]')["value"]
        all_at_once([
            lambda: invited.submit(form), lambda: alice.client.post(REMIND, data={"csrf_token": token})
        ])  # fmt: skip
        alice.post_office.deliver()
        assert states(alice.get(PATH)) == ["joined_otherwise"]
        assert records.one(Invitation).reminded_at is None

    def test_and_deletes_the_account_again_leaves_the_line_without_an_address(self, app, alice, invited, clock):
        invited.sign_up()
        invited.confirm_address()
        with app.app_context():
            erasure.erase(2, "gone", clock())
        page = alice.get(PATH)
        assert states(page) == ["joined_otherwise"]
        assert invited.email not in page.text.lower()


class TestAReminderThatWouldNotBeSent:
    def test_is_refused_and_not_used_up_when_the_invited_have_an_account(self, app, alice, invited: Person, records):
        invited.sign_up()
        assert not can_remind(alice.get(PATH))
        assert "no more mail goes there" in alice.get(PATH).one("[data-invitation]").text
        page = remind(alice, 409)
        assert "No reminder was sent" in page.text
        assert records.one(Invitation).reminded_at is None
        assert records.all(OutboxMessage, kind=MessageKind.INVITATION_REMINDER) == []

    def test_is_refused_and_not_used_up_when_they_want_no_mail(self, app, alice, invited: Person, records):
        refuse(alice.post_office.letters(ADDRESS)[0], app)
        page = alice.get(PATH)
        assert not can_remind(page)
        assert "no more mail goes there" in page.one("[data-invitation]").text
        remind(alice, 409)
        assert records.one(Invitation).reminded_at is None
        assert records.all(OutboxMessage, kind=MessageKind.INVITATION_REMINDER) == []

    def test_is_not_offered_for_an_address_that_was_erased(self, app, alice: Person, invited: Person, clock):
        invited.sign_up()
        with app.app_context():
            erasure.erase(2, "gone", clock())
        assert not can_remind(alice.get(PATH))
        remind(alice, 409)

    def test_is_given_back_when_they_refuse_before_it_goes_out_and_one_that_goes_out_is_counted(
        self, app, alice: Person, invited: Person, records
    ):
        assert "The reminder is on its way" in alice.follow(remind(alice)).text
        (letter,) = alice.post_office.letters(ADDRESS)
        refuse(letter, app)
        alice.post_office.deliver()
        page = alice.get(PATH)
        assert ", reminded" not in page.one("[data-invitation]").text
        assert records.one(Invitation).reminded_at is None
        assert len(alice.post_office.letters(ADDRESS)) == 1

    def test_is_there_again_when_the_account_that_stopped_it_is_gone(self, alice: Person, invited, charlie):
        remind(alice)
        charlie.sign_up(email=ADDRESS)  # which is not his
        alice.post_office.deliver()
        take_address(charlie, charlie.email)
        alice.follow(alice.submit(alice.get(PATH).form(REMIND)))
        alice.post_office.deliver()
        subjects = [letter["Subject"] for letter in alice.post_office.letters(ADDRESS)]
        assert subjects.count("alice still holds a place for you at ReferralHub") == 1
        assert ", reminded" in alice.get(PATH).one("[data-invitation]").text


def test_an_invitation_to_somebody_who_came_and_went_before_it_is_not_said_to_be_on_its_way(
    app: Flask, alice: Person, bob: Person, clock: Clock
):
    invite(alice, bob.email)
    bob.sign_up()
    with app.app_context():
        erasure.erase(2, "gone", clock())
    assert states(alice.get(PATH)) == ["not_sent"]


def test_mail_that_came_back_and_arrives_when_it_is_sent_again_is_sent(app: Flask, alice: Person, clock: Clock):
    def post(letter: object) -> None:
        raise Refused("550 no such mailbox")

    invite(alice, ADDRESS)
    with app.app_context():
        Delivery(mail_content.write, post, clock, note_bounced=invitation_progress.note_bounced).run()
        outbox.send_again(clock())
    alice.post_office.deliver()
    assert states(alice.get(PATH)) == ["sent"]


def test_an_invitation_that_nobody_wanted_any_more_is_not_said_to_be_on_its_way(alice: Person, bob: Person, records):
    invite(alice, bob.email)
    bob.sign_up()
    alice.post_office.deliver()
    page = alice.get(PATH)
    assert states(page) == ["not_sent"]
    assert "not sent" in page.one("[data-invitation]").text
    bob.confirm_address()
    assert records.one(Invitation).state is InvitationState("joined_otherwise")
