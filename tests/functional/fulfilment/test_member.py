"""What a member sees of rewards that are handed over, and takes along; what figures say of them."""

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import User
from referralhub.services.accounts import exports, passwords
from referralhub.services.growth import costs
from referralhub.services.growth.ranges import DateRange
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.services.referrals import statistics
from tests.people import Person

REWARDS = "/dashboard/rewards"


@pytest.fixture
def member(books, alice: Person, records) -> Person:
    """Alice, signed in."""
    hashed = passwords.hash_password(alice.password)
    records.change(lambda: setattr(db.session.get_one(User, 1), "password_hash", hashed))
    alice.sign_in()
    return alice


def test_each_reward_is_there_with_its_state(member: Person, books, clock):
    paid, failed, gone, _ = (books.credit(amount) for amount in (500, 300, 200, 100))
    books.fulfil(books.reward(paid), "invoice 7")
    books.fail(books.reward(failed), "no account")
    books.take_back(gone)
    page = member.get(REWARDS)
    lines = {row["data-value"]: (row["data-status"], row.text) for row in page.all("[data-reward]")}
    assert {amount: state for amount, (state, _) in lines.items()} == {
        "500": "fulfilled", "300": "failed", "200": "withdrawn", "100": "due",
    }  # fmt: skip
    assert ": invoice 7" in lines["500"][1]
    assert "could not be handed over: no account. It is still yours" in lines["300"][1]
    assert "what it was for was taken back" in lines["200"][1]
    assert "on its way since" in lines["100"][1]
    assert "Handed over: invoice 7" in page.one('[data-entry="payout"]').text
    tile = page.one('[data-balance="EUR"]')
    assert tile["data-value"] == "400"
    assert "of which €4.00 are on their way to you and €0.00 can be spent today" in page.text
    assert "Handed over to you" in member.get("/dashboard/").text


def test_nothing_is_said_of_it_where_nothing_is_handed_over(member: Person, books):
    books.credit(500, handed_over=False)
    assert "Handed over" not in member.get(REWARDS).text


def test_a_payout_is_no_loss_and_no_cost(app: Flask, books, clock):
    books.fulfil(books.reward(books.credit(500)))
    with app.app_context():
        found = statistics.of_member(1, clock())
        assert (found.statistics.rewards, sum(found.story.history.credited)) == (0, 500)
        days = DateRange(clock().date(), clock().date())
        assert [(each.unit, each.net) for each in costs.read(days, rules.current(), 1).units] == [("EUR", 500)]


def test_what_is_due_suggests_no_perk(app: Flask, books, clock):
    with app.app_context():
        catalogue.add("Mug", "", clock(), price=80, unit="EUR")
    books.credit(500)
    with app.app_context():
        assert statistics.of_member(1, clock()).story.prospects.perk is None
    books.credit(80, handed_over=False)
    with app.app_context():
        assert statistics.of_member(1, clock()).story.prospects.perk == "Mug"


def test_a_member_takes_them_along_and_they_stay_when_the_member_leaves(app: Flask, member: Person, books, clock):
    books.fulfil(books.reward(books.credit(500)), "invoice 7")
    books.credit(300)
    with app.app_context():
        (first, second) = exports.everything_about(db.session.get_one(User, 1))["rewards"]
    assert (first["amount"], first["state"], first["reference"]) == (500, "fulfilled", "invoice 7")
    assert (second["amount"], second["state"], second["unit"]) == (300, "due", "EUR")
    member.delete_account()
    assert [state for _, _, state in books.rewards] == ["fulfilled", "due"]
    assert books.fulfil(2)
    books.close()
