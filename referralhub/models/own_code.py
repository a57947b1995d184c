"""Codes that members chose themselves."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime


class OwnCode(Base):
    """A code that a member chose; the newest is the one they share. Rows are added, never changed: each works for ever.

    The code that was drawn at the signup stays in `Profile.code` and works as well.
    """

    __tablename__ = "own_code"
    __table_args__ = (UniqueConstraint("profile_id", "month"),)  # one a month

    code: Mapped[str] = mapped_column(String(20), primary_key=True)  # in lower case
    skeleton: Mapped[str] = mapped_column(String(20), unique=True)  # equal for codes that look alike
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
    month: Mapped[date]  # its first day, in the program's time zone
    created: Mapped[datetime] = mapped_column(UtcDateTime)
