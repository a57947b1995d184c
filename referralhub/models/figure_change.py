"""What the figures kept in Redis have yet to learn."""

from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base


class FigureChange(Base):
    """A change of a member's figures of which Redis could not be told; deleted once it was."""

    __tablename__ = "figure_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    profile_id: Mapped[int]  # or 0: everybody's, -1: the leaderboard's
