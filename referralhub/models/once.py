"""What may happen only once."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime


class Once(Base):
    """A key that was used up: the one who inserts it may go on, everybody after finds it here."""

    __tablename__ = "once"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
