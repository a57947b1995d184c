"""Claiming perks: once, with what one has, and never more than there are."""

from collections import Counter

import pytest

from referralhub.extensions import db
from referralhub.models import Coupon, Perk, Redemption, RewardEntry
from referralhub.services.perks import catalogue
from tests.factories import befriend
from tests.people import Person, all_at_once


@pytest.fixture
def app(unlimited_app):
    return unlimited_app


@pytest.fixture
def rich(app, clock, alice) -> Person:
    """Alice, with ten friends and a hundred points."""
    alice.sign_up()
    befriend(app, "alice", 10, clock())
    return alice


def add(app, clock, **values) -> None:
    with app.app_context():
        catalogue.add("Mug", "Holds tea.", clock(), **values)


def claim(person: Person, expect: int = 303):
    return person.submit(person.get("/dashboard/rewards").form("/dashboard/perks/1/redeem"), expect)


def test_buying_takes_the_price_and_one_from_stock(app, clock, rich, records):
    add(app, clock, price=30, stock=5)
    claim(rich)
    assert records.one(Perk).stock == 4
    entry = records.all(RewardEntry)[-1]
    assert (entry.amount, entry.balance, entry.note) == (-30, 70, "Mug")
    assert "on its way" in rich.get("/dashboard/rewards").one("[data-claim]").text


def test_a_coupon_is_shown_at_once(app, clock, rich):
    add(app, clock, price=30, coupons=["TEA-1", "TEA-2"])
    claim(rich)
    assert "TEA-1" in rich.get("/dashboard/rewards").one("[data-claim]").text
    assert "1 left" in rich.get("/dashboard/rewards").one("[data-perk]").text


def test_sending_the_form_twice_buys_once(app, clock, rich, records):
    add(app, clock, price=30, stock=5)
    form = rich.get("/dashboard/rewards").form("/dashboard/perks/1/redeem")
    rich.submit(form)
    rich.submit(form)
    records.one(Redemption)
    assert records.all(RewardEntry)[-1].balance == 70


def test_too_dear_is_said_with_both_figures(app, clock, rich, records):
    add(app, clock, price=101)
    page = rich.get("/dashboard/rewards")
    assert "1 point to go" in page.one("[data-perk]").text and not page.one("[data-perk]").all("form")
    before = records.everything()
    token = page.all('[name="csrf_token"]')[0]["value"]
    page = rich.post("/dashboard/perks/1/redeem", {"csrf_token": token, "key": "k"}, 409)
    assert "This costs 101 points, and you can spend 100 points today." in page.text
    assert records.everything() == before


def test_sold_out_is_shown_and_refused(app, clock, rich, records):
    add(app, clock, price=10, stock=1)
    form = rich.get("/dashboard/rewards").form("/dashboard/perks/1/redeem")
    claim(rich)
    assert "sold out" in rich.get("/dashboard/rewards").one("[data-perk]").text
    assert "somebody else took the last one" in rich.submit(form, 409).text
    records.one(Redemption)


def test_a_perk_that_was_withdrawn_is_refused(app, clock, rich, records):
    add(app, clock, price=10)
    form = rich.get("/dashboard/rewards").form("/dashboard/perks/1/redeem")
    records.change(lambda: db.session.execute(db.update(Perk).values(is_active=False)))
    assert "not offered" in rich.submit(form, 409).text
    rich.post("/dashboard/perks/99/redeem", {"csrf_token": form.one('[name="csrf_token"]')["value"]}, 409)


def test_a_milestone_unlocks_once(app, clock, rich, bob, records):
    add(app, clock, unlocked_at=10)
    form = rich.get("/dashboard/rewards").form("/dashboard/perks/1/redeem")
    rich.submit(form)
    rich.submit(form, key="another-form")
    records.one(Redemption)
    assert "yours" in rich.get("/dashboard/rewards").one("[data-perk]").text
    bob.sign_up()
    token = bob.get("/dashboard/rewards").all('[name="csrf_token"]')[0]["value"]
    page = bob.post("/dashboard/perks/1/redeem", {"csrf_token": token, "key": "k"}, 409)
    assert "10 more confirmed referrals unlock this" in page.text


@pytest.mark.parametrize("kind", ["stock", "coupon"])
def test_of_fifty_who_want_the_last_one_one_gets_it(app, clock, alice, records, kind: str):
    add(app, clock, price=10, **({"stock": 1} if kind == "stock" else {"coupons": ["TEA-1"]}))
    buyers = []
    for number in range(50):
        buyer = Person(app, alice.post_office, f"buyer{number}")
        buyer.sign_up()
        befriend(app, f"buyer{number}", 1, clock())
        buyers.append(buyer)
    forms = [(buyer, buyer.get("/dashboard/rewards").form("/dashboard/perks/1/redeem")) for buyer in buyers]
    pages = all_at_once([lambda b=buyer, f=form: b.submit(f, None) for buyer, form in forms])
    assert Counter(page.status for page in pages) == {303: 1, 409: 49}
    assert all("somebody else took the last one" in page.text for page in pages if page.status == 409)
    records.one(Redemption)
    assert [entry.amount for entry in records.all(RewardEntry) if entry.amount < 0] == [-10]
    if kind == "coupon":
        assert records.one(Coupon).redemption_id == records.one(Redemption).id


def test_fifty_claims_of_one_member_never_overdraw(app, clock, rich, records):
    add(app, clock, price=30)
    forms = [rich.get("/dashboard/rewards").form("/dashboard/perks/1/redeem") for _ in range(50)]
    twins = []
    for form in forms:
        twin = Person(app, rich.post_office, "alice")
        twin.client.set_cookie("referralhub", rich.session_id())
        twins.append(lambda t=twin, f=form: t.submit(f, None))
    pages = all_at_once(twins)
    assert Counter(page.status for page in pages) == {303: 3, 409: 47}
    assert records.all(RewardEntry)[-1].balance == 10
    assert len(records.all(Redemption)) == 3
