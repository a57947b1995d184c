"""Invitations by mail: whom a member can invite, what they get, and what became of it."""

import io
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from flask import Flask

from referralhub import mail_content
from referralhub.models import (
    Channel,
    Invitation,
    InvitationState,
    MessageKind,
    OutboxMessage,
    Profile,
    Referral,
    RewardEntry,
)
from referralhub.services.mailing.delivery import Delivery, Refused
from referralhub.services.program import rules
from referralhub.services.referrals import invitation_progress, invitations
from referralhub.services.referrals.invitations import DAILY, Objection
from referralhub.words.referrals import objection
from tests.conftest import SECRET_KEY
from tests.pages import Page, Visitor, parse
from tests.people import Clock, Person, all_at_once, link_in, path_of, read_letters, text_of

BY_A_PERSON = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PATH = "/dashboard/invite"


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


@pytest.fixture(autouse=True)
def paypal(app: Flask, clock: Clock) -> None:
    with app.app_context():
        rules.change(rules.PRESETS["paypal"], clock())


@pytest.fixture
def alice(alice: Person) -> Person:
    """A member with a confirmed address."""
    alice.sign_up()
    alice.confirm_address()
    return alice


def preview(member: Person, addresses: str, words: str = "", csv: bytes = b"") -> Page:
    upload = {"file": (io.BytesIO(csv), "friends.csv")} if csv else {}
    return member.submit(member.get(PATH).form(PATH), 200, addresses=addresses, words=words, **upload)


def invite(member: Person, addresses: str, words: str = "") -> Page:
    """Look at the mail, send it, and give the page after."""
    return member.follow(member.submit(preview(member, addresses, words).form(PATH), send="yes"))


def objections(page: Page) -> dict[str, str]:
    return dict(line.text.split(": ", 1) for line in page.all("[data-objection]"))


def states(page: Page) -> list[str]:
    return [line["data-status"] for line in page.all("[data-invitation]")]


def open_as_a_person(visitor: Visitor, path: str) -> Page:
    return visitor.follow(visitor.get(path, 302, headers=BY_A_PERSON))


def invited_path(member: Person, address: str) -> str:
    """Give the path of the link in the newest mail to an invited address."""
    return member.mailed_path(f"/{member.code}/", to=address)


def refuse(letter: EmailMessage, app: Flask) -> None:
    """Press the mail program's own button."""
    path = path_of(letter["List-Unsubscribe"].strip("<>"))
    assert app.test_client().post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200


def many(number: int, first: int = 0) -> list[str]:
    return [f"friend{n}@example.com" for n in range(first, first + number)]


