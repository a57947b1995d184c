"""What the leaderboard in Redis has yet to learn."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base


class LeaderboardChange(Base):
    """A member whose place may have changed; written with the change, deleted once Redis knows."""

    __tablename__ = "leaderboard_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id"))
