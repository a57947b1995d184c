"""Accounts."""

import re
from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referralhub.models.base import Base, Json, UtcDateTime
from referralhub.models.external_member import ExternalMember
from referralhub.models.profile import Profile
from referralhub.models.sign_in import SignIn

UNVERIFIED = text("verified_at IS NULL")
NO_ADDRESS_DOMAIN = "no-address.invalid"  # of the addresses of those who told none, each its own
NO_PASSWORD = "!"  # what is stored of who has none; no password matches it
ERASED_DOMAIN = "erased.invalid"  # of the addresses that erased accounts have, each its own
MADE_UP_NAME = "member-"  # and a drawn code: the user name of a member whom another product brought
MADE_UP = re.compile(rf"{MADE_UP_NAME}[a-z0-9]{{8}}")


def known_address(email: str) -> str | None:
    """Return the address that mail can be written to; none for one that only stands for somebody who has none."""
    return None if email.endswith((f"@{NO_ADDRESS_DOMAIN}", f"@{ERASED_DOMAIN}")) else email


class User(Base):
    """Somebody who can sign in. User names and addresses are ASCII, so `lower` means the same on both databases.

    An address is one account's from the moment it is proven; before, anybody may have typed it.
    """

    __tablename__ = "user"
    __allow_unmapped__ = True
    __table_args__ = (
        Index("uq_user_username_lower", text("lower(username)"), unique=True),
        Index("ix_user_email_lower", text("lower(email)")),
        Index("ix_user_display_name_lower", text("lower(display_name)")),  # for the panel's search
        Index(
            "uq_user_email_lower",
            text("lower(email)"),
            unique=True,
            sqlite_where=text("verified_at IS NOT NULL"),
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
        Index("ix_user_unverified", "id", sqlite_where=UNVERIFIED, postgresql_where=UNVERIFIED),  # few of many
        Index(  # closed accounts, also few
            "ix_user_closed",
            "created",
            "id",
            sqlite_where=text("is_active = 0"),
            postgresql_where=text("NOT is_active"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(30))
    display_name: Mapped[str] = mapped_column(String(40), default="")  # shown instead of the user name
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(255))
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    muted: Mapped[list[str]] = mapped_column(Json, default=list)  # kinds of mail that were switched off
    language: Mapped[str | None] = mapped_column(String(10))  # which the member has chosen: "de"
    # Which one their browser asked for at the last sign-in.
    browser_language: Mapped[str | None] = mapped_column(String(10))
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    totp_secret: Mapped[str | None] = mapped_column(String(255))  # sealed; none: no code is asked for
    totp_step: Mapped[int | None]  # of the latest code that was used: none up to it works any more

    profile: Mapped[Profile] = relationship(lazy="joined", innerjoin=True, viewonly=True)
    # By what number another product knows the member; a query for a list asks for it.
    external: Mapped[ExternalMember | None] = relationship(lazy="raise_on_sql", viewonly=True)

    sign_in: SignIn | None = None  # by which this request is the member's; no column
    avatar: str | None = None  # the digest of theirs, as far as that was asked for; no column

    # What Flask-Login asks of one who is signed in, beside `is_active`.
    is_authenticated = True
    is_anonymous = False

    @property
    def has_two_factor(self) -> bool:
        """Whether a code is asked for after the password."""
        return self.totp_secret is not None

    @hybrid_property
    def is_erased(self) -> bool:
        """Whether the member deleted the account; the row is there for everybody's sums."""
        return self.email.endswith(f"@{ERASED_DOMAIN}")

    @property
    def has_made_up_name(self) -> bool:
        """Whether nobody chose the user name: it is drawn for a member whom another product brings."""
        return MADE_UP.fullmatch(self.username) is not None

    @property
    def called(self) -> str:
        """The user name that they chose; instead of a made-up one the display name, if there is one."""
        return (self.has_made_up_name and self.display_name) or self.username

    @property
    def is_nameless(self) -> bool:
        """Whether there is no name but the made-up one, which says nothing to whoever has it."""
        return self.has_made_up_name and not self.display_name

    @property
    def has_address(self) -> bool:
        """Whether mail can be written to: a member whom another product brought may have told no address."""
        return known_address(self.email) is not None

    @property
    def has_password(self) -> bool:
        """Whether they can sign in by one: a product or a provider may have brought them without."""
        return self.password_hash != NO_PASSWORD

    @property
    def must_confirm(self) -> bool:
        """Whether there is an address, and nobody has confirmed it yet."""
        return self.has_address and self.verified_at is None

    def get_id(self) -> str:
        """Return what the session keeps: the sign-in, which can be ended from elsewhere."""
        return str(self.sign_in.id if self.sign_in else 0)
