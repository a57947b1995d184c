"""A member's place in the program."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from referralhub.models.base import Base, UtcDateTime
from referralhub.models.own_code import OwnCode


class Profile(Base):
    """The code, who referred the member, and counts cached from the referrals.

    `referred_by_id < id` makes self-referral and cycles impossible: a referrer was always here first.
    """

    __tablename__ = "profile"
    __table_args__ = (
        CheckConstraint("referred_by_id < id", name="referrer_came_first"),
        CheckConstraint("referral_count >= 0", name="referral_count"),
        Index("ix_profile_friends", "referred_by_id", "referral_count", "id"),  # whom a member brought, in order
        Index("ix_profile_ranking", "referral_count", "last_confirmed_at", "id"),
        Index("ix_profile_created_referred_by_id", "created", "referred_by_id"),  # growth by month
        Index("ix_profile_id_created", "id", "created"),  # when each referrer joined, without the rows
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), unique=True)
    code: Mapped[str] = mapped_column(String(12), unique=True)
    referred_by_id: Mapped[int | None] = mapped_column(ForeignKey("profile.id"))
    referral_count: Mapped[int] = mapped_column(default=0)
    greeting: Mapped[str] = mapped_column(
        String(140), server_default=""
    )  # to friends, on the page that the link leads to
    share_text: Mapped[str] = mapped_column(
        String(280), server_default=""
    )  # which they share the link with; none: ours
    listed: Mapped[bool] = mapped_column(default=True)  # whether the leaderboard may show them
    last_confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    updated: Mapped[datetime] = mapped_column(UtcDateTime)

    # Who it is, for lists; a query for a list asks for it, and nothing is ever read row by row. (A `User`, whose file
    # imports this one.)
    user: Mapped[Any] = relationship("User", lazy="raise_on_sql", viewonly=True)
    own_codes: Mapped[list[OwnCode]] = relationship(lazy="raise_on_sql", viewonly=True)

    # The code that the member's link shows: the newest that they chose, else the one that was drawn. A query for who
    # shares a link asks for it (`undefer`).
    shown_code: Mapped[str] = column_property(
        func.coalesce(
            select(OwnCode.code)
            .where(OwnCode.profile_id == id)
            .order_by(OwnCode.created.desc())
            .limit(1)
            .scalar_subquery(),
            code,
        ),
        deferred=True,
        raiseload=True,
    )
