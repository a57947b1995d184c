"""What a member sees: link, figures, referrals, rewards, leaderboard."""

from referralhub.dashboard import profile, rewards
from referralhub.dashboard.views import bp

__all__ = ["bp", "profile", "rewards"]
