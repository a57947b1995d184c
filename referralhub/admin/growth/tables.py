"""The tables of the growth page as rows for a spreadsheet."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from referralhub.services.growth import cohorts, costs, funnel, monthly, referrers
from referralhub.services.growth.cohorts import WINDOWS, Cohort
from referralhub.services.growth.ranges import DateRange
from referralhub.services.program import rules

Rows = tuple[Sequence[str], Iterable[Sequence[Any]]]


class Table(StrEnum):
    """What can be taken away; the value is the name in the address."""

    MONTHLY = "monthly"
    FUNNEL = "funnel"
    COHORTS = "cohorts"
    K = "k"
    REFERRERS = "referrers"
    COSTS = "costs"


def rows(table: Table, days: DateRange, now: datetime) -> Rows:
    """Read one table's header and rows. Shares and rates are fractions of 1; what is not known is empty."""
    return _READERS[table](days, now)


def _monthly(days: DateRange, now: datetime) -> Rows:
    return monthly.FIGURES, [month.figures() for month in monthly.monthly(days, now.date())]


def _funnel(days: DateRange, now: datetime) -> Rows:
    found = funnel.read(days, now)
    named = [(channel.value, stages) for channel, stages in found.channels.items()]
    return ("channel", "visitors", "signups", "signups_per_visitor", "verified", "confirmed"), [
        (
            name, stages.visitors, stages.signups, _rounded(stages.signups_per_visitor), stages.verified,
            stages.confirmed,
        )
        for name, stages in (*named, ("all", found.total))
    ]  # fmt: skip


def _cohorts(days: DateRange, now: datetime) -> Rows:
    header = ["month", "members"]
    for window in WINDOWS:
        header += [f"friends_{window}_days", f"per_member_{window}_days", f"complete_{window}_days"]
    found = cohorts.read(monthly.monthly(days, now.date()), now)
    return header, [
        [f"{cohort.month:%Y-%m}", cohort.members, *_windows(cohort)] for cohort in found.months
    ]  # fmt: skip


def _windows(cohort: Cohort) -> Iterator[Any]:
    for window in cohort.windows:
        yield from (window.friends, _rounded(window.per_member), _yes_or_no(window.complete))


def _k(days: DateRange, now: datetime) -> Rows:
    found = cohorts.read(monthly.monthly(days, now.date()), now)
    named = [(f"{cohort.month:%Y-%m}", cohort) for cohort in found.months]
    named += [("complete months", found.together)] if found.together else []
    return ("month", "members", "k", "k_low", "k_high", "raw_k", "cycle_days", "complete"), [
        (
            name, cohort.members, _rounded(cohort.k.mean), _rounded(cohort.k.low), _rounded(cohort.k.high),
            _rounded(cohort.raw_k), _rounded(cohort.cycle_days, 2), _yes_or_no(cohort.complete),
        )
        for name, cohort in named
    ]  # fmt: skip


def _referrers(days: DateRange, now: datetime) -> Rows:
    found = referrers.top(days, referrers.count_confirmed(days))
    return ("rank", "member", "confirmed_friends", "share_of_all"), [
        (rank, each.name, each.friends, _rounded(each.share)) for rank, each in enumerate(found, 1)
    ]


def _costs(days: DateRange, now: datetime) -> Rows:
    found = costs.read(days, rules.current(), referrers.count_confirmed(days))
    return ("unit", *(kind.value for kind in costs.KINDS), "net", "currency", "cost"), [
        (each.unit, *(each.by_kind[kind] for kind in costs.KINDS), each.net, found.currency, _rounded(each.cost, 2))
        for each in found.units
    ]


_READERS: dict[Table, Callable[[DateRange, datetime], Rows]] = {
    Table.MONTHLY: _monthly,
    Table.FUNNEL: _funnel,
    Table.COHORTS: _cohorts,
    Table.K: _k,
    Table.REFERRERS: _referrers,
    Table.COSTS: _costs,
}


def _rounded(figure: float | None, digits: int = 4) -> float | str:
    return "" if figure is None else round(figure, digits)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
