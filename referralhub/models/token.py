"""Secrets that were mailed to somebody."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime, stored_by_value


class TokenPurpose(StrEnum):
    """What the holder of a token may do."""

    VERIFY_ADDRESS = "verify_address"
    CHANGE_ADDRESS = "change_address"
    RESET_PASSWORD = "reset_password"
    SIGN_IN = "sign_in"  # not mailed: the product hands it to its customer


class OneTimeToken(Base):
    """A random token that works once. Only its SHA-256 is kept: one who reads the table cannot use it."""

    __tablename__ = "one_time_token"
    __table_args__ = (Index("ix_one_time_token_address_lower", text("lower(address)")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[TokenPurpose] = mapped_column(stored_by_value(TokenPurpose, "purpose"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    address: Mapped[str] = mapped_column(String(254))  # where it was sent
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ResetRequest(Base):
    """Somebody forgot the password of an account with this address, if there is one: the worker looks, and forgets it.

    A page that looked itself would tell by its time who has an account.
    """

    __tablename__ = "reset_request"

    address: Mapped[str] = mapped_column(String(254), primary_key=True)  # in lower case
    minute: Mapped[int] = mapped_column(primary_key=True)  # since 1970; a second request in it is the first
    request_id: Mapped[str] = mapped_column(String(64))  # by which the log names the request
