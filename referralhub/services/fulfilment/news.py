"""Telling the product of a reward."""

from datetime import datetime

from sqlalchemy.orm import Session

from referralhub.models import Reward


def tell(session: Session, reward: Reward, what: str, now: datetime) -> None:
    """Let the product know: `what` is "reward.due", ".fulfilled", ".failed" or ".withdrawn"; part of a transaction."""
