"""Invitations by mail."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, UtcDateTime, stored_by_value
from referralhub.models.profile import Profile


class InvitationState(StrEnum):
    """How far an invitation has come."""

    QUEUED = "queued"
    SENT = "sent"
    BOUNCED = "bounced"
    VISITED = "visited"
    NOT_SENT = "not_sent"  # nobody wanted it any more when its turn came
    JOINED = "joined"
    JOINED_OTHERWISE = "joined_otherwise"  # the address is a member's, whom somebody else's link brought or none


class Invitation(Base):
    """One address that a member invited. No address is ever invited twice, by any member: the hash is unique.

    The hash is an HMAC, so that it outlives the address when that is erased.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        Index("ix_invitation_profile_created", "profile_id", "created"),
        Index("ix_invitation_profile_id_id", "profile_id", "id"),
        Index("ix_invitation_address_lower", text("lower(address)")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    address: Mapped[str | None] = mapped_column(String(254))  # none once it was erased
    address_hash: Mapped[str] = mapped_column(String(64), unique=True)
    words: Mapped[str] = mapped_column(String(600))
    state: Mapped[InvitationState] = mapped_column(stored_by_value(InvitationState, "state"))
    friend_id: Mapped[int | None] = mapped_column(ForeignKey("profile.id"), unique=True)  # who joined by its own link
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    profile: Mapped[Profile] = relationship(foreign_keys=profile_id, lazy="raise_on_sql", viewonly=True)


class MailRefusal(Base):
    """An address that wants no invitations any more; only its HMAC is kept."""

    __tablename__ = "mail_refusal"

    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
