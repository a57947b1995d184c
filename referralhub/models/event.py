"""What the product tells of its customers, and what of it earns."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value

UNUSED = text("state IN ('kept', 'refused')")
NullableJson = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class CustomerKind(StrEnum):
    """Whom the product means by a number."""

    PERSON = "person"
    ORGANIZATION = "organization"


class EventCustomer(Base):
    """Whom events are about, by the product's own number, and through which referral they came, once that is known.

    Who takes in events locks these rows first, in the order of their ids, so that of a signup and a purchase that come
    at once, one sees the other.
    """

    __tablename__ = "event_customer"
    __table_args__ = (UniqueConstraint("kind", "external_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[CustomerKind] = mapped_column(stored_by_value(CustomerKind, "kind"))
    external_id: Mapped[str] = mapped_column(String(255))
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"), index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class EventState(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    KEPT = "kept"  # it cannot be used yet; it will be once what is missing has come
    REFUSED = "refused"  # it never can


class Event(Base):
    """One thing that a customer did. What a product sends again under the same number is not a second one."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("product", "own_id"),
        CheckConstraint("customer_id IS NOT NULL OR organization_id IS NOT NULL", name="somebodys"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="amount_in_currency"),
        Index("ix_event_referral_occurred", "referral_id", "occurred_at", "id"),
        Index("ix_event_product_id", "product", "id"),
        Index("ix_event_product_type_id", "product", "type", "id", "state"),  # those in a state, without the rows
        Index("ix_event_type_created", "type", "created", "state"),  # what came of each type, without the rows
        Index(
            "ix_event_kept_reason_created",
            "reason_code",
            "created",
            sqlite_where=text("state = 'kept'"),
            postgresql_where=text("state = 'kept'"),
        ),
        # Those that were of no use, or not yet: few of many.
        Index("ix_event_unused", "product", "state", "id", sqlite_where=UNUSED, postgresql_where=UNUSED),
        Index("ix_event_unused_type", "product", "type", "state", "id", sqlite_where=UNUSED, postgresql_where=UNUSED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(String(60))  # that of the key
    own_id: Mapped[str] = mapped_column(String(255))  # the product's own
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of what was sent, to know the same from another
    type: Mapped[str] = mapped_column(String(40))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("event_customer.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("event_customer.id"), index=True)
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"))
    amount: Mapped[int | None] = mapped_column(BigInteger)  # in the smallest unit of the currency
    currency: Mapped[str | None] = mapped_column(String(3))
    refund_of: Mapped[str | None] = mapped_column(String(255))  # the `own_id` of the purchase
    details: Mapped[dict[str, Any]] = mapped_column(Json)  # the product's "metadata"
    signup: Mapped[dict[str, Any] | None] = mapped_column(NullableJson)  # what a signup needs, until it was used
    state: Mapped[EventState] = mapped_column(stored_by_value(EventState, "state"))
    reason_code: Mapped[str] = mapped_column(String(40), default="")
    reason_values: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_key.id"))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    customer: Mapped[EventCustomer | None] = relationship(foreign_keys=customer_id, lazy="raise_on_sql", viewonly=True)


class Conversion(Base):
    """An event of the type that earns, and what it earns for each side by now: nothing where `reason_code` says why.

    `refunded` of its amount has been given back to the customer. The ledger's entries name their conversion.
    """

    __tablename__ = "conversion"
    __table_args__ = (
        CheckConstraint("refunded >= 0", name="refunded"),
        CheckConstraint("referrer_amount >= 0 AND friend_amount >= 0", name="amounts"),
        Index("ix_conversion_referral_id_id", "referral_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), unique=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"))
    refunded: Mapped[int] = mapped_column(BigInteger, default=0)
    referrer_amount: Mapped[int] = mapped_column(BigInteger, default=0)  # in `unit`, and what is left after refunds
    friend_amount: Mapped[int] = mapped_column(BigInteger, default=0)
    referrer_unit: Mapped[str] = mapped_column(String(24))  # the program's, or the currency of the sale
    friend_unit: Mapped[str] = mapped_column(String(24))
    reason_code: Mapped[str] = mapped_column(String(40), default="")
    reason_values: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    event: Mapped[Event] = relationship(lazy="raise_on_sql", viewonly=True)
