"""What the operator calls the program, and how it looks."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, UtcDateTime, stored_by_value


class LogoType(StrEnum):
    """In which format a logo is kept: its media type."""

    SVG = "image/svg+xml"
    PNG = "image/png"


class Logo(Base):
    """A picture as we wrote it, never as it was uploaded. Rows are added, never changed."""

    __tablename__ = "logo"
    __table_args__ = (CheckConstraint("width > 0 AND height > 0", name="size"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the content, which names it in addresses
    media_type: Mapped[LogoType] = mapped_column(stored_by_value(LogoType, "media_type"))
    width: Mapped[int]  # of an SVG file as of its view box: what counts is the ratio
    height: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class Brand(Base):
    """One version of the brand; the highest version is in force. Rows are added, never changed."""

    __tablename__ = "brand"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(40))
    accent: Mapped[str] = mapped_column(String(7))  # "#rrggbb"
    support_email: Mapped[str | None] = mapped_column(String(254))
    terms_url: Mapped[str | None] = mapped_column(String(500))
    privacy_url: Mapped[str | None] = mapped_column(String(500))
    sender_name: Mapped[str | None] = mapped_column(String(80))  # of mail; none: the name
    headline: Mapped[str | None] = mapped_column(String(120))  # of the home page; none: our own
    logo_id: Mapped[int | None] = mapped_column(ForeignKey("logo.id"))
    created: Mapped[datetime] = mapped_column(UtcDateTime)

    logo: Mapped[Logo | None] = relationship(lazy="raise_on_sql")
