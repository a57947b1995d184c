"""What calls of the API were answered."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime


class ApiAnswer(Base):
    """The answer to a call under an Idempotency-Key, written in the transaction of what the call did.

    `body` has numbers, amounts and states; no names and no addresses, so that there is nothing in it to erase.
    """

    __tablename__ = "api_answer"
    __table_args__ = (UniqueConstraint("api_key_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    api_key_id: Mapped[int] = mapped_column(ForeignKey("api_key.id"))
    key: Mapped[str] = mapped_column(String(255))  # the caller's
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the call: method, path and body
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
