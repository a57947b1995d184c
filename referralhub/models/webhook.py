"""Webhooks: whom to tell of what happens, what there is to tell, and what came of it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value


class WebhookType(StrEnum):
    """What has happened."""

    MEMBER_CREATED = "member.created"
    MEMBER_UPDATED = "member.updated"
    REFERRAL_CREATED = "referral.created"
    REFERRAL_CONFIRMED = "referral.confirmed"
    REFERRAL_HELD = "referral.held"
    REFERRAL_REJECTED = "referral.rejected"
    REFERRAL_REVERSED = "referral.reversed"
    REFERRAL_EXPIRED = "referral.expired"
    CONVERSION_CREATED = "conversion.created"
    CONVERSION_CHANGED = "conversion.changed"
    REWARD_DUE = "reward.due"
    REWARD_FULFILLED = "reward.fulfilled"
    REWARD_FAILED = "reward.failed"
    REWARD_WITHDRAWN = "reward.withdrawn"
    TIER_REACHED = "tier.reached"
    BADGE_EARNED = "badge.earned"
    PERK_CLAIMED = "perk.claimed"
    TEST = "webhook.test"


class WebhookOff(StrEnum):
    """Why an endpoint is switched off."""

    GONE = "gone"  # it answered 410
    FAILING = "failing"  # nothing arrived for days


class WebhookEndpoint(Base):
    """An address that is told. Rows are never deleted, for the log: one that was removed has no secret any more."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        Index(
            "uq_webhook_endpoint_url",
            "url",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    types: Mapped[list[str]] = mapped_column(Json)  # what it is told of; nothing named: everything
    secret: Mapped[str] = mapped_column(String(200))  # sealed
    former_secret: Mapped[str | None] = mapped_column(String(200))  # sealed; signs too, until the moment below
    former_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_active: Mapped[bool] = mapped_column(default=True)
    off_because: Mapped[WebhookOff | None] = mapped_column(stored_by_value(WebhookOff, "off_because"))
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the first failure after the last success
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))  # none: an operator
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class WebhookSequence(Base):
    """The number of the last message about an object, which outlives the messages."""

    __tablename__ = "webhook_sequence"

    object: Mapped[str] = mapped_column(String(20), primary_key=True)
    object_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class WebhookMessage(Base):
    """Something to tell, written in the transaction of its cause, as it is sent, whoever gets it and however often.

    `key` names the cause: a second message for the same cause is refused.
    """

    __tablename__ = "webhook_message"
    __table_args__ = (UniqueConstraint("object", "object_id", "sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    type: Mapped[str] = mapped_column(String(40))
    object: Mapped[str] = mapped_column(String(20))  # what it is about: a member, a referral
    object_id: Mapped[int]
    sequence: Mapped[int]  # of the messages about this object, from 1
    body: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class WebhookDelivery(Base):
    """A message on its way to an endpoint. One with neither `next_try_at` nor `delivered_at` was given up."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("message_id", "endpoint_id"),
        Index("ix_webhook_delivery_endpoint_id_id", "endpoint_id", "id"),
        Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "next_try_at",
            "id",
            sqlite_where=text("next_try_at IS NOT NULL"),
            postgresql_where=text("next_try_at IS NOT NULL"),
        ),
        Index(
            "ix_webhook_delivery_delivered_at",
            "delivered_at",
            sqlite_where=text("delivered_at IS NOT NULL"),
            postgresql_where=text("delivered_at IS NOT NULL"),
        ),
        Index(
            "ix_webhook_delivery_given_up",
            "endpoint_id",
            sqlite_where=text("next_try_at IS NULL AND delivered_at IS NULL"),
            postgresql_where=text("next_try_at IS NULL AND delivered_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("webhook_message.id"))
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoint.id"))
    attempts: Mapped[int] = mapped_column(default=0)  # that came to an end, since it was last asked for
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    message: Mapped[WebhookMessage] = relationship(lazy="raise_on_sql", viewonly=True)
    endpoint: Mapped[WebhookEndpoint] = relationship(lazy="raise_on_sql", viewonly=True)


class WebhookAttempt(Base):
    """One try to deliver: when, what was answered, and how long that took."""

    __tablename__ = "webhook_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("webhook_delivery.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[int | None]  # none: there was no answer
    milliseconds: Mapped[int]
    said: Mapped[str] = mapped_column(String(500))  # how the answer begins, or what went wrong
