"""Who is signed in, and where."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base, UtcDateTime


class SignIn(Base):
    """A browser in which a member is signed in. The session in Redis names the row and is worth nothing without it.

    The id is drawn, not counted: SQLite would give that of a deleted row to the next one, and the session that was
    ended would be somebody's again. Nor can it be mistaken for the member's id, which sessions held before.
    """

    __tablename__ = "sign_in"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    browser: Mapped[str] = mapped_column(String(60))  # such as "Firefox on Linux"
    by_provider: Mapped[bool] = mapped_column(default=False, server_default=false())  # and not with a password
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when the password was last typed
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
