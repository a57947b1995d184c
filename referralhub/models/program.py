"""The rules in force."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value


class Unit(StrEnum):
    """What amounts count. Always whole numbers, so dollars are kept in cents."""

    POINTS = "points"
    MEGABYTES = "megabytes"
    US_CENTS = "us_cents"


class Amount(NamedTuple):
    """A whole number of a unit."""

    number: int
    unit: Unit


class Touch(StrEnum):
    """Which link counts when a friend followed several."""

    FIRST = "first"
    LAST = "last"


class Program(Base):
    """One version of the rules; the highest version is in force. Rows are added, never changed."""

    __tablename__ = "program"
    __table_args__ = (CheckConstraint("referrer_amount >= 0 AND friend_amount >= 0", name="amounts"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(40))
    unit: Mapped[Unit] = mapped_column(stored_by_value(Unit, "unit"))
    referrer_amount: Mapped[int]
    friend_amount: Mapped[int]
    member_cap: Mapped[int | None]  # most that one member can earn, in the unit
    window_days: Mapped[int]
    touch: Mapped[Touch] = mapped_column(stored_by_value(Touch, "touch"))
    hold_days: Mapped[int]
    tiers: Mapped[list[dict[str, Any]]] = mapped_column(Json)  # [{"name": "Silver", "at": 10}, …], lowest first
    milestones: Mapped[list[dict[str, Any]]] = mapped_column(Json)  # [{"at": 10, "bonus": 50}, …]
    email_invitations: Mapped[bool] = mapped_column(default=False)
    personal_landing: Mapped[bool] = mapped_column(default=False)  # the signup page speaks in the referrer's name
    # What growth is compared with; no rule depends on these. In US cents.
    paid_customer_cost: Mapped[int | None]  # what it costs to win a customer by advertising
    thousand_units_cost: Mapped[int | None]  # what 1,000 points or megabytes cost the business
    created: Mapped[datetime] = mapped_column(UtcDateTime)
