"""What the credit of a range of days costs, for each friend that it won."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from referralhub.database import reading
from referralhub.models import Program, RewardEntry, RewardKind
from referralhub.services.growth.ranges import DateRange
from referralhub.services.shared.currencies import THINGS, is_money

KINDS = (
    RewardKind.REFERRER,
    RewardKind.FRIEND,
    RewardKind.MILESTONE,
    RewardKind.ADJUSTMENT,
    RewardKind.REVERSAL,
    RewardKind.REFUND,
)


@dataclass(frozen=True)
class UnitCost:
    """What was credited in one unit, by kind; what was taken back is below zero.

    `cost` is what all of it costs, in the smallest unit of the program's currency; none while nobody said what 1,000 of
    the unit cost, and for other currencies, whose rates nobody says.
    """

    unit: str
    by_kind: Mapping[RewardKind, int]
    cost: float | None

    @property
    def net(self) -> int:
        """What is left of it."""
        return sum(self.by_kind.values())


@dataclass(frozen=True)
class Costs:
    """All units, the friends whose referral was confirmed in the range, and what is set to compare with.

    `cost` is none while the cost of a unit in use is not known; costs are in the smallest unit of `currency`.
    """

    units: list[UnitCost]
    friends: int
    currency: str
    cost: float | None
    paid_customer_cost: int | None

    @property
    def per_friend(self) -> float | None:
        """What one confirmed friend cost."""
        return self.cost / self.friends if self.cost is not None and self.friends else None

    @property
    def foreign(self) -> list[str]:
        """The other currencies that were credited: an earlier program's, or given by hand."""
        return [each.unit for each in self.units if is_money(each.unit) and each.unit != self.currency]


def read(days: DateRange, program: Program, friends: int) -> Costs:
    """Add up the ledger of a range by unit and kind; what leaves the house was paid for when it was credited.

    `friends` is how many were confirmed in the range. One query.
    """
    rows = reading().execute(
        select(RewardEntry.unit, RewardEntry.kind, func.sum(RewardEntry.amount))
        .where(RewardEntry.created >= days.since, RewardEntry.created < days.until, RewardEntry.kind.in_(KINDS))
        .group_by(RewardEntry.unit, RewardEntry.kind)
    )
    sums: dict[str, dict[RewardKind, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for unit, kind, amount in rows:
        sums[unit][kind] = int(amount)
    things_first = sorted(sums, key=lambda unit: (is_money(unit), THINGS.index(unit) if unit in THINGS else unit))
    units = [_unit_cost(unit, sums[unit], program) for unit in things_first]
    known = [each.cost for each in units if each.cost is not None]
    cost = sum(known) if len(known) == len(units) else None
    return Costs(units, friends, program.currency, cost, program.paid_customer_cost)


def _unit_cost(unit: str, by_kind: Mapping[RewardKind, int], program: Program) -> UnitCost:
    net, cost = sum(by_kind.values()), program.thousand_units_cost
    if is_money(unit):
        return UnitCost(unit, by_kind, net if unit == program.currency else None)
    return UnitCost(unit, by_kind, None if cost is None else net * cost / 1000)
