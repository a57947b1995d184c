"""What the credit of a range of days costs, for each friend that it won."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from referralhub.database import reading
from referralhub.models import Program, RewardEntry, RewardKind, Unit
from referralhub.services.growth.ranges import DateRange

KINDS = (
    RewardKind.REFERRER,
    RewardKind.FRIEND,
    RewardKind.MILESTONE,
    RewardKind.ADJUSTMENT,
    RewardKind.REVERSAL,
)


@dataclass(frozen=True)
class UnitCost:
    """What was credited in one unit, by kind; what was taken back is below zero.

    `cents` is what all of it costs, in US cents; none while nobody said what 1,000 of the unit cost.
    """

    unit: Unit
    by_kind: Mapping[RewardKind, int]
    cents: float | None

    @property
    def net(self) -> int:
        """What is left of it."""
        return sum(self.by_kind.values())


@dataclass(frozen=True)
class Costs:
    """All units, the friends whose referral was confirmed in the range, and what is set to compare with.

    `cents` is none while the cost of a unit in use is not known.
    """

    units: list[UnitCost]
    friends: int
    cents: float | None
    paid_customer_cost: int | None

    @property
    def per_friend(self) -> float | None:
        """What one confirmed friend cost, in US cents."""
        return self.cents / self.friends if self.cents is not None and self.friends else None


def read(days: DateRange, program: Program, friends: int) -> Costs:
    """Add up the ledger of a range by unit and kind; what members redeem was paid for when it was credited.

    `friends` is how many were confirmed in the range. One query.
    """
    rows = reading().execute(
        select(RewardEntry.unit, RewardEntry.kind, func.sum(RewardEntry.amount))
        .where(RewardEntry.created >= days.since, RewardEntry.created < days.until, RewardEntry.kind.in_(KINDS))
        .group_by(RewardEntry.unit, RewardEntry.kind)
    )
    sums: dict[Unit, dict[RewardKind, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for unit, kind, amount in rows:
        sums[unit][kind] = int(amount)
    units = [_unit_cost(unit, sums[unit], program) for unit in Unit if unit in sums]
    known = [each.cents for each in units if each.cents is not None]
    cents = sum(known) if len(known) == len(units) else None
    return Costs(units, friends, cents, program.paid_customer_cost)


def _unit_cost(unit: Unit, by_kind: Mapping[RewardKind, int], program: Program) -> UnitCost:
    net, cost = sum(by_kind.values()), program.thousand_units_cost
    if unit is Unit.US_CENTS:
        return UnitCost(unit, by_kind, net)
    return UnitCost(unit, by_kind, None if cost is None else net * cost / 1000)
