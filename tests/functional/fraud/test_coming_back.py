"""Who left and joins once more: what was credited once is not credited again."""

import hashlib

import pytest
from flask import Flask

from referralhub.models import FormerAddress, Reason, Referral, ReferralState, RewardEntry
from referralhub.services.accounts import erasure
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import OPERATOR
from referralhub.words.referrals import FORMER_MEMBER
from tests.functional.fraud.friends import SAFARI, join, verdict
from tests.people import Clock, Person


@pytest.fixture
def bob(alice: Person, at, clock: Clock) -> Person:
    """A friend who was credited."""
    bob = at("bob")
    join(bob, alice.link, clock)
    assert alice.get("/dashboard/").stat("total_referrals") == 1
    return bob


def test_the_same_mailbox_after_erasure_waits(alice: Person, bob: Person, at, clock: Clock, records):
    bob.delete_account()
    for number, address in enumerate(("bob@gmail.com", "B.o.b+again@googlemail.com"), 1):
        elsewhere = at(f"bob{number}", agent=SAFARI)
        elsewhere.email = address
        join(elsewhere, alice.link, clock)
        assert [(f["rule"], f["points"]) for f in verdict(records)["findings"]] == [("referred_before", 60)]
        elsewhere.delete_account()
    assert [each.state for each in records.all(Referral)] == ["confirmed", "held", "held"]
    assert alice.get("/dashboard/").stat("total_referrals") == 1
    assert [entry.amount for entry in records.all(RewardEntry)] == [10]


def test_so_does_one_that_was_left_for_another(alice: Person, bob: Person, at, clock: Clock, records):
    bob.change_address("robert@gmail.com")
    again = at("again", agent=SAFARI)
    again.email = "bob@gmail.com"
    join(again, alice.link, clock)
    assert [f["rule"] for f in verdict(records)["findings"]] == ["referred_before"]
    assert alice.get("/dashboard/").stat("total_referrals") == 1


def test_by_whose_link_does_not_matter(bob: Person, at, clock: Clock, records):
    charlie = at("charlie", agent=SAFARI)
    charlie.sign_up()
    bob.delete_account()
    again = at("again")
    again.email = bob.email
    join(again, charlie.link, clock)
    assert [f["rule"] for f in verdict(records)["findings"]] == ["referred_before"]


def test_the_browser_that_erased_remembers(alice: Person, bob: Person, clock: Clock, records, at):
    bob.delete_account()
    again = at("someone.else", "192.0.2.251")
    again.client = bob.client
    join(again, alice.link, clock)
    assert [(f["rule"], f["points"]) for f in verdict(records)["findings"]] == [("erased_in_browser", 45)]
    assert records.one(Referral, friend_id=3).state is ReferralState.HELD


def test_who_left_before_anything_was_credited_is_welcome(alice: Person, at, clock: Clock, records):
    bob = at("bob")
    bob.click(alice.link)
    clock.advance(seconds=40)
    bob.sign_up()
    bob.delete_account()
    join(bob, alice.link, clock)
    assert verdict(records)["findings"] == []


def test_who_was_nobodys_friend_may_become_one(alice: Person, at, clock: Clock, records):
    bob = at("bob")
    bob.sign_up()
    bob.confirm_address()
    bob.delete_account()
    join(bob, alice.link, clock)
    assert verdict(records)["findings"] == []


def test_erasing_twice_keeps_nothing_more(alice: Person, at, app: Flask, clock: Clock, records):
    bob = at("bob")
    bob.click(alice.link)
    bob.sign_up()
    bob.delete_account()
    with app.app_context():
        lifecycle.hold(1, OPERATOR, Reason.stated("who is it?"), clock())
        erasure.erase(2, FORMER_MEMBER, clock())
    assert records.all(FormerAddress) == []


def test_nothing_readable_is_kept(bob: Person, records):
    bob.delete_account()
    kept = records.one(FormerAddress)
    assert len(kept.address_hash) == 64
    assert kept.address_hash != hashlib.sha256(b"address:bob@gmail.com").hexdigest()
