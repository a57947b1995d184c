"""What the operator says in place of our own words."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime


class OwnText(Base):
    """A mail or shared message in the operator's words, in one language; where there is none, ours is said."""

    __tablename__ = "own_text"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)  # of the letter in words/letters.py
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
