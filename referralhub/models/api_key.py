"""Keys with which other programs use ours."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, Json, UtcDateTime
from referralhub.models.user import User

ONLY_PRODUCT = "default"  # of who has but one


class Scope(StrEnum):
    """What a key is good for."""

    READ = "read"  # members, referrals, figures
    EVENTS = "events"  # telling what customers did
    MANAGE = "manage"  # making and changing members, deciding referrals


class ApiKey(Base):
    """A key. It is shown once, when it is made; only its SHA-256 is kept. Rows are never deleted, for the audit log."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    product: Mapped[str] = mapped_column(String(60), default=ONLY_PRODUCT)  # whose numbers of events it speaks in
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    beginning: Mapped[str] = mapped_column(String(16))  # by which people tell keys apart
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))  # none: an operator
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    created_by: Mapped[User | None] = relationship(lazy="raise_on_sql", viewonly=True)
