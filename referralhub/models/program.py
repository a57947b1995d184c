"""The rules in force."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, String, case, type_coerce
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value

CONFIRMED_ADDRESS = "confirmed_address"  # what qualifies a referral where no event does


class Unit(StrEnum):
    """What a program counts rewards in."""

    POINTS = "points"
    MEGABYTES = "megabytes"
    MONEY = "money"


def unit_of_amounts() -> CheckConstraint:
    """Make the constraint of a column `unit`: points, megabytes, or the ISO 4217 code of a currency."""
    return CheckConstraint("unit IN ('points', 'megabytes') OR (length(unit) = 3 AND unit = upper(unit))", name="unit")


def ledger_unit(unit: Unit, currency: str) -> str:
    """Return how the ledger names the unit of a program's amounts: that of money is the currency's code."""
    return currency if unit is Unit.MONEY else unit.value


class Amount(NamedTuple):
    """A whole number of a unit: points, megabytes, or the smallest unit of the currency with that ISO 4217 code."""

    number: int
    unit: str


@dataclass(frozen=True)
class Terms:
    """What a version of the rules promises to both sides, and for what. Amounts are in `unit`."""

    unit: str
    currency: str
    referrer_amount: int
    friend_amount: int
    referrer_share: int  # in basis points
    friend_share: int
    qualifies_on: str
    least_amount: int | None
    condition: dict[str, Any]
    earning_events: int | None
    earning_months: int | None

    @property
    def by_event(self) -> bool:
        """Whether it takes an event of a product, and not a confirmed address."""
        return self.qualifies_on != CONFIRMED_ADDRESS


class Touch(StrEnum):
    """Which link counts when a friend followed several."""

    FIRST = "first"
    LAST = "last"


TERMS = tuple(each.name for each in fields(Terms))[1:]  # columns


class Program(Base):
    """One version of the rules; the highest version is in force. Rows are added, never changed."""

    __tablename__ = "program"
    __table_args__ = (
        CheckConstraint("referrer_amount >= 0 AND friend_amount >= 0", name="amounts"),
        CheckConstraint("late_code_days >= 0", name="late_code_days"),
        CheckConstraint("referrer_share BETWEEN 0 AND 10000 AND friend_share BETWEEN 0 AND 10000", name="shares"),
        CheckConstraint(
            "(referrer_share = 0 OR referrer_amount = 0) AND (friend_share = 0 OR friend_amount = 0)",
            name="amount_or_share",
        ),
        CheckConstraint("earning_events > 0 AND earning_months > 0", name="earning"),
        CheckConstraint("length(currency) = 3 AND currency = upper(currency)", name="currency"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(40))
    unit: Mapped[Unit] = mapped_column(stored_by_value(Unit, "unit"))
    currency: Mapped[str] = mapped_column(String(3))  # ISO 4217, of amounts of money and of the costs below
    referrer_amount: Mapped[int] = mapped_column(BigInteger)
    friend_amount: Mapped[int] = mapped_column(BigInteger)
    member_cap: Mapped[int | None] = mapped_column(BigInteger)  # most that one member can earn, in the unit
    window_days: Mapped[int]
    touch: Mapped[Touch] = mapped_column(stored_by_value(Touch, "touch"))
    hold_days: Mapped[int]
    tiers: Mapped[list[dict[str, Any]]] = mapped_column(Json)  # [{"name": "Silver", "at": 10}, …], lowest first
    milestones: Mapped[list[dict[str, Any]]] = mapped_column(Json)  # [{"at": 10, "bonus": 50}, …]
    timezone: Mapped[str] = mapped_column(String(64), server_default="UTC")  # IANA name: days begin at midnight there
    email_invitations: Mapped[bool] = mapped_column(default=False)
    personal_landing: Mapped[bool] = mapped_column(default=False)  # links lead to a page in the referrer's name
    late_code_days: Mapped[int] = mapped_column(default=14)  # after signing up, in which a code can still be entered
    # Where links lead: an address of the product's, to which the click goes along; none: our own signup page.
    destination: Mapped[str | None] = mapped_column(String(500))
    friend_coupon: Mapped[str | None] = mapped_column(String(80))  # of the shop, which gives a friend the offer there
    # What earns: the confirmed address, or each event of that type that is large enough and has these metadata.
    qualifies_on: Mapped[str] = mapped_column(String(40), default=CONFIRMED_ADDRESS)
    least_amount: Mapped[int | None] = mapped_column(BigInteger)  # of the event, in the smallest unit of `currency`
    condition: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)  # {"plan": "pro"}
    referrer_share: Mapped[int] = mapped_column(default=0)  # of the event's amount, in basis points, in its currency
    friend_share: Mapped[int] = mapped_column(default=0)
    earning_events: Mapped[int | None]  # how many of a friend's events earn; none: all of them
    earning_months: Mapped[int | None]  # after the friend's signup, in which they do; none: without end
    referral_cap: Mapped[int | None] = mapped_column(BigInteger)  # most that a referrer earns by one friend
    monthly_cap: Mapped[int | None] = mapped_column(BigInteger)  # and in one month of the program's time zone
    handed_over: Mapped[bool] = mapped_column(default=False)  # rewards leave the house: the product hands them over
    # What growth is compared with; no rule depends on these. In the smallest unit of the currency.
    paid_customer_cost: Mapped[int | None] = mapped_column(BigInteger)  # to win a customer by advertising
    thousand_units_cost: Mapped[int | None] = mapped_column(BigInteger)  # of 1,000 points or megabytes, to the business
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def terms(self) -> Terms:
        """What it promises."""
        return Terms(self.ledger_unit, *(getattr(self, name) for name in TERMS))

    @hybrid_property
    def ledger_unit(self) -> str:
        """The unit of its amounts as the ledger names it."""
        return ledger_unit(self.unit, self.currency)

    @ledger_unit.inplace.expression
    @classmethod
    def _ledger_unit(cls) -> ColumnElement[str]:
        return case((cls.unit == Unit.MONEY, cls.currency), else_=type_coerce(cls.unit, String))
