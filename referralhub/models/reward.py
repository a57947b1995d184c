"""The ledger."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime, stored_by_value
from referralhub.models.program import Unit


class RewardKind(StrEnum):
    """Why an amount was given or taken."""

    REFERRER = "referrer"
    FRIEND = "friend"
    MILESTONE = "milestone"
    REDEMPTION = "redemption"
    ADJUSTMENT = "adjustment"
    REVERSAL = "reversal"


class RewardEntry(Base):
    """One line of the append-only ledger: a signed whole amount for one member.

    The unique constraint is what makes a second credit for one referral impossible, whatever is retried or raced.
    """

    __tablename__ = "reward_entry"
    __table_args__ = (
        UniqueConstraint("referral_id", "profile_id", "kind"),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_original"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"), index=True)
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("reward_entry.id"), unique=True)
    kind: Mapped[RewardKind] = mapped_column(stored_by_value(RewardKind, "kind"))
    amount: Mapped[int]
    unit: Mapped[Unit] = mapped_column(stored_by_value(Unit, "unit"))
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when it can be spent: after the hold period
    created: Mapped[datetime] = mapped_column(UtcDateTime)
