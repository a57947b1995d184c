"""Perks: what is in the catalogue, the coupons behind it, and what was claimed."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, query_expression, relationship

from referralhub.models.base import Base, UtcDateTime, stored_by_value
from referralhub.models.profile import Profile
from referralhub.models.program import unit_of_amounts


class Fulfilment(StrEnum):
    """How a member gets it."""

    BY_HAND = "by_hand"
    COUPON = "coupon"


class Perk(Base):
    """Something to claim: bought at a price, or unlocked once by a number of confirmed referrals."""

    __tablename__ = "perk"
    __table_args__ = (
        CheckConstraint("(price IS NULL) <> (unlocked_at IS NULL)", name="bought_or_unlocked"),
        CheckConstraint("price > 0", name="price"),
        unit_of_amounts(),
        CheckConstraint("stock >= 0", name="stock"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str] = mapped_column(String(500), default="")
    price: Mapped[int | None] = mapped_column(BigInteger)  # in `unit`
    unit: Mapped[str] = mapped_column(String(24))  # points, megabytes, or the ISO 4217 code of a currency
    unlocked_at: Mapped[int | None]  # confirmed referrals
    stock: Mapped[int | None]  # how many are left; none: no limit. Coupons are their own stock
    fulfilment: Mapped[Fulfilment] = mapped_column(stored_by_value(Fulfilment, "fulfilment"))
    is_active: Mapped[bool] = mapped_column(default=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    # No columns: counted along by a query that asks for them (`services/perks/catalogue.py`), else none.
    left: Mapped[int | None] = query_expression()
    claimed: Mapped[int | None] = query_expression()


class Redemption(Base):
    """One perk claimed. `key` is drawn by the form, or names member and perk where one is all: a repeat finds it."""

    __tablename__ = "redemption"
    __table_args__ = (UniqueConstraint("profile_id", "key"), Index("ix_redemption_profile_id_id", "profile_id", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    perk_id: Mapped[int] = mapped_column(ForeignKey("perk.id"), index=True)
    key: Mapped[str] = mapped_column(String(64))
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("reward_entry.id"), unique=True)
    fulfilled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    perk: Mapped[Perk] = relationship(lazy="raise_on_sql", viewonly=True)
    profile: Mapped[Profile] = relationship(lazy="raise_on_sql", viewonly=True)


class Coupon(Base):
    """One code of a perk's pool; it goes to one redemption at most."""

    __tablename__ = "coupon"
    __table_args__ = (
        UniqueConstraint("perk_id", "code"),
        Index(
            "ix_coupon_free",
            "perk_id",
            "id",
            sqlite_where=text("redemption_id IS NULL"),
            postgresql_where=text("redemption_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    perk_id: Mapped[int] = mapped_column(ForeignKey("perk.id"))
    code: Mapped[str] = mapped_column(String(80))
    redemption_id: Mapped[int | None] = mapped_column(ForeignKey("redemption.id"), unique=True)
