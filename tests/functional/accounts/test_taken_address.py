"""Somebody types an address that is another account's: only who reads its mail learns of that."""

from collections.abc import Callable

import pytest
from flask import Flask

from referralhub.models import NO_PASSWORD, User
from tests.pages import Page
from tests.people import Person, PostOffice, Records, text_of

SUBJECT = "You have an account at ReferralHub already"


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


@pytest.fixture
def alice(alice: Person) -> Person:
    """Alice, who has proven her address."""
    alice.sign_up()
    alice.confirm_address()
    return alice


@pytest.fixture
def mallory(app: Flask, post_office: PostOffice) -> Callable[[str], Person]:
    """Somebody who types this address for an account of her own."""

    def make(address: str, username: str = "mallory") -> Person:
        person = Person(app, post_office, username)
        person.email = address
        return person

    return make


def seen_by(person: Person, answer: Page) -> list[str]:
    """What the pages say to somebody new, without what they typed and what is new each time."""
    pages = [answer, person.follow(answer), person.get("/account/email"), person.get("/account/profile")]
    pages.append(person.submit(person.get("/dashboard/").form("/verify/resend")))
    texts = [f"{page.status} {page.response.location} {page.root.text}" for page in pages]
    return [text.replace(person.username, "…").replace(person.email, "…").replace(person.code, "…") for text in texts]


def test_signing_up_looks_the_same_and_makes_an_account(alice: Person, mallory, records: Records):
    first, second = mallory("Alice@example.com"), mallory("nobody@example.com", "malvina")
    seen = [seen_by(person, person.fill_in_signup()) for person in (first, second)]
    assert seen[0] == seen[1]
    assert [user.username for user in records.all(User)] == ["alice", "mallory", "malvina"]


def test_the_mail_says_so_and_has_no_link_that_proves_anything(alice: Person, mallory, post_office: PostOffice):
    mallory("Alice@example.com").sign_up()
    post_office.deliver()
    letter = post_office.letters("Alice@example.com")[-1]
    assert letter["Subject"] == SUBJECT
    assert "Hello alice," in text_of(letter)
    assert "mallory" not in str(letter)
    assert "/verify/" not in text_of(letter)
    assert "/login" in text_of(letter)


def test_each_signs_in_with_the_own_password(alice: Person, mallory, records: Records):
    person = mallory(alice.email)
    person.sign_up()
    for each in (alice, person):
        browser = each.in_another_browser()
        browser.sign_in(username=each.email)
        assert each.code in browser.get("/dashboard/").one("#referral-link")["value"]


@pytest.mark.usefixtures("strong_passwords")
def test_an_address_is_tried_against_two_passwords_whoever_has_it(alice: Person, mallory, visitor, monkeypatch):
    """The second takes time that would tell."""
    from referralhub.services.accounts import passwords

    tried = []
    verifies = passwords._verifies
    monkeypatch.setattr(passwords, "_verifies", lambda *each: tried.append(each) or verifies(*each))
    mallory("malvina@example.com", "malvina").sign_up()
    for address in (alice.email, "malvina@example.com", "nobody@example.com"):
        tried.clear()
        visitor.submit(visitor.get("/login").form("/login"), 422, username=address, password="a guess")
        assert len(tried) == 2


def test_another_address_can_be_asked_for_and_the_mail_says_that_it_is_taken(alice, bob: Person, post_office):
    bob.sign_up()
    form = bob.get("/account/email").form("/account/email")
    answers = [
        bob.submit(form, email=address, password=bob.password) for address in ("ALICE@example.com", "new@example.com")
    ]
    assert [answer.location for answer in answers] == ["/account/email"] * 2
    bob.submit(form, email="ALICE@example.com", password=bob.password)
    post_office.deliver()
    assert post_office.letters("ALICE@example.com")[-1]["Subject"] == SUBJECT


def test_who_proves_an_address_first_has_it(alice: Person, mallory, records: Records, clock):
    """Whoever typed it before does not keep its owner from joining, nor get it afterwards."""
    squatter, owner = mallory("zoe@example.com"), mallory("zoe@example.com", "zoe")
    squatter.sign_up()
    early = squatter.verification_path()
    owner.sign_up()
    owner.confirm_address()
    assert "already an account" in squatter.submit(squatter.get(early).form(early), 400).text
    assert records.one(User, username="mallory").verified_at is None
    clock.advance(minutes=1)
    squatter.submit(squatter.get("/dashboard/").form("/verify/resend"))
    squatter.post_office.deliver()
    assert squatter.post_office.letters("zoe@example.com")[-1]["Subject"] == SUBJECT


def test_a_forgotten_password_is_that_of_who_has_proven_the_address(alice: Person, mallory, visitor, post_office):
    mallory(alice.email).sign_up()
    visitor.submit(visitor.get("/password/forgot").form("/password/forgot"), 200, email=alice.email)
    post_office.deliver()
    assert "Hello alice," in text_of(post_office.letters(alice.email)[-1])


def test_where_nothing_is_to_be_proven_a_taken_address_is_refused(lend_app, alice: Person, mallory):
    app = lend_app(ratelimit_enabled=False, require_email_verification=False)
    person = Person(app, alice.post_office, "mallory")
    page = person.fill_in_signup(expect=422, email="ALICE@example.com")
    assert "already an account" in page.error_at("email")


def test_a_member_without_a_password_is_no_quicker_to_refuse(app: Flask, records: Records, visitor, monkeypatch):
    from referralhub.services.accounts import passwords

    tried = []
    verify = passwords.argon2id.verify
    monkeypatch.setattr(passwords.argon2id, "verify", lambda *each: tried.append(each[0]) or verify(*each))
    assert not passwords.matches(NO_PASSWORD, "nobody")
    assert not passwords.matches(None, "nobody")
    assert tried[0] == tried[1]
