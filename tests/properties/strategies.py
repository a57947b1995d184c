"""What the machine chooses from."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from referralhub.models import Touch, Unit
from referralhub.services.program import rules

DAY = timedelta(days=1)
CURRENCIES = ["USD", "EUR", "JPY", "BHD"]  # of two decimals, none and three
ZONES = ["UTC", "Pacific/Auckland", "America/New_York"]
PICK = st.integers(0, 59)  # one of a list: the position, around and around
OFTEN = st.sampled_from([True, True, True, False])
WISHES = st.sampled_from(["possible", "possible", "on hold", "on hold", "nearly", "any"])
CRASHES = st.one_of(
    st.tuples(st.just("statement"), st.integers(1, 24)),
    st.tuples(st.just("commit"), st.integers(1, 2)),
    st.tuples(st.just("call"), st.integers(1, 12)),
)
MAYBE_CRASHES = st.one_of(st.none(), st.none(), CRASHES)
SPANS = st.one_of(
    st.integers(1, 90).map(lambda n: timedelta(minutes=n)),
    st.integers(1, 30).map(lambda n: timedelta(hours=n)),
    st.integers(1, 40).map(lambda n: timedelta(days=n)),
)
MILESTONES = st.dictionaries(st.integers(1, 4), st.integers(0, 30), max_size=3).map(
    lambda found: [{"at": at, "bonus": bonus} for at, bonus in sorted(found.items())]
)
TIERS = st.sets(st.integers(1, 4), max_size=3).map(
    lambda found: [{"name": f"from {at}", "at": at} for at in (0, *sorted(found))]
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "unit": st.sampled_from(Unit),
        "currency": st.sampled_from(CURRENCIES),
        "timezone": st.sampled_from(ZONES),
        "referrer_amount": st.integers(0, 40),
        "friend_amount": st.integers(0, 40),
        "member_cap": st.one_of(st.none(), st.integers(0, 50), st.integers(0, 50)),
        "window_days": st.integers(1, 30),
        "hold_days": st.integers(0, 20),
        "milestones": MILESTONES,
        "tiers": TIERS,
        "touch": st.sampled_from(Touch),
        "email_invitations": st.booleans(),
        "late_code_days": st.integers(0, 30),
    },
)
PRESETS = st.sampled_from(list(rules.PRESETS.values()))
LIVELY_RULES = st.fixed_dictionaries(
    {
        "referrer_amount": st.integers(8, 20),
        "friend_amount": st.sampled_from([0, 10]),
        "member_cap": st.none() | st.integers(0, 40),
        "hold_days": st.sampled_from([0, 1, 5]),
        "milestones": MILESTONES,
        "email_invitations": st.just(True),
    }
)
_SIDE = st.one_of(
    st.tuples(st.integers(0, 40), st.just(0)),
    st.tuples(st.just(0), st.sampled_from([333, 1000, 1250, 2500, 10_000])),
)
_CAP = st.sampled_from([*[None] * 5, 25, 60])


def _of_both_sides(values: dict[str, Any]) -> dict[str, Any]:
    sides = {side: values.pop(side) for side in ("referrer", "friend")}
    return values | {
        f"{side}_{name}": one
        for side, both in sides.items()
        for name, one in zip(("amount", "share"), both, strict=True)
    }


SELLING_RULES = st.fixed_dictionaries({
    "qualifies_on": st.sampled_from([*["purchase"] * 6, "signup", "upgrade"]),
    "referrer": _SIDE,
    "friend": _SIDE,
    "earning_events": st.sampled_from([None, None, 1, 2]),
    "earning_months": st.sampled_from([None, None, None, 1]),
    "least_amount": st.sampled_from([*[None] * 5, 100]),
    "condition": st.sampled_from([*[{}] * 4, {"plan": "pro"}]),
    "referral_cap": _CAP,
    "monthly_cap": _CAP,
    "member_cap": _CAP,
    "handed_over": OFTEN,
    "hold_days": st.sampled_from([0, 0, 0, 1, 10]),
    "unit": st.sampled_from([Unit.POINTS, Unit.MONEY]),
    "currency": st.just("USD"),
    "milestones": MILESTONES,
}).map(_of_both_sides)  # fmt: skip
HOURS = timedelta(hours=1)
SALE = st.fixed_dictionaries({
    "type": st.sampled_from([*["purchase"] * 6, "refund", "refund", "refund", "upgrade", "confirmed_address"]),
    "amount": st.sampled_from([100, 250, 333, 333, 1000, 99, 1, 0, None]),
    "currency": st.sampled_from([*["USD"] * 5, "EUR"]),
    "details": st.sampled_from([{"plan": "pro"}, {"plan": "pro"}, {}, {"plan": "free"}]),
    "after": st.sampled_from([timedelta(0), HOURS, 2 * HOURS, 3 * HOURS, -HOURS, -2 * DAY, 3 * DAY, 40 * DAY]),
    "of": st.none() | PICK,
    "by": st.sampled_from(["person", "person", "person", "both", "organization"]),
})  # fmt: skip
SALES = st.lists(SALE, min_size=1, max_size=5)
EARLY_RULES = st.one_of(PRESETS, RULES, LIVELY_RULES)
NOT_RULES = [
    {"referrer_amount": -1},
    {"currency": "XXX"},
    {"timezone": "Mars"},
    {"window_days": 0},
    {"hold_days": -3},
    {"tiers": []},
    {"milestones": [{"at": 0}]},
]
BAD_RULES = st.sampled_from(NOT_RULES)
