"""The rules in force and what follows from them without asking the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from referralhub.extensions import db
from referralhub.models import Program, Unit


@dataclass(frozen=True)
class Standing:
    """Where a number of confirmed referrals puts a member; `next_name` is None at the top."""

    tier: str
    floor: int
    next_name: str | None
    next_at: int
    remaining: int


def current() -> Program:
    """Give the highest version of the rules. One query."""
    return db.session.scalars(select(Program).order_by(Program.version.desc()).limit(1)).one()


def standing(tiers: Sequence[dict[str, Any]], referrals: int) -> Standing:
    """Find the tier for a count; `tiers` are those of a Program, lowest first."""
    reached = [tier for tier in tiers if tier["at"] <= referrals][-1]
    ahead = [tier for tier in tiers if tier["at"] > referrals]
    if not ahead:
        return Standing(reached["name"], reached["at"], None, reached["at"], 0)
    return Standing(reached["name"], reached["at"], ahead[0]["name"], ahead[0]["at"], ahead[0]["at"] - referrals)


def format_amount(amount: int, unit: Unit | str) -> str:
    """Write an amount in its unit: "10 points", "500 MB", "$20.00"."""
    match Unit(unit):
        case Unit.POINTS:
            return f"{amount:,} point{'' if abs(amount) == 1 else 's'}"
        case Unit.MEGABYTES:
            return f"{amount:,} MB"
        case Unit.US_CENTS:
            return f"{'-' if amount < 0 else ''}${abs(amount) / 100:,.2f}"
