"""Mail to deliver."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value
from referralhub.models.user import User


class MessageKind(StrEnum):
    """Which mail it is; each has a template of that name in `templates/mail/`."""

    VERIFY_ADDRESS = "verify_address"
    CHANGE_ADDRESS = "change_address"
    ADDRESS_CHANGED = "address_changed"
    RESET_PASSWORD = "reset_password"
    PASSWORD_CHANGED = "password_changed"
    SIGN_IN_CHANGED = "sign_in_changed"
    FRIEND_JOINED = "friend_joined"
    REFERRAL_CONFIRMED = "referral_confirmed"
    REFERRAL_HELD = "referral_held"
    REFERRAL_REVERSED = "referral_reversed"
    BADGE_EARNED = "badge_earned"
    TIER_REACHED = "tier_reached"
    WEEKLY_DIGEST = "weekly_digest"
    INVITATION = "invitation"
    INVITATION_REMINDER = "invitation_reminder"
    REVIEW_REMINDER = "review_reminder"
    CLAIM_QUESTION = "claim_question"
    CLAIM_DECIDED = "claim_decided"
    WEBHOOK_SWITCHED_OFF = "webhook_switched_off"


class OutboxMessage(Base):
    """One message, written in the transaction that causes it, so that neither exists without the other.

    `key` names the cause: a second message for the same cause is refused.
    The payload holds ids and figures, never a token or a name: those are looked up when the mail is written. One of the
    ids is that of the request that caused it, where there was one, for the log.
    A row with neither `next_try_at` nor `delivered_at` was given up: it is a dead letter when `last_error` says why,
    and was not wanted (any more) when nothing does.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_due",
            "next_try_at",
            sqlite_where=text("delivered_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL"),
        ),
        Index(
            "ix_outbox_address_lower",
            text("lower(address)"),
            sqlite_where=text("address IS NOT NULL"),
            postgresql_where=text("address IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[MessageKind] = mapped_column(stored_by_value(MessageKind, "kind"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    address: Mapped[str | None] = mapped_column(String(254))  # where to, when it is not the member's own address
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # none: not to be sent
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(500))
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship(lazy="raise_on_sql", viewonly=True)
