"""The ledger."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, UtcDateTime, stored_by_value
from referralhub.models.profile import Profile
from referralhub.models.program import unit_of_amounts


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

    One unique constraint makes a second credit for one referral impossible, whatever is retried or raced. The other
    numbers a member's entries in each unit, so that two of them can never start from the same balance.
    """

    __tablename__ = "reward_entry"
    __table_args__ = (
        UniqueConstraint("referral_id", "profile_id", "kind"),
        UniqueConstraint("profile_id", "unit", "number"),
        Index("ix_reward_entry_profile_id_id", "profile_id", "id"),
        # What a member's dashboard adds up by day, without the rows.
        Index("ix_reward_entry_profile_created", "profile_id", "created", "unit", "kind", "amount", "available_at"),
        Index("ix_reward_entry_created", "created", "kind", "unit", "amount"),  # sums of a span, without the rows
        unit_of_amounts(),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_original"),
        CheckConstraint("kind <> 'redemption' OR (amount < 0 AND balance >= 0)", name="spends_what_is_there"),
        CheckConstraint("kind NOT IN ('referrer', 'friend', 'milestone') OR amount > 0", name="credit_is_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("reward_entry.id"), unique=True)
    kind: Mapped[RewardKind] = mapped_column(stored_by_value(RewardKind, "kind"))
    amount: Mapped[int] = mapped_column(BigInteger)
    # Of this member in this unit, after this entry; below zero is a debt.
    balance: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int]  # of this member's entries in this unit, from 1
    unit: Mapped[str] = mapped_column(String(24))  # points, megabytes, or the ISO 4217 code of a currency
    mark: Mapped[int | None]  # a milestone's: how many referrals it was for
    note: Mapped[str] = mapped_column(String(200), default="")
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when it can be spent: after the hold period
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    profile: Mapped[Profile] = relationship(lazy="raise_on_sql", viewonly=True)
