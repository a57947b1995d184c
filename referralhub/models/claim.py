"""What members say was not credited, or was judged wrongly."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime, stored_by_value
from referralhub.models.referral import Channel


class ClaimState(StrEnum):
    """How far a claim has come."""

    ASKED = "asked"  # the friend, by mail, if there is one with that address
    AGREED = "agreed"  # the friend has; an admin decides
    DECLINED = "declined"  # by the friend
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    EXPIRED = "expired"  # nobody answered


AGREED = text("state IN ('agreed', 'confirmed')")


class ReferralClaim(Base):
    """ "My friend joined and I got nothing": a missing referral, as a member tells it.

    A friend agrees to one claim only.
    """

    __tablename__ = "referral_claim"
    __table_args__ = (
        Index("uq_referral_claim_claimant_address", "claimant_id", text("lower(address)"), unique=True),
        Index(
            "uq_referral_claim_friend_agreed", "friend_id", unique=True, sqlite_where=AGREED, postgresql_where=AGREED
        ),
        Index("ix_referral_claim_state_created", "state", "created"),
        Index("ix_referral_claim_address_lower", text("lower(address)")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    claimant_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    address: Mapped[str | None] = mapped_column(String(254))  # the friend's, as the claimant knows it; none: erased
    friend_id: Mapped[int | None] = mapped_column(ForeignKey("profile.id"), index=True)  # who agreed or declined
    joined_on: Mapped[date]  # as the claimant says
    channel: Mapped[Channel] = mapped_column(stored_by_value(Channel, "channel"))  # as the claimant says
    words: Mapped[str] = mapped_column(String(500))
    state: Mapped[ClaimState] = mapped_column(stored_by_value(ClaimState, "state"))
    reason: Mapped[str] = mapped_column(String(500), default="")  # of the decision, for both to read
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class Appeal(Base):
    """What a referrer said against a rejection, once: it brings the referral back before an admin."""

    __tablename__ = "appeal"

    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), primary_key=True)
    words: Mapped[str] = mapped_column(String(500))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
