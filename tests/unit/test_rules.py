"""The program's rules that need no database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from referralhub.models import NO_PASSWORD, Channel
from referralhub.services.accounts import passwords
from referralhub.services.growth.monthly import Month
from referralhub.services.ledger.ranking import Period
from referralhub.services.program.rules import standing
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import codes
from referralhub.services.shared.errors import WeakPassword
from referralhub.words.amounts import format_amount

TIERS = [
    {"name": "Bronze", "at": 0},
    {"name": "Silver", "at": 10},
    {"name": "Gold", "at": 50},
    {"name": "Diamond", "at": 100},
]


@pytest.mark.parametrize(
    ("referrals", "tier", "next_name", "remaining"),
    [
        (0, "Bronze", "Silver", 10), (9, "Bronze", "Silver", 1), (10, "Silver", "Gold", 40), (49, "Silver", "Gold", 1),
        (50, "Gold", "Diamond", 50), (99, "Gold", "Diamond", 1), (100, "Diamond", None, 0), (10**6, "Diamond", None, 0),
    ],
)  # fmt: skip
def test_tiers(referrals: int, tier: str, next_name: str | None, remaining: int):
    found = standing(TIERS, referrals)
    assert (found.tier, found.next_name, found.remaining) == (tier, next_name, remaining)


@given(st.integers(0, 1000))
def test_progress_never_leaves_its_bar(referrals: int):
    found = standing(TIERS, referrals)
    assert found.floor <= referrals
    if found.next_name:
        assert found.floor <= referrals < found.next_at
        assert referrals + found.remaining == found.next_at


@pytest.mark.parametrize(
    ("amount", "unit", "written"),
    [
        (0, "points", "0 points"), (1, "points", "1 point"), (-1, "points", "-1 point"), (10, "points", "10 points"),
        (1234567, "points", "1,234,567 points"), (500, "megabytes", "500 MB"), (16000, "megabytes", "16,000 MB"),
        (2000, "USD", "$20.00"), (5, "USD", "$0.05"), (-150, "USD", "-$1.50"),
        (123456, "USD", "$1,234.56"),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(amount: int, unit: str, written: str):
    assert format_amount(amount, unit) == written


@pytest.mark.parametrize(
    ("organic", "referred", "rate", "share"),
    [(127, 43, "0.34", "25.3%"), (298, 187, "0.63", "38.6%"), (401, 573, "1.43", "58.8%")],
)
def test_growth_figures_are_the_articles(organic: int, referred: int, rate: str, share: str):
    month = Month(2026, 1, organic, referred, 0)
    assert f"{month.referred_per_organic:.2f}" == rate
    assert f"{month.share_referred:.1%}" == share


def test_a_month_without_organic_signups_has_no_rate():
    assert Month(2026, 1, 0, 5, 5).referred_per_organic is None
    assert Month(2026, 1, 0, 5, 5).share_referred == 1
    assert Month(2026, 1, 0, 0, 5).share_referred is None


@pytest.mark.parametrize(
    ("now", "month", "week"),
    [
        (
            datetime(2026, 5, 20, 12, 30, tzinfo=UTC),
            datetime(2026, 5, 1, tzinfo=UTC),
            datetime(2026, 5, 18, tzinfo=UTC),
        ),
        (datetime(2026, 6, 1, 0, 0, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, 9, 0, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 12, 29, tzinfo=UTC)),
        (datetime(2024, 3, 3, 23, 59, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 2, 26, tzinfo=UTC)),
    ],
)
def test_months_begin_on_the_first_and_weeks_on_monday(now: datetime, month: datetime, week: datetime):
    assert Period.ALL.start(now) is None
    assert Period.MONTH.start(now) == month
    assert Period.WEEK.start(now) == week


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_week_has_begun_at_most_seven_days_ago(now: datetime):
    assume(now.year > 1)
    start = Period.WEEK.start(now)
    assert start.weekday() == 0
    assert timedelta(0) <= now - start < timedelta(days=7)


def test_codes_are_eight_of_thirty_six_and_hardly_ever_the_same():
    drawn = [codes.new_code() for _ in range(5000)]
    assert all(len(code) == 8 for code in drawn)
    assert set("".join(drawn)) == set("abcdefghijklmnopqrstuvwxyz0123456789")
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password1",
        "12345678",
        "qwertyui",
        "aaaaaaaa",
        "abababab",
        "short",
        "x" * 129,
        "alice",
        "Alice123",
        "alice2026!",
        "#Alice1234",
        "alice@example.com1",
        "ReferralHub",
        "referralhub2026",
        "Referral!1",
    ],
)
def test_guessable_passwords_are_refused(password: str):
    with pytest.raises(WeakPassword):
        passwords.accept(password, "alice123", "alice@example.com")


@pytest.mark.parametrize(
    "password", ["correct horse battery", "пароль для меня", "💥🎈🎉🎁💥🎈🎉🎁", " spaces count ", "x1y2z3w4"]
)
def test_a_good_password_needs_no_special_letters(password: str):
    passwords.accept(password, "alice", "alice@example.com")
    assert passwords.matches(passwords.hash_password(password), password)


@pytest.mark.parametrize("kept", [None, NO_PASSWORD, "", "plain text", "$argon2id$broken"])
def test_no_password_opens_an_account_without_one(kept: str | None):
    assert not passwords.matches(kept, "anything")
    assert not passwords.matches(kept, NO_PASSWORD)


def test_a_hash_that_another_implementation_made_is_understood():
    """The reference's own test has this one, and argon2-cffi, which was here before, is the reference."""
    kept = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    assert passwords.matches(kept, "password")
    assert not passwords.matches(kept, "Password")


def test_an_attribution_cannot_be_changed():
    kept = FollowedLink("abcd1234", Channel.LINK, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(AttributeError):
        kept.code = "other123"