class TestWhoIsInvited:
    def test_addresses_are_read_from_whatever_they_are_pasted_in(self, alice: Person, bob: Person, app, records):
        bob.sign_up()
        invite(alice, "ida@example.com, never@example.com")
        alice.post_office.deliver()
        refuse(alice.post_office.letters("never@example.com")[0], app)
        charlie = Person(app, alice.post_office, "charlie")
        charlie.sign_up()
        charlie.confirm_address()

        pasted = (
            "Dora <dora@example.com>, 'Emil' <emil@example.com>;\r\nDORA@example.com\n"
            "bob@example.com IDA@example.com never@example.com\tcharlie@example.com me@nowhere"
        )
        page = preview(charlie, pasted, csv="\ufeffname,address\r\nFinn,finn@example.com\r\nGus,<b>@x\r\n".encode())
        assert "To DORA@example.com, emil@example.com, bob@example.com, finn@example.com" in page.text
        assert objections(page) == {  # not that Bob is a member: looking costs nothing, and so it tells nothing
            "IDA@example.com": objection(Objection.INVITED),  # by another member, but once is once
            "never@example.com": objection(Objection.REFUSED),
            "charlie@example.com": objection(Objection.OWN),
            "me@nowhere": "doesn't look like an address",
            "@x": "doesn't look like an address",
        }
        assert len(records.all(Invitation)) == 2  # nothing was sent by looking

        page = charlie.follow(charlie.submit(page.form(PATH), send="yes"))
        assert "3 invitations on the way. 1 left out." in page.text
        charlie.post_office.deliver()
        letters = [a for a in read_letters(charlie.post_office.folder) if "charlie invites" in a["Subject"]]
        assert [letter["To"].lower().partition("@")[0] for letter in letters] == ["dora", "emil", "finn"]

    def test_twenty_a_day_and_each_with_a_mail_of_their_own(self, alice: Person, records, clock: Clock):
        page = preview(alice, "\n".join(many(25)))
        assert list(objections(page).values()) == [objection(Objection.OVER_LIMIT)] * 5
        page = invite(alice, "\n".join(many(25)))
        assert "You can invite 0 more today" in page.text
        assert len(records.all(Invitation)) == DAILY
        alice.post_office.deliver()
        for address in many(DAILY):
            (letter,) = alice.post_office.letters(address)
            assert not letter["Cc"] and not letter["Bcc"]
            assert not [other for other in many(DAILY) if other in str(letter) and other != address]
        clock.advance(hours=23, minutes=59)
        assert set(objections(preview(alice, "late@example.com")).values()) == {objection(Objection.OVER_LIMIT)}
        clock.advance(minutes=1)
        invite(alice, "\n".join(many(25)))
        assert len(records.all(Invitation)) == 25

    def test_of_two_forms_sent_at_once_no_more_than_twenty_go_out(self, app, alice: Person, records):
        forms = []
        for first in (0, 15):
            twin = Visitor(app)
            twin.client.set_cookie("referralhub", alice.session_id())
            values = {"csrf_token": alice.get(PATH).form(PATH).one('[name="csrf_token"]')["value"]}
            values |= {"addresses": " ".join(many(15, first)), "words": "", "send": "yes"}
            forms.append(lambda twin=twin, values=values: twin.post(PATH, values, expect=303))
        all_at_once(forms)
        assert len(records.all(Invitation)) == DAILY
        assert len(records.all(OutboxMessage, kind=MessageKind.INVITATION)) == DAILY

    def test_of_two_members_who_invite_the_same_people_at_once_each_is_invited_once(
        self, app, alice: Person, bob: Person, records
    ):
        bob.sign_up()
        bob.confirm_address()
        sends = []
        for member, addresses in ((alice, many(DAILY)), (bob, [a.upper() for a in reversed(many(DAILY))])):
            values = {"csrf_token": member.get(PATH).form(PATH).one('[name="csrf_token"]')["value"]}
            values |= {"addresses": " ".join(addresses), "words": "", "send": "yes"}
            sends.append(lambda member=member, values=values: member.post(PATH, values, expect=303))
        all_at_once(sends)
        assert sorted(row.address.lower() for row in records.all(Invitation)) == sorted(many(DAILY))
        assert len(records.all(OutboxMessage, kind=MessageKind.INVITATION)) == DAILY

    def test_whoever_joins_or_refuses_meanwhile_gets_no_mail(self, app, alice: Person, bob: Person, records):
        invite(alice, "bob@example.com")
        bob.sign_up()
        alice.post_office.deliver()
        assert [letter["Subject"] for letter in alice.post_office.letters(bob.email)] == [
            "Confirm your address for ReferralHub"
        ]
        assert records.one(OutboxMessage, kind=MessageKind.INVITATION).last_error is None

    def test_not_when_the_program_has_none_or_the_own_address_is_unconfirmed(self, app, bob: Person, records, clock):
        bob.sign_up()
        form = {"csrf_token": bob.get("/dashboard/").form("/logout").one('[name="csrf_token"]')["value"]}
        form |= {"addresses": "dora@example.com", "words": "", "send": "yes"}
        assert "Confirm your own address first" in bob.get(PATH).text
        assert "Confirm your own address first" in bob.post(PATH, form, expect=403).text
        bob.confirm_address()
        with app.app_context():
            rules.change({"email_invitations": False}, clock())
        page = bob.get(PATH)
        assert "switched off in this program" in page.text
        assert not [form for form in page.all("form") if form["action"] == PATH]
        assert "switched off" in bob.post(PATH, form, expect=403).text
        assert records.all(Invitation) == []


