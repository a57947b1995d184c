"""Sample data: the article's months to the number, and nobody referred by somebody who came later."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from referralhub.forms import USERNAME
from referralhub.models import ReferralState
from referralhub.services.fraud import assessment
from referralhub.services.fraud.assessment import Verdict
from referralhub.services.sample import article, bulk, demo, fraud_cases
from referralhub.services.sample.people import Newcomer

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
POPULATIONS = {
    "article": article.members,
    "demo": lambda: demo.members(NOW),
    "bulk": lambda: bulk.large(3000, NOW),
}


@pytest.fixture(params=POPULATIONS, scope="module")
def crowd(request: pytest.FixtureRequest) -> list[Newcomer]:
    return POPULATIONS[request.param]()


@pytest.mark.parametrize(("month", "organic", "referred"), [(1, 127, 43), (2, 298, 187), (3, 401, 573)])
def test_the_articles_months(month: int, organic: int, referred: int):
    members = [member for member in article.members() if member.joined.month == month]
    assert all(member.joined.year == 2026 for member in members)
    assert sum(member.referrer is None for member in members) == organic
    assert sum(member.referrer is not None for member in members) == referred


def test_the_article_has_its_members_and_no_more():
    assert len(article.members()) == 1629


def test_every_referrer_joined_before(crowd: list[Newcomer]):
    for position, member in enumerate(crowd):
        if member.referrer is not None:
            assert member.referrer < position
            assert crowd[member.referrer].joined <= member.joined


def test_members_come_in_the_order_in_which_they_joined(crowd: list[Newcomer]):
    moments = [member.joined for member in crowd]
    assert moments == sorted(moments)


def test_names_are_unique_and_could_have_signed_up(crowd: list[Newcomer]):
    names = [member.username for member in crowd]
    assert len({name.lower() for name in names}) == len(names)
    assert all(USERNAME.match(name) and 2 <= len(name) <= 30 for name in names)


def test_the_crowds_share_nobody():
    names = [member.username for make in POPULATIONS.values() for member in make()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", POPULATIONS)
def test_the_same_people_every_time(name: str):
    assert POPULATIONS[name]() == POPULATIONS[name]()


def test_nobody_in_the_demo_comes_from_the_future():
    assert all(member.joined <= NOW for member in demo.members(NOW))


class TestBulk:
    def test_there_are_enough_names_for_any_number(self):
        names = [member.username for member in bulk.large(30_000, NOW)]
        assert len(set(names)) == 30_000
        assert all(USERNAME.match(name) and 3 <= len(name) <= 30 for name in names)

    @pytest.mark.parametrize("number", [1, 2, 3, 10, 50])
    def test_small_numbers_are_possible(self, number: int):
        members = bulk.large(number, NOW)
        assert len(members) == number
        assert members[0].referrer is None

    def test_the_first_one_is_the_same_in_any_number(self):
        assert len({bulk.large(number, NOW)[0].username for number in (1, 40, 2000)}) == 1

    def test_few_bring_many(self):
        brought = Counter(member.referrer for member in POPULATIONS["bulk"]() if member.referrer is not None)
        counts = sorted(brought.values(), reverse=True)
        assert counts[0] >= 20
        assert sum(counts[: len(counts) // 5]) > sum(counts) / 2
        assert Counter(counts)[1] > len(counts) / 3

    def test_they_joined_within_a_year_and_more_each_month(self):
        joined = [member.joined for member in POPULATIONS["bulk"]()]
        assert timedelta(days=330) < NOW - joined[0] <= timedelta(days=366)
        assert joined[-1] <= NOW
        half = NOW - timedelta(days=182)
        assert sum(moment > half for moment in joined) > 1.5 * sum(moment <= half for moment in joined)

    def test_most_referrals_are_confirmed_and_there_is_some_of_each_state(self):
        members = [member for member in POPULATIONS["bulk"]() if member.referrer is not None]
        states = Counter(member.state for member in members)
        assert set(states) == set(ReferralState)
        assert states[ReferralState.CONFIRMED] > 0.8 * len(members)
        assert states[ReferralState.HELD] == round(0.01 * len(members))

    def test_every_state_fits_the_time(self):
        month = timedelta(days=30)
        for member in POPULATIONS["bulk"]():
            assert member.verified_at is None or member.verified_at <= NOW
            assert member.decided_at is None or member.verified_at < member.decided_at <= NOW
            match member.state:
                case ReferralState.PENDING:
                    assert NOW - member.joined < month
                case ReferralState.EXPIRED:
                    assert NOW - member.joined >= month
                case ReferralState.HELD:  # or the worker would release it
                    assert NOW - member.verified_at < month

    def test_the_rules_said_so(self):
        for member in POPULATIONS["bulk"]():
            verdict = member.assessment and Verdict(member.assessment["verdict"])
            if member.state in {ReferralState.HELD, ReferralState.REJECTED}:
                assert verdict is not Verdict.CLEAR
            elif member.state in {ReferralState.CONFIRMED, ReferralState.REVERSED} and member.referrer is not None:
                assert verdict is Verdict.CLEAR

    def test_each_suspicion_is_enough_to_be_held_and_they_differ(self):
        members = POPULATIONS["bulk"]()
        friends = [member for member in members if member.referrer is not None][:200]
        verdicts = set()
        for suspicion in fraud_cases.SUSPICIONS:
            for friend in friends:
                facts = fraud_cases.ordinary(friend, members[friend.referrer])
                assert assessment.assess(facts).verdict is Verdict.CLEAR
                verdicts.add(assessment.assess(suspicion(facts)).verdict)
        assert verdicts == {Verdict.REVIEW, Verdict.LIKELY_FRAUD, Verdict.INCOMPLETE}
