"""Members whom another product knows by a number of its own."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, Json, UtcDateTime


class ExternalMember(Base):
    """What the product calls one of its customers, who is a member here."""

    __tablename__ = "external_member"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(255), unique=True)
    details: Mapped[dict[str, Any]] = mapped_column(Json)  # the product's own "metadata", given back as it came
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    updated: Mapped[datetime] = mapped_column(UtcDateTime)
