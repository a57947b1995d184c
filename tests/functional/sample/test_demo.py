"""The demo has something of everything: perks to be had, some that were had, and cases that wait for a person."""

import pytest
from flask import Flask

from referralhub import config
from referralhub.models import Perk, Profile, Referral, ReferralState, RewardEntry
from referralhub.services.program import rules
from referralhub.services.sample import demo
from tests.people import Person, PostOffice, Records


@pytest.fixture
def loaded(run) -> None:
    run("seed", "demo")


@pytest.fixture
def sign_in(app: Flask, post_office: PostOffice):
    def sign_in(username: str) -> Person:
        person = Person(app, post_office, username)
        person.password = config.DEMO_PASSWORD
        person.sign_in()
        return person

    return sign_in


def test_a_member_has_claimed_waits_for_one_and_can_claim_another(loaded, sign_in):
    page = sign_in(config.DEMO_MEMBER).get("/dashboard/rewards")
    offers = {each["data-perk"]: each for each in page.all("[data-perk]")}
    assert set(offers) == {"Early access", "Travel mug", "A month on the house"}
    assert "yours" in offers["Early access"].text
    assert offers["A month on the house"].all("form")
    claimed = {each["data-claim"]: each.text for each in page.all("[data-claim]")}
    assert "handed over" in claimed["Early access"] and "on its way" in claimed["Travel mug"]


def test_what_can_still_be_claimed_is_paid_and_comes_as_a_code(loaded, sign_in):
    mira = sign_in(config.DEMO_MEMBER)
    form = mira.get("/dashboard/rewards").one('[data-perk="A month on the house"]').one("form")
    page = mira.follow(mira.submit(form))
    assert "HOUSE-" in page.one('[data-claim="A month on the house"]').text


def test_two_cases_wait_with_their_reasons(loaded, sign_in):
    mira = sign_in(config.DEMO_MEMBER)
    assert ("jule", "held") in mira.get("/dashboard/referrals").referrals
    cases = sign_in(config.DEMO_ADMIN).get("/admin/review/").all("[data-case]")
    assert len(cases) == 2
    said = " ".join(each.text for each in cases)
    assert "jule" in said and "used one network and the same kind of browser" in said
    assert "Likely fraud" in said


def test_a_claim_waits_for_whoever_hands_it_over(loaded, sign_in):
    rows = sign_in(config.DEMO_ADMIN).get("/admin/claims/?flt_state=waiting").all("[data-row]")
    assert len(rows) == 1 and "Travel mug" in rows[0].text


def test_a_link_leads_to_a_greeting(loaded, records: Records):
    assert [each.greeting for each in records.all(Profile) if each.greeting] == [demo.GREETING]


def test_the_books_are_right(loaded, run, records: Records):
    run("ledger", "verify")
    run("audit", "verify")
    spent = [each for each in records.all(RewardEntry) if each.amount < 0]
    assert len(spent) == 2 and all(each.balance >= 0 for each in spent)
    assert sum(each.state is ReferralState.HELD for each in records.all(Referral)) == 2


@pytest.mark.parametrize("preset", ["tesla", "dropbox"])
def test_another_program_has_a_demo_too(app: Flask, run, records: Records, clock, preset: str):
    with app.app_context():
        rules.change(rules.PRESETS[preset], clock())
    run("perks", "add", "Travel mug", "--price", "1", "--stock", "1")
    run("seed", "demo")
    run("ledger", "verify")
    perks = {each.name for each in records.all(Perk)}
    assert perks == {"Travel mug", "Early access"} | ({"A month on the house"} if preset == "dropbox" else set())
