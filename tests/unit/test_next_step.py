"""Which one thing is suggested to a member: the most urgent of what is open."""

from dataclasses import replace

import pytest

from referralhub.services.program.rules import TIERS, standing
from referralhub.services.referrals.next_step import NextStep, Prospects, Step, next_step

# Everything is open to this member; what is suggested is done, and so on.
ALL = Prospects(perk="Mug", unconfirmed="bo", visited="carl@example.net", can_invite=True)
IN_ORDER = [
    ({"has_confirmed": False}, NextStep(Step.CONFIRM)),
    ({}, NextStep(Step.CLAIM, "Mug")),
    ({"perk": None}, NextStep(Step.NUDGE, "bo")),
    ({"unconfirmed": None}, NextStep(Step.REMIND, "carl@example.net")),
    ({"visited": None}, NextStep(Step.SHARE)),
    ({"has_shared": True}, NextStep(Step.INVITE)),
    ({"can_invite": False}, NextStep(Step.CLIMB, "Silver")),
]


def test_what_is_open_is_suggested_in_order():
    done, known = ALL, {"has_confirmed": True, "has_shared": False}
    for number, (change, suggested) in enumerate(IN_ORDER):
        if number == 0:
            assert next_step(done, standing(TIERS, 3), **(known | change)) == suggested
            continue
        known |= {name: value for name, value in change.items() if name in known}
        done = replace(done, **{name: value for name, value in change.items() if name not in known})
        assert next_step(done, standing(TIERS, 3), **known) == suggested


def test_the_order_is_that_of_the_names():
    assert [suggested.step for _, suggested in IN_ORDER] == list(Step)


def test_one_who_has_done_it_all_is_asked_for_nothing():
    assert next_step(Prospects(), standing(TIERS, 100), has_confirmed=True, has_shared=True) is None


@pytest.mark.parametrize(("referrals", "tier"), [(0, "Silver"), (10, "Gold"), (99, "Diamond")])
def test_the_next_tier_is_the_one_above(referrals: int, tier: str):
    found = next_step(Prospects(), standing(TIERS, referrals), has_confirmed=True, has_shared=True)
    assert found == NextStep(Step.CLIMB, tier)