class TestWhatBecomesOfIt:
    def test_an_invitation_is_followed_from_the_queue_to_the_new_member(
        self, alice: Person, bob: Person, records, clock
    ):
        assert states(invite(alice, bob.email)) == ["queued"]
        path = invited_path(alice, bob.email)
        assert states(alice.get(PATH)) == ["sent"]
        assert Visitor(alice.post_office.app).get(path, 302, headers={"User-Agent": "mail scanner"})
        assert states(alice.get(PATH)) == ["sent"]
        assert records.visits() == []

        open_as_a_person(bob, path)
        assert states(alice.get(PATH)) == ["visited"]
        assert [(day.channel, day.visits) for day in records.visits()] == [(Channel.EMAIL, 1)]
        bob.sign_up()
        page = alice.get(PATH)
        assert states(page) == ["joined"]
        assert not page.all('form[action="/dashboard/invitations/1/remind"]')
        assert records.one(Invitation).friend_id == records.one(Profile, user_id=2).id
        assert records.one(Referral).channel is Channel.EMAIL
        bob.confirm_address()
        assert [entry.amount for entry in records.all(RewardEntry)] == [2000, 2000]

    def test_a_mailbox_that_does_not_exist_is_marked(self, app, alice: Person, records, clock: Clock):
        invite(alice, "nobody@example.com")

        def post(letter: EmailMessage) -> None:
            raise Refused("550 no such mailbox")

        with app.app_context():
            assert Delivery(mail_content.write, post, clock, note_bounced=invitation_progress.note_bounced).run() == 0
        clock.advance(days=4)
        page = alice.get(PATH)
        assert states(page) == ["bounced"]
        assert "no such mailbox" in page.text
        assert not page.all('form[action="/dashboard/invitations/1/remind"]')
        assert alice.post_office.deliver() == 0

    def test_there_is_one_reminder_and_not_before_three_days(self, alice: Person, bob: Person, records, clock: Clock):
        bob.sign_up()
        bob.confirm_address()
        invite(alice, "dora@example.com")
        alice.post_office.deliver()
        path = "/dashboard/invitations/1/remind"

        def remind(member: Person, expect: int) -> None:
            token = member.get(PATH).form("/logout").one('[name="csrf_token"]')["value"]
            member.post(path, {"csrf_token": token}, expect=expect)

        clock.advance(days=3, seconds=-1)
        assert not alice.get(PATH).all(f'form[action="{path}"]')
        remind(alice, 409)
        clock.advance(seconds=1)
        remind(bob, 409)
        page = alice.follow(alice.submit(alice.get(PATH).form(path)))
        assert "The reminder is on its way" in page.text
        assert not page.all(f'form[action="{path}"]')
        remind(alice, 303)  # the same click, sent again
        clock.advance(minutes=1)
        remind(alice, 409)
        alice.post_office.deliver()
        subjects = [letter["Subject"] for letter in alice.post_office.letters("dora@example.com")]
        assert subjects == ["alice invites you to ReferralHub", "alice still holds a place for you at ReferralHub"]
        open_as_a_person(Visitor(alice.post_office.app), invited_path(alice, "dora@example.com"))
        clock.advance(days=30)
        remind(alice, 409)

    def test_a_token_that_we_did_not_give_with_this_link_is_ignored(self, app, alice, bob, charlie, records):
        invite(alice, "dora@example.com")
        alice.post_office.deliver()
        bob.sign_up()
        for token in ("forged", "ünreadable", invitations.token(1, SECRET_KEY[::-1])):
            open_as_a_person(charlie, f"/{alice.code}/?via=email&i={token}")
        open_as_a_person(charlie, f"/{bob.code}/?via=email&i={invitations.token(1, SECRET_KEY)}")
        charlie.sign_up()
        assert records.one(Invitation).state is InvitationState.SENT
        assert records.one(Referral).referrer_id == records.one(Profile, user_id=2).id
        assert sorted((day.profile_id, day.visits) for day in records.visits()) == [(1, 3), (2, 1)]


class TestTheMail:
    WORDS = (
        "Look: http://localhost/evil\n\n<b>Bold</b> & {{ inviter }}\n\nAccept the invitation: http://localhost/evil/"
    )

    def test_own_words_arrive_quoted_and_as_text(self, alice: Person, bob: Person):
        page = preview(alice, bob.email, self.WORDS)
        assert "<b>Bold</b> & {{ inviter }}" in page.text
        assert not page.one("main").all("b")
        alice.follow(alice.submit(page.form(PATH), send="yes"))
        invite(alice, "dora@example.com", "Look: http://localhost/evil")
        alice.post_office.deliver()

        (letter,) = alice.post_office.letters(bob.email)
        quoted = [line.removeprefix(">").strip() for line in text_of(letter).splitlines() if line.startswith(">")]
        assert quoted == self.WORDS.splitlines()
        for address in (bob.email, "dora@example.com"):
            (letter,) = alice.post_office.letters(address)
            html = parse(str(letter.get_body(("html",)).get_content()))
            assert "Look: http://localhost/evil" in html.one("blockquote").text
            assert [link["href"] for link in html.all("a") if "evil" in link["href"]] == []
            assert link_in(letter, f"/{alice.code}/") in [link["href"] for link in html.all("a")]

    def test_a_line_counts_as_long_as_the_browser_counts_it(self, alice: Person, records):
        words = "\n".join(["x" * 49] * 10)  # 499 characters, or 508 as they are sent
        invite(alice, "dora@example.com", words.replace("\n", "\r\n"))
        assert records.one(Invitation).words == words
        page = alice.submit(alice.get(PATH).form(PATH), 422, addresses="emil@example.com", words="x" * 501)
        assert "at most 500" in page.error_at("words")


def test_the_page_costs_the_same_for_one_invitation_and_for_twenty(alice: Person, count_queries: Callable):
    costs = []
    for addresses in (many(1), many(19, 1)):
        invite(alice, " ".join(addresses))
        alice.post_office.deliver()
        with count_queries() as statements:
            assert len(states(alice.get(PATH))) == len(addresses) + len(costs)
        costs.append(len(statements))
    assert costs[0] == costs[1] <= 5
