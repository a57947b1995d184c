"""Members by the month in which they joined, and how many friends they brought in their first days.

K, the viral coefficient, is the number of friends that a member brings: above 1, a program grows by itself.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from statistics import NormalDist
from typing import Any

from sqlalchemy import Select, Subquery, case, func, select

from referralhub.database import reading
from referralhub.models import Profile, Referral, ReferralState
from referralhub.services.growth.monthly import Month
from referralhub.services.growth.ranges import DateRange, local_day, seconds_between
from referralhub.services.shared.calendar import midnight, next_month, zone_of

WINDOWS = (7, 30, 90)  # days after joining
K_WINDOW = 30
LATER = 10_000  # stands for a window that all the others are within
WAITING = (ReferralState.PENDING, ReferralState.HELD)
DAY = 24 * 3600
CONFIDENCE = 0.95
LEAST_MEMBERS, LEAST_FRIENDS = 30, 5  # for an interval; with fewer it would claim to know what nobody can


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval; no interval where there are too few members or friends for one."""

    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Window:
    """Confirmed friends who joined within so many days of a cohort's member.

    It is complete when the days are over for all of the cohort and no friend's referral waits, for the
    address to be confirmed or to be reviewed.
    """

    days: int
    friends: int
    per_member: float
    complete: bool


@dataclass(frozen=True)
class Cohort:
    """The members who joined in one month (`month` is its first day), or in several.

    `raw_k` counts every friend who signed up, whatever became of it, and `k` only those who are confirmed: it leaves
    out what was rejected, taken back, expired, or is still in review. `cycle_days` is the mean time from a member's
    joining to a confirmed friend's; none without friends.
    """

    month: date
    members: int
    windows: tuple[Window, ...]
    raw_k: float
    k: Estimate
    cycle_days: float | None

    @property
    def complete(self) -> bool:
        """Whether K is final."""
        return next(window.complete for window in self.windows if window.days == K_WINDOW)


@dataclass(frozen=True)
class Cohorts:
    """The cohorts of a range, and all whose K is complete taken together; none when there is none yet."""

    months: list[Cohort]
    together: Cohort | None


def read(months: Sequence[Month], now: datetime) -> Cohorts:
    """Count what the members who joined in these months brought, up to now; none without members. Two queries.

    `now` and the months are in the program's time zone.
    """
    sums = {month.start: Counter(members=month.signups) for month in months if month.signups}
    if not sums:
        return Cohorts([], None)
    days = DateRange(months[0].start, months[-1].start, zone_of(now)).whole_months
    for day, state, window, friends, seconds in reading().execute(_brought(days)):
        sums[day.replace(day=1)].update(_named(state, window, friends, round(seconds)))
    for day, squares in reading().execute(_squares(days)):
        sums[day.replace(day=1)].update(squares=int(squares))
    cohorts = [_cohort(month, month, sums[month], now) for month in sums]
    final = [cohort.month for cohort in cohorts if cohort.complete]
    if not final:
        return Cohorts(cohorts, None)
    return Cohorts(cohorts, _cohort(final[0], final[-1], sum((sums[month] for month in final), Counter()), now))


def estimate(members: int, friends: int, squares: int) -> Estimate:
    """Estimate a mean count per member from the number of members, the sum of their counts, and that of the squares.

    The interval is x̄ ± z·s/√n with the sample variance s² = (Σx² - n·x̄²)/(n - 1) and z = 1.96, the normal
    approximation (NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.5.2, where Student's t, which is nearly
    the same from 30 members on, stands for z). Counts of friends are far from normal: a few members bring most. With
    many members the mean is nearly so all the same, by the central limit theorem; with fewer than 30, or fewer than 5
    friends in all, it is not, and there is no interval. It never goes below 0, as no count does.
    """
    mean = friends / members
    if members < LEAST_MEMBERS or friends < LEAST_FRIENDS:
        return Estimate(mean)
    variance = (squares - members * mean**2) / (members - 1)
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(variance / members)
    return Estimate(mean, max(0.0, mean - reach), mean + reach)


def _cohort(first: date, last: date, sums: Counter[str], now: datetime) -> Cohort:
    """Make a cohort of the sums of one month, or of those from the first to the last."""
    members, newest = sums["members"], midnight(next_month(last), zone_of(now))
    windows = tuple(
        Window(
            days=days,
            friends=sums[f"confirmed_{days}"],
            per_member=sums[f"confirmed_{days}"] / members,
            complete=newest + timedelta(days=days) <= now and not sums[f"waiting_{days}"],
        )
        for days in WINDOWS
    )
    ever = sums["confirmed"]
    return Cohort(
        month=first,
        members=members,
        windows=windows,
        raw_k=sums["raw"] / members,
        k=estimate(members, sums[f"confirmed_{K_WINDOW}"], sums["squares"]),
        cycle_days=sums["seconds"] / ever / DAY if ever else None,
    )


def _brought(months: DateRange) -> Select[*tuple[Any, ...]]:
    """Count what members brought by their day of joining, the state, and the shortest window that it fell into.

    Few counts that are added up here take a third of the time of many that each row is asked for.
    """
    joined = _joined_in(months)
    friends = (
        select(
            local_day(joined.c.created, months).label("day"),
            Referral.state,
            seconds_between(joined.c.created, Referral.created).label("age"),
        )
        .join(joined, joined.c.id == Referral.referrer_id)
        .offset(0)  # so that PostgreSQL works out each day and age once, and guesses few of them
        .subquery()
    )
    window = case(*((friends.c.age <= days * DAY, days) for days in WINDOWS), else_=LATER).label("window")
    counts = func.count().label("friends"), func.sum(friends.c.age).label("seconds")
    return select(friends.c.day, friends.c.state, window, *counts).group_by(friends.c.day, friends.c.state, window)


def _squares(months: DateRange) -> Select[*tuple[Any, ...]]:
    """Add up by day of joining the squares of what each member brought within K's window."""
    joined = _joined_in(months)
    each = (
        select(func.max(joined.c.created).label("joined"), func.count().label("n"))
        .join(Referral, Referral.referrer_id == joined.c.id)
        .where(
            Referral.state == ReferralState.CONFIRMED,
            seconds_between(joined.c.created, Referral.created) <= K_WINDOW * DAY,
        )
        .group_by(joined.c.id)
        .subquery()
    )
    day = local_day(each.c.joined, months).label("day")
    return select(day, func.sum(each.c.n * each.c.n).label("squares")).group_by(day)


def _named(state: ReferralState, within: int, friends: int, seconds: int) -> dict[str, int]:
    """Return what these friends add to the sums of their referrers' month; `within` is the shortest window."""
    found = {"raw": friends} if within <= K_WINDOW else {}
    if state is ReferralState.CONFIRMED:
        found |= {"confirmed": friends, "seconds": seconds}
        found |= {f"confirmed_{days}": friends for days in WINDOWS if within <= days}
    elif state in WAITING:
        found |= {f"waiting_{days}": friends for days in WINDOWS if within <= days}
    return found


def _joined_in(months: DateRange) -> Subquery:
    """Find who joined in these months, and when, in an order in which an index has both, and another their friends.

    So they are put together as they come: else PostgreSQL reads all rows of both tables, which are twice as much.
    """
    members = select(Profile.id, Profile.created).where(Profile.created >= months.since, Profile.created < months.until)
    return members.order_by(Profile.id).offset(0).subquery()
