"""Who brought whom, how far that has come, and why."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, String, func, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, composite, mapped_column, relationship

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value
from referralhub.models.profile import Profile


class ReferralState(StrEnum):
    """How far a referral has come."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    HELD = "held"
    REJECTED = "rejected"
    REVERSED = "reversed"
    EXPIRED = "expired"


NEVER_JUDGED = (ReferralState.PENDING, ReferralState.EXPIRED)  # nothing was found or credited


class ReasonCode(StrEnum):
    """Why a referral changed its state."""

    SIGNED_UP = "signed_up"
    ADDRESS_VERIFIED = "address_verified"
    VERIFICATION_NOT_REQUIRED = "verification_not_required"
    VOUCHED_FOR = "vouched_for"  # by the product, which told of the signup
    EVENT_QUALIFIED = "event_qualified"  # one of the `type` that the program rewards
    NOT_VERIFIED_IN_TIME = "not_verified_in_time"  # within so many `days`
    NOT_DECIDED_IN_TIME = "not_decided_in_time"  # within so many `days`, with a score `below` the mark
    ALREADY_CUSTOMER = "already_customer"
    CODE_ENTERED = "code_entered"  # by the friend, after signing up, at the moment `at`
    FRIEND_AGREED = "friend_agreed"  # to the referrer's claim
    APPEALED = "appealed"  # by the referrer, against the rejection; the words are in `appeal`, where they can be erased
    STATED = "stated"  # by a person, in the words of `text`


@dataclass(frozen=True)
class Reason:
    """A reason by its code, with the values that belong to it."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def stated(cls, text: str) -> Self:
        """Return the reason that a person gave in words of their own."""
        return cls(ReasonCode.STATED, {"text": text})

    @property
    def text(self) -> str:
        """What a person wrote; nothing for a reason of the system's."""
        return str(self.values.get("text", ""))


class Channel(StrEnum):
    """How the friend came by the link; `?via=` in a shared link says so."""

    LINK = "link"
    CODE = "code"
    EMAIL = "email"
    X = "x"
    FACEBOOK = "facebook"
    WHATSAPP = "whatsapp"
    LINKEDIN = "linkedin"
    TELEGRAM = "telegram"
    REDDIT = "reddit"
    SMS = "sms"
    SHARE = "share"
    QR = "qr"


class Referral(Base):
    """The relation referrer → friend. It keeps the program version it began under."""

    __tablename__ = "referral"
    __table_args__ = (
        CheckConstraint("referrer_id < friend_id", name="referrer_came_first"),
        CheckConstraint("visited_at <= created", name="visit_before_signup"),
        CheckConstraint("score BETWEEN 0 AND 100", name="score"),
        Index("ix_referral_referrer_created", "referrer_id", "created"),
        Index("ix_referral_referrer_id_id", "referrer_id", "id"),
        Index("ix_referral_state_decided", "state", "decided_at"),
        Index("ix_referral_state_created_id", "state", "created", "id"),  # the newest in a state, of a span of time
        Index("ix_referral_referrer_state_created", "referrer_id", "state", "created"),  # cohorts, without the rows
        Index(
            "ix_referral_credited",
            "credited_id",
            sqlite_where=text("credited_id IS NOT NULL"),
            postgresql_where=text("credited_id IS NOT NULL"),
        ),
        # What a member's dashboard counts by state, day and channel, without the rows.
        Index("ix_referral_referrer_decided", "referrer_id", "decided_at", "state", "channel"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    referrer_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    friend_id: Mapped[int] = mapped_column(ForeignKey("profile.id"), unique=True)
    credited_id: Mapped[int | None] = mapped_column(ForeignKey("profile.id"))  # to whom an admin gave what events earn
    program_id: Mapped[int] = mapped_column(ForeignKey("program.id"))
    state: Mapped[ReferralState] = mapped_column(stored_by_value(ReferralState, "state"))
    channel: Mapped[Channel] = mapped_column(stored_by_value(Channel, "channel"))
    score: Mapped[int | None]  # of fraud, 0 to 100; none before it was looked at
    visited_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    referrer: Mapped[Profile] = relationship(foreign_keys=referrer_id, lazy="raise_on_sql", viewonly=True)
    friend: Mapped[Profile] = relationship(foreign_keys=friend_id, lazy="raise_on_sql", viewonly=True)

    @hybrid_property
    def earner_id(self) -> int:
        """Who gets what the events earn for the referrer's side: the referrer, or who was credited instead."""
        return self.credited_id or self.referrer_id

    @earner_id.inplace.expression
    @classmethod
    def _earner_id(cls) -> ColumnElement[int]:
        return func.coalesce(cls.credited_id, cls.referrer_id)


class FormerAddress(Base):
    """The address of a referred friend who has left it, by erasure or for another, after the referral was judged.

    It is kept as an HMAC, for as long as the ledger, so that one mailbox is not credited twice.
    """

    __tablename__ = "former_address"

    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the mailbox, without tags and dots
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class ReferralEvent(Base):
    """One change of state: who, when, from, to, and the evidence as it was then. Append-only by trigger."""

    __tablename__ = "referral_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"), index=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))  # none: the system itself
    from_state: Mapped[ReferralState | None] = mapped_column(stored_by_value(ReferralState, "from_state"))
    to_state: Mapped[ReferralState] = mapped_column(stored_by_value(ReferralState, "to_state"))
    reason_code: Mapped[str] = mapped_column(String(40))
    reason_values: Mapped[dict[str, Any]] = mapped_column(Json)
    evidence: Mapped[dict[str, Any]] = mapped_column(Json)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    reason: Mapped[Reason] = composite(Reason, "reason_code", "reason_values")
