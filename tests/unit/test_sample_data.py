"""Sample data: the article's months to the number, and nobody referred by somebody who came later."""

from datetime import UTC, datetime

import pytest

from referralhub.forms import USERNAME
from referralhub.services import sample_data
from referralhub.services.sample_data import Newcomer

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
CROWDS = {"article": sample_data.article, "demo": lambda: sample_data.demo(NOW)}


@pytest.fixture(params=CROWDS, scope="module")
def crowd(request: pytest.FixtureRequest) -> list[Newcomer]:
    return CROWDS[request.param]()


@pytest.mark.parametrize(("month", "organic", "referred"), [(1, 127, 43), (2, 298, 187), (3, 401, 573)])
def test_the_articles_months(month: int, organic: int, referred: int):
    members = [member for member in sample_data.article() if member.joined.month == month]
    assert all(member.joined.year == 2026 for member in members)
    assert sum(member.referrer is None for member in members) == organic
    assert sum(member.referrer is not None for member in members) == referred


def test_the_article_has_its_members_and_no_more():
    assert len(sample_data.article()) == 1629


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


def test_the_two_crowds_share_nobody():
    article, demo = ({member.username for member in make()} for make in CROWDS.values())
    assert not article & demo


@pytest.mark.parametrize("name", CROWDS)
def test_the_same_people_every_time(name: str):
    assert CROWDS[name]() == CROWDS[name]()


def test_nobody_in_the_demo_comes_from_the_future():
    assert all(member.joined <= NOW for member in sample_data.demo(NOW))
