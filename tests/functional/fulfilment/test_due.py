"""What is due follows from the ledger: no more than is left of a credit, and no more than the member has."""

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import RewardHold
from referralhub.services.fulfilment import due
from referralhub.services.ledger import entries
from referralhub.services.perks import catalogue, claims
from referralhub.services.shared.errors import CannotRedeem


@pytest.fixture(autouse=True)
def in_order(books):
    """Whatever a test does, the books are right after it."""
    yield
    books.close()


def test_a_credit_is_due_at_once_and_cannot_be_spent(books):
    entry = books.credit(500)
    assert books.rewards == [(entry, 500, "due")]
    assert books.balance == (500, 0)


def test_of_a_program_that_hands_nothing_over_nothing_is_due(books):
    books.credit(500, handed_over=False)
    assert books.rewards == []
    assert books.balance == (500, 500)
    later = books.credit(200)
    assert books.due == {later: 200}
    assert books.balance == (700, 500)


def test_what_an_admin_gives_is_handed_over_if_the_program_did_so_on_that_day(books, clock):
    entry = books.post(300)
    assert books.due == {entry: 300}
    clock.advance(days=1)
    books.program(handed_over=False)
    books.post(40)
    clock.advance(days=1)
    books.program()
    other = books.post(7)
    assert books.due == {entry: 300, other: 7}


def test_what_is_on_hold_is_due_when_that_ends(app: Flask, books, clock, records):
    first, second = books.credit(500, hold_days=10), books.credit(300, hold_days=20)
    assert books.rewards == []

    def look() -> int:
        return due.refresh_ended_holds(clock())

    with app.app_context():
        clock.advance(days=9)
        assert look() == 0
        clock.advance(days=1)
        assert look() == 1
        assert look() == 0
        assert books.due == {first: 500}
        clock.advance(days=40)  # the worker was away
        assert look() == 1
        assert look() == 0
    assert books.due == {first: 500, second: 300}
    assert records.all(RewardHold) == []


def test_taken_back_before_it_was_handed_over_it_is_withdrawn(books):
    first, second = books.credit(500), books.credit(300)
    books.take_back(second)
    assert books.rewards == [(first, 500, "due"), (second, 300, "withdrawn")]
    assert books.balance == (500, 0)


def test_taken_back_while_on_hold_it_is_never_due(app: Flask, books, clock):
    other, entry = books.credit(300), books.credit(500, hold_days=10)
    books.take_back(entry)
    assert books.due == {other: 300}
    clock.advance(days=11)
    with app.app_context():
        due.refresh_ended_holds(clock())
    assert books.rewards == [(other, 300, "due")]


def test_taken_back_after_it_was_handed_over_it_is_a_debt_that_the_next_ones_pay(books):
    entry = books.credit(500)
    assert books.fulfil(books.reward(entry))
    books.take_back(entry)
    assert books.balance == (-500, -500)
    books.credit(200)
    assert books.due == {}
    third = books.credit(400)
    assert books.due == {third: 100}
    books.fulfil(books.reward(third))
    assert books.balance == (0, 0)
    assert books.due == {}


def test_a_debt_that_is_paid_leaves_nothing_due_again(books):
    """A credit whose rest paid a debt is not due for that rest when there is more to hand over."""
    books.post(-30)
    first = books.credit(100)
    assert books.due == {first: 70}
    books.fulfil(books.reward(first))
    second = books.credit(50)
    assert books.due == {second: 50}
    books.fulfil(books.reward(second))
    assert books.balance == (0, 0)
    assert len(books.rewards) == 2


def test_where_there_is_less_than_is_due_the_oldest_shrinks(books):
    first, second = books.credit(50), books.credit(50)
    books.post(-30)
    assert books.rewards == [(first, 50, "withdrawn"), (second, 50, "due"), (first, 20, "due")]
    books.post(-60)
    assert books.due == {second: 10}


def test_a_refund_takes_back_its_share_of_its_own_conversion(books):
    referral = books.referral()
    first, second = books.sale(referral), books.sale(referral)
    one = books.post(200, "referrer", referral_id=referral, conversion_id=first)
    two = books.post(200, "referrer", referral_id=referral, conversion_id=second)
    books.post(-50, "refund", referral_id=referral, conversion_id=second)
    assert books.due == {one: 200, two: 150}
    books.post(-150, "refund", referral_id=referral, conversion_id=second)
    assert books.due == {one: 200}
    books.fulfil(books.reward(one))
    books.post(-80, "refund", referral_id=referral, conversion_id=first)
    assert books.balance == (-80, -80)


def test_what_a_correction_adds_is_due_and_goes_first(books):
    referral = books.referral()
    sale = books.sale(referral)
    values = {"referral_id": referral, "conversion_id": sale}
    credit = books.post(100, "referrer", **values)
    books.post(-50, "refund", **values)
    more = books.post(20, **values)
    assert books.due == {credit: 50, more: 20}
    books.fulfil(books.reward(credit))
    books.post(-5, "refund", **values)
    assert books.due == {more: 15}


def test_a_perk_is_bought_with_what_is_not_due(app: Flask, books, clock):
    books.credit(100, handed_over=False)
    entry = books.credit(500)
    with app.app_context():
        perk = catalogue.add("Mug", "", clock(), price=80, unit="EUR")
        assert claims.redeem(1, perk, "first", clock())
        with pytest.raises(CannotRedeem):
            claims.redeem(1, perk, "second", clock())
    assert books.balance == (520, 20)
    assert books.due == {entry: 500}


def test_what_was_spent_on_a_perk_is_not_handed_over(app: Flask, books, clock):
    entry = books.credit(500, hold_days=1)
    clock.advance(days=1, minutes=-1)
    with app.app_context():
        perk = catalogue.add("Mug", "", clock(), price=80, unit="EUR")
        with pytest.raises(CannotRedeem):
            claims.redeem(1, perk, "first", clock())
        clock.advance(minutes=1)
        assert claims.redeem(1, perk, "first", clock())  # before anybody looked at the hold
    assert books.due == {entry: 420}
    books.fulfil(books.reward(entry))
    assert books.balance == (0, 0)


def test_without_such_a_program_nothing_is_asked_of_many_ledgers(app: Flask, books, clock, count_queries):
    with app.app_context():
        db.session.execute(db.text("UPDATE program SET handed_over = false"))
        db.session.commit()
        session = db.session()
        session.info[entries.CHANGED] = {(number, "EUR"): clock() for number in range(1, 100)}
        with count_queries() as statements:
            due.refresh_changed(session)
        assert len(statements) == 1


def test_each_refresh_takes_a_few_statements_however_much_there_is(app: Flask, books, clock, count_queries):
    for _ in range(12):
        books.fulfil(books.reward(books.credit(10)))
    for _ in range(12):
        books.credit(10)
    with app.app_context(), count_queries() as statements:
        due.refresh(db.session(), 1, "EUR", clock())
        assert len(statements) == 3, statements
