"""Many at once: real threads, real connections, real commits."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import OutboxMessage, Profile, Referral, ReferralEvent, RewardEntry, TokenPurpose, User
from referralhub.services.accounts import tokens
from tests.pages import Page, Visitor
from tests.people import Person, all_at_once, path_of


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


def send_signup(app: Flask, username: str, email: str) -> Callable[[], Page]:
    """Prepare a signup in a browser of its own; calling the result sends it."""
    visitor = Visitor(app)
    form = visitor.get("/signup").form("/signup")
    values = {box["name"]: box.attributes.get("value", "") for box in form.all("input[name]")}
    values |= {"username": username, "email": email, "password": "likes tea", "password_confirm": "likes tea"}
    return lambda: visitor.post("/signup", values, expect=None)


def press_verify(app: Flask, user_id: int, address: str, now: datetime) -> Callable[[], Page]:
    """Prepare the click behind a link that was mailed while nobody had proven the address."""
    with app.app_context():
        token = tokens.issue(db.session(), TokenPurpose.VERIFY_ADDRESS, user_id, address, now)
        db.session.commit()
    visitor = Visitor(app)
    form = visitor.get(f"/verify/{token}").form(f"/verify/{token}")
    return lambda: visitor.submit(form, None)


def cases(word: str, number: int) -> list[str]:
    """Give as many spellings of a word that differ in case alone."""
    return [
        "".join(letter.upper() if number >> place & 1 else letter for place, letter in enumerate(word))
        for number in range(number)
    ]


@pytest.mark.parametrize("number", [2, 10])
@pytest.mark.parametrize("differ_in_case", [False, True], ids=["same", "other case"])
def test_of_simultaneous_signups_with_one_user_name_one_wins(app: Flask, records, number: int, differ_in_case: bool):
    names = cases("alice", number) if differ_in_case else ["alice"] * number
    pages = all_at_once([send_signup(app, name, f"a{i}@example.com") for i, name in enumerate(names)])
    assert Counter(page.status for page in pages) == {303: 1, 422: number - 1}
    for page in pages:
        if page.status == 422:
            assert "taken" in page.error_at("username")
            assert page.wrong_fields == {"username"}
    records.one(User)
    records.one(Profile)
    records.one(OutboxMessage)


@pytest.mark.parametrize("number", [2, 10])
def test_of_accounts_with_one_address_one_proves_it(app: Flask, records, clock, number: int):
    addresses = [f"{local}@example.com" for local in cases("alice", number)]
    pages = all_at_once([send_signup(app, f"user{i}", address) for i, address in enumerate(addresses)])
    assert Counter(page.status for page in pages) == {303: number}
    buttons = [press_verify(app, user.id, user.email, clock()) for user in records.all(User)]
    assert Counter(page.status for page in all_at_once(buttons)) == {303: 1, 400: number - 1}
    assert len([user for user in records.all(User) if user.verified_at]) == 1


def test_many_different_signups_at_once_all_succeed(app: Flask, records):
    pages = all_at_once([send_signup(app, f"user{i}", f"user{i}@example.com") for i in range(10)])
    assert Counter(page.status for page in pages) == {303: 10}
    assert len({profile.code for profile in records.all(Profile)}) == 10


def test_a_double_click_on_the_signup_button_makes_one_account(app: Flask, alice: Person, bob: Person, records):
    alice.sign_up()
    bob.click(alice.link)
    values = {
        box["name"]: box.attributes.get("value", "") for box in bob.get("/signup").form("/signup").all("input[name]")
    }
    values |= {"username": "bob", "email": bob.email, "password": bob.password, "password_confirm": bob.password}
    twins = [Visitor(app) for _ in range(2)]
    for twin in twins:
        twin.client.set_cookie("referralhub", bob.session_id())
    pages = all_at_once([lambda twin=twin: twin.post("/signup", values, expect=None) for twin in twins])
    assert 303 in {page.status for page in pages}
    assert len(records.all(User)) == 2
    records.one(Referral)


def test_one_verification_link_pressed_twenty_times_at_once_credits_once(
    app: Flask, alice: Person, bob: Person, records
):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    path = bob.verification_path()

    def press() -> Callable[[], Page]:
        visitor = Visitor(app)
        form = visitor.get(path).form(path)
        return lambda: visitor.submit(form)

    pages = all_at_once([press() for _ in range(20)])
    assert Counter(page.status for page in pages) == {303: 20}
    records.one(RewardEntry)
    assert len(records.all(ReferralEvent)) == 2
    profile = records.one(Profile, id=1)
    assert profile.referral_count == 1
    told = [row.kind.value for row in records.all(OutboxMessage, user_id=1)]
    assert sorted(told) == ["badge_earned", "friend_joined", "referral_confirmed", "verify_address"]


def test_many_friends_who_confirm_at_once_are_all_counted(app: Flask, alice: Person, records):
    alice.sign_up()
    friends = [Person(app, alice.post_office, f"friend{number}") for number in range(10)]
    forms = []
    for friend in friends:
        friend.click(alice.link)
        friend.sign_up()
        path = friend.verification_path()
        forms.append(friend.get(path).form(path))
    all_at_once([partial(*pair) for pair in zip([friend.submit for friend in friends], forms, strict=True)])
    profile = records.one(Profile, id=1)
    assert profile.referral_count == 10
    assert [entry.balance for entry in records.all(RewardEntry)] == [10 * (place + 1) for place in range(10)]


def test_no_visit_is_lost_among_many(app: Flask, alice: Person, records):
    alice.sign_up()
    path = path_of(alice.link)
    visitors = [Visitor(app) for _ in range(20)]
    all_at_once([lambda visitor=visitor: visitor.get(path, 302) for visitor in visitors])
    (day,) = records.visits()
    assert (day.visits, day.visitors) == (20, 20)
