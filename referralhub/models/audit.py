"""What admins, operators and the system itself did to the program."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, Json, UtcDateTime, stored_by_value
from referralhub.models.user import User


class Role(StrEnum):
    """In what capacity somebody acts."""

    ADMIN = "admin"  # in the browser
    OPERATOR = "operator"  # on the command line
    API = "api"  # another program, with a key
    SYSTEM = "system"  # a rule of ours, when its time has come


class AuditLine(Base):
    """One action: who, on what, what it was before and after, and why. Append-only by trigger.

    Each line carries the digest of the one before it, so that none can be changed, put in or taken out unnoticed;
    `previous` is unique, so that there is one chain. Names and addresses have no place here: it outlives accounts.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_subject_subject_id", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[Role] = mapped_column(stored_by_value(Role, "role"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))  # an admin's account
    action: Mapped[str] = mapped_column(String(40))  # such as "referral.reject"
    subject: Mapped[str] = mapped_column(String(20))  # what kind of thing: "member", "referral", "perk", …
    subject_id: Mapped[int | None]
    before: Mapped[dict[str, Any]] = mapped_column(Json)
    after: Mapped[dict[str, Any]] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(String(200), default="")
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    previous: Mapped[str] = mapped_column(String(64), unique=True)  # digest of the line before; the first has zeros
    digest: Mapped[str] = mapped_column(String(64), unique=True)

    actor: Mapped[User | None] = relationship(lazy="raise_on_sql", viewonly=True)
