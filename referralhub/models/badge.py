"""Badges."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime, stored_by_value


class Badge(StrEnum):
    """A number of confirmed referrals worth celebrating."""

    FIRST = "first"
    TEN = "10"
    FIFTY = "50"
    HUNDRED = "100"

    @property
    def mark(self) -> int:
        """How many confirmed referrals it takes."""
        return 1 if self is Badge.FIRST else int(self.value)


class BadgeAward(Base):
    """A badge that a member has now. It goes when the count falls below its mark, and can be earned again."""

    __tablename__ = "badge_award"
    __table_args__ = (UniqueConstraint("profile_id", "badge"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    badge: Mapped[Badge] = mapped_column(stored_by_value(Badge, "badge"))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
