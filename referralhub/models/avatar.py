"""What members look like."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime


class Avatar(Base):
    """A member's picture, a square WebP file as we wrote it, never as it was uploaded."""

    __tablename__ = "avatar"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), index=True)  # SHA-256 of the content, which names it in addresses
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
