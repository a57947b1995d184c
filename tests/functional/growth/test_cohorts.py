"""Cohorts, K and its interval, and the cycle time, against figures that were worked out by hand."""

from datetime import date, datetime

import pytest

from referralhub.models import (
    ReferralState,
)
from referralhub.services.growth import cohorts, monthly, ranges
from referralhub.services.growth.cohorts import estimate
from referralhub.services.growth.ranges import DateRange
from tests.factories import befriend, member, members
from tests.growth import MARCH, NOW, cells, moment, row_of, table
from tests.people import Person


@pytest.fixture(autouse=True)
def june(clock) -> None:
    """Before anybody is there: who runs the program joined and signed in today."""
    clock.now = NOW


class TestCohorts:
    """Forty members join on 31 March. Ten of them bring a friend after 3 days, five bring two after 20."""

    @pytest.fixture(autouse=True)
    def _forty(self, app) -> None:
        # On the last day of March, so that their friends, who join in April, are no part of it.
        members(app, [f"member{number}" for number in range(40)], moment(3, 31))
        for number in range(10):
            befriend(app, f"member{number}", 1, moment(4, 3))
        for number in range(10, 15):
            befriend(app, f"member{number}", 2, moment(4, 20))

    def test_counts_and_means_within_each_window(self, admin: Person, app):
        befriend(app, "member0", 4, moment(4, 7))  # exactly 7 days
        befriend(app, "member0", 4, moment(4, 30, 1))  # an hour after 30 days
        befriend(app, "member0", 8, moment(6, 14))
        row = row_of(admin.get(f"/admin/{MARCH}"), "cohorts", "cohort", "Mar 2026")
        assert cells(row) == ["40", "14", "0.350", "24", "0.600", "36 so far", "0.900 so far"]
        (line,) = table(admin, "cohorts", MARCH)
        assert [line[f"friends_{days}_days"] for days in (7, 30, 90)] == ["14", "24", "36"]
        assert [line[f"complete_{days}_days"] for days in (7, 30, 90)] == ["yes", "yes", "no"]

    def test_k_with_its_interval(self, admin: Person):
        # Σx = 20 and Σx² = 10·1 + 5·4 = 30 for n = 40: x̄ = 0.5, s² = (30 - 40·0.25)/39, 1.96·√(s²/40) = 0.2219.
        row = row_of(admin.get(f"/admin/{MARCH}"), "k", "cohort", "Mar 2026")
        assert cells(row) == ["40", "0.500", "0.278–0.722", "0.500", "11.5"]
        (line, together) = table(admin, "k", MARCH)
        assert (line["k"], line["k_low"], line["k_high"]) == ("0.5", "0.2781", "0.7219")
        assert together["month"] == "complete months"
        assert together["k_low"] == line["k_low"]

    def test_the_cycle_time_is_the_mean_over_all_confirmed_friends(self, admin: Person, app):
        # Ten after 3 days, ten after 20, one after 61: (30 + 200 + 61) / 21 days.
        befriend(app, "member20", 1, moment(5, 31))
        befriend(app, "member20", 5, moment(4, 1), ReferralState.REJECTED)
        row = row_of(admin.get(f"/admin/{MARCH}"), "k", "cohort", "Mar 2026")
        assert cells(row)[-1] == "13.9"

    def test_what_is_not_confirmed_is_in_raw_k_only(self, admin: Person, app):
        others = [state for state in ReferralState if state is not ReferralState.CONFIRMED]
        for state in others:
            befriend(app, "member20", 8, moment(4, 5), state)
        page = admin.get(f"/admin/{MARCH}")
        row = row_of(page, "k", "cohort", "Mar 2026")
        assert cells(row)[1:3] == ["0.500", "0.278–0.722"]
        assert cells(row)[3] == f"{(20 + 8 * len(others)) / 40:.3f}"
        assert cells(row_of(page, "cohorts", "cohort", "Mar 2026"))[1].split()[0] == "10"

    def test_a_friend_who_may_yet_confirm_keeps_a_cell_open(self, admin: Person, app):
        befriend(app, "member20", 1, moment(4, 20), ReferralState.PENDING)
        page = admin.get(f"/admin/{MARCH}")
        week, month, _ = row_of(page, "cohorts", "cohort", "Mar 2026").all("[data-days]")
        assert "so far" not in week.text
        assert "so far" in month.text
        assert "open" in month["class"]
        assert "so far" in row_of(page, "k", "cohort", "Mar 2026").text
        assert page.one('[data-figure="k"]').text == "–"

    @pytest.mark.parametrize(
        ("now", "complete"),
        [
            (moment(4, 7, 23), [False, False, False]),
            (moment(4, 8), [True, False, False]),
            (moment(5, 1), [True, True, False]),
            (moment(6, 30), [True, True, True]),
        ],
    )
    def test_a_window_is_complete_when_it_is_over_for_who_joined_last(self, app, now: datetime, complete: list[bool]):
        with app.app_context():
            (cohort,) = cohorts.read(monthly.monthly(DateRange(date(2026, 3, 5), date(2026, 3, 6))), now).months
        assert [window.complete for window in cohort.windows] == complete
        assert cohort.complete == complete[1]

    def test_what_is_not_complete_is_never_shown_as_if_it_were(self, admin: Person):
        page = admin.get("/admin/")
        for section in ("k", "cohorts"):
            for row in page.one(f"#{section}").all("[data-cohort]"):
                for cell in row.all("td[class]"):
                    marked = "so far" in (row.one("th").text if section == "k" else cell.text)
                    assert ("open" in cell["class"].split()) == marked

    def test_the_newest_month_is_marked_in_the_table_of_signups_too(self, admin: Person):
        page = admin.get("/admin/")
        assert "so far" in row_of(page, "monthly", "month", "2026-06").text
        assert "so far" not in row_of(page, "monthly", "month", "2026-03").text

    def test_the_tile_compares_the_newest_month_that_is_final_with_the_one_before(self, admin: Person, app):
        # April's 20 members brought nobody; May's and June's have had no 30 days.
        tile = admin.get("/admin/").one('[data-figure="k"]')
        assert float(tile["data-value"]) == 0
        page = admin.get("/admin/")
        words = next(each.text for each in page.all("[data-tile]") if each.all('[data-figure="k"]'))
        march = float(row_of(page, "k", "cohort", "Mar 2026").all("td")[1].text.split()[0])
        assert f"April's members brought in 30 days, {march:.3f} in March" in words

    def test_three_queries_for_everything_about_cohorts(self, app, count_queries):
        with app.app_context(), count_queries() as statements:
            cohorts.read(monthly.monthly(ranges.usual(NOW)), NOW)
        assert len(statements) == 3, statements


class TestEstimate:
    def test_equal_counts_leave_no_doubt(self):
        found = estimate(members=100, friends=200, squares=400)
        assert (found.mean, found.low, found.high) == (2, 2, 2)

    def test_no_count_is_below_nothing(self):
        found = estimate(members=40, friends=10, squares=52)
        assert found.low == 0
        assert found.high == pytest.approx(0.5991, abs=1e-4)

    @pytest.mark.parametrize(("members", "friends"), [(1, 0), (1, 9), (29, 20), (1000, 0), (1000, 4)])
    def test_too_few_for_an_interval(self, members: int, friends: int):
        found = estimate(members, friends, friends**2)
        assert found.mean == friends / members
        assert found.low is None
        assert found.high is None

    def test_the_page_says_so(self, admin: Person, app):
        member(app, "alice", moment(3, 1))
        befriend(app, "alice", 2, moment(3, 2))
        page = admin.get(f"/admin/{MARCH}")
        assert cells(row_of(page, "k", "cohort", "Mar 2026"))[1:3] == ["0.667", "too few"]
        assert "too few members" in page.one("#k").text
