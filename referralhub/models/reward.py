"""The ledger."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from referralhub.models.base import Base, UtcDateTime, stored_by_value
from referralhub.models.event import Conversion
from referralhub.models.external_member import ExternalMember
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
    REFUND = "refund"  # what a conversion earned is less by now
    PAYOUT = "payout"  # it was handed over, and is no longer here


def _once(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(f"uq_reward_entry_{name}", *columns, unique=True, sqlite_where=condition, postgresql_where=condition)


class RewardEntry(Base):
    """One line of the append-only ledger: a signed whole amount for one member.

    Unique indexes make a second credit for one referral, or for one of its conversions, impossible, whatever is retried
    or raced; and for each event there is one correction of a conversion's credit. A constraint numbers a member's
    entries in each unit, so that two of them can never start from the same balance.
    """

    __tablename__ = "reward_entry"
    __table_args__ = (
        _once("referral", "referral_id", "profile_id", "kind", where="conversion_id IS NULL"),
        _once("conversion", "conversion_id", "profile_id", "kind", where="kind IN ('referrer', 'friend')"),
        _once("cause", "conversion_id", "profile_id", "cause_id", where="cause_id IS NOT NULL"),
        UniqueConstraint("profile_id", "unit", "number"),
        Index("ix_reward_entry_profile_id_id", "profile_id", "id"),
        # What a member's dashboard adds up by day, without the rows.
        Index("ix_reward_entry_profile_created", "profile_id", "created", "unit", "kind", "amount", "available_at"),
        Index("ix_reward_entry_created", "created", "kind", "unit", "amount"),  # sums of a span, without the rows
        unit_of_amounts(),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_original"),
        CheckConstraint("kind <> 'redemption' OR (amount < 0 AND balance >= 0)", name="spends_what_is_there"),
        CheckConstraint("kind <> 'refund' OR (amount < 0 AND conversion_id IS NOT NULL)", name="refund_of_conversion"),
        CheckConstraint("kind <> 'payout' OR amount < 0", name="payout_is_negative"),
        CheckConstraint("kind NOT IN ('referrer', 'friend', 'milestone') OR amount > 0", name="credit_is_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    referral_id: Mapped[int | None] = mapped_column(ForeignKey("referral.id"), index=True)
    conversion_id: Mapped[int | None] = mapped_column(ForeignKey("conversion.id"), index=True)
    cause_id: Mapped[int | None] = mapped_column(ForeignKey("event.id"))  # which event changed what a conversion earns
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
    conversion: Mapped[Conversion | None] = relationship(lazy="raise_on_sql", viewonly=True)


class RewardState(StrEnum):
    """How far the handing over of a reward has come."""

    DUE = "due"
    FULFILLED = "fulfilled"
    FAILED = "failed"  # the product could not; it is still owed
    WITHDRAWN = "withdrawn"  # before it was handed over


class Reward(Base):
    """What the product is to hand over for an entry. One for an entry is open at a time; a smaller one follows it where
    a part was taken back meanwhile. Triggers keep one that was handed over as it is, so that it is paid once.
    """

    __tablename__ = "reward"
    __table_args__ = (
        UniqueConstraint("entry_id", "number"),
        Index(
            "uq_reward_open",
            "entry_id",
            unique=True,
            sqlite_where=text("state IN ('due', 'failed')"),
            postgresql_where=text("state IN ('due', 'failed')"),
        ),
        Index("ix_reward_profile_state", "profile_id", "state"),
        Index("ix_reward_profile_id_id", "profile_id", "id"),
        Index("ix_reward_state_id", "state", "id"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(payout_id IS NOT NULL) = (state = 'fulfilled')", name="fulfilled_is_paid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("reward_entry.id"))
    number: Mapped[int]  # of the entry's rewards, from 1
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    unit: Mapped[str] = mapped_column(String(24))
    state: Mapped[RewardState] = mapped_column(stored_by_value(RewardState, "state"))
    reference: Mapped[str] = mapped_column(String(200), default="")  # the product's, of the handing over
    reason: Mapped[str] = mapped_column(String(500), default="")  # why it failed, or was withdrawn
    payout_id: Mapped[int | None] = mapped_column(ForeignKey("reward_entry.id"), unique=True)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    profile: Mapped[Profile] = relationship(lazy="raise_on_sql", viewonly=True)
    entry: Mapped[RewardEntry] = relationship(foreign_keys=entry_id, lazy="raise_on_sql", viewonly=True)
    # What the product calls the member; a query for who hands over asks for it (`undefer`).
    external_id: Mapped[str | None] = column_property(
        select(ExternalMember.external_id)
        .join(Profile, Profile.user_id == ExternalMember.user_id)
        .where(Profile.id == profile_id)
        .correlate_except(ExternalMember, Profile)
        .scalar_subquery(),
        deferred=True,
        raiseload=True,
    )


class RewardHold(Base):
    """Until when the next of a member's entries in a unit is on hold, so that it is looked at then."""

    __tablename__ = "reward_hold"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"), primary_key=True)
    unit: Mapped[str] = mapped_column(String(24), primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
