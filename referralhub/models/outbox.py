"""Mail to deliver."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value


class MessageKind(StrEnum):
    """Which mail it is; each has a template of that name in `templates/mail/`."""

    VERIFY_ADDRESS = "verify_address"
    REFERRAL_CONFIRMED = "referral_confirmed"
    REFERRAL_HELD = "referral_held"
    REFERRAL_REVERSED = "referral_reversed"
    BADGE_EARNED = "badge_earned"


class OutboxMessage(Base):
    """One message, written in the transaction that causes it, so that neither exists without the other.

    `key` names the cause: a second message for the same cause is refused.
    The payload holds ids and figures, never a token: links are made when the mail is.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_due",
            "next_try_at",
            sqlite_where=text("delivered_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[MessageKind] = mapped_column(stored_by_value(MessageKind, "kind"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # none: given up
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(500))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
