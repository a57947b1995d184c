"""Where the people of a network are drawn: in order, apart from each other, and below whoever brought them."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralhub.dashboard.network_picture import BESIDE_REST, ROOM_BESIDE_REST, WIDEST, lay_out
from referralhub.services.referrals.network import DOTS, Count, Dot, Generation, Overview

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def overview(parents: list[list[int]], more: list[int]) -> Overview:
    """Make a network of rows, each the places of those above in the row before; `more` are those who are not drawn."""
    rows = [[Dot(place, above, "") for place, above in enumerate(row)] for row in parents]
    counts = [
        Generation(number, len(row) + rest, 0) for number, (row, rest) in enumerate(zip(rows, more, strict=True), 1)
    ]
    return Overview(Count(NOW, counts), rows)


@st.composite
def networks(draw: st.DrawFn) -> Overview:
    parents, more, above = [], [], 1
    for _ in range(draw(st.integers(1, 5))):
        row = draw(st.lists(st.integers(0, above - 1), min_size=1, max_size=DOTS).map(sorted))
        parents.append(row)
        more.append(draw(st.sampled_from([0, 1, 2300])))
        above = len(row)
    return overview(parents, more)


@given(networks())
def test_nobody_stands_on_somebody_else_or_off_the_picture(network: Overview):
    for generation, row in zip(network.count.generations, lay_out(network), strict=True):
        places = [spot.x for spot in row.spots]
        room = 100 if row.more == 0 else ROOM_BESIDE_REST
        apart = min(room / max(len(places), 1), WIDEST)
        assert all(right - left >= apart - 0.1 for left, right in pairwise(places))
        assert all(0 < x < room for x in places)
        assert len(places) + row.more == generation.members
        assert len(places) <= (BESIDE_REST if row.more else DOTS)


def test_the_articles_example_is_a_tree_with_two_equal_halves():
    rows = lay_out(
        overview([[0], [0, 0], [0, 0, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3], [each // 2 for each in range(16)]], [0] * 5)
    )
    assert [spot.x for spot in rows[0].spots] == [50]
    for row in rows:
        places = [spot.x for spot in row.spots]
        assert [100 - x for x in reversed(places)] == pytest.approx(places, abs=0.1)
    assert [row.size for row in rows] == ["few", "few", "few", "some", "many"]


def test_friends_stand_below_whoever_brought_them():
    rows = lay_out(overview([[0, 0, 0], [1, 1]], [0, 0]))
    left, middle, right = (spot.x for spot in rows[0].spots)
    first, second = (spot.x for spot in rows[1].spots)
    assert left < first < middle < second < right
    assert (first + second) / 2 == pytest.approx(middle)
    assert {spot.above for spot in rows[1].spots} == {middle}


def test_who_is_below_somebody_that_is_not_drawn_is_one_of_the_rest():
    rows = lay_out(overview([[0] * DOTS, list(range(DOTS))], [1, 0]))
    assert [(len(row.spots), row.more) for row in rows] == [(BESIDE_REST, 5), (BESIDE_REST, 4)]
