"""Visits, counted but not followed."""

from datetime import date

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, stored_by_value
from referralhub.models.referral import Channel


class VisitDaily(Base):
    """Counts for one member's link, day (in the program's time zone) and channel. No row says who came."""

    __tablename__ = "visit_daily"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, index=True)
    channel: Mapped[Channel] = mapped_column(stored_by_value(Channel, "channel"), primary_key=True)
    visits: Mapped[int] = mapped_column(default=0)
    visitors: Mapped[int] = mapped_column(default=0)
    bots: Mapped[int] = mapped_column(default=0)
