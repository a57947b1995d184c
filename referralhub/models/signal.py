"""Raw signals, from which the fraud rules judge; kept for 30 days."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, Json, UtcDateTime


class Sighting(Base):
    """Where a member signed up or was seen. Network and browser are HMACs under the salt of the day.

    Two sightings can be compared only while both are of one day; once its salt is gone nobody can tell whose they were.
    """

    __tablename__ = "sighting"
    __table_args__ = (
        Index("ix_sighting_network_created", "network", "created"),
        Index("ix_sighting_profile_created", "profile_id", "created"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    network: Mapped[str | None] = mapped_column(String(32))  # none: this machine itself, which says nothing
    agent: Mapped[str] = mapped_column(String(32))
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class SignupFacts(Base):
    """How the signup form of a referred friend was filled in."""

    __tablename__ = "signup_facts"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"), primary_key=True)
    sighting_id: Mapped[int] = mapped_column(ForeignKey("sighting.id"), index=True)
    seconds: Mapped[int | None]  # from opening the form to sending it; none: not known
    trapped: Mapped[bool]  # filled in a field that people do not see
    members: Mapped[list[Any]] = mapped_column(Json)  # profile ids that were signed in with this browser before
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class DailySalt(Base):
    """The secret of one day; it is destroyed the day after the next."""

    __tablename__ = "daily_salt"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    salt: Mapped[str] = mapped_column(String(64))
