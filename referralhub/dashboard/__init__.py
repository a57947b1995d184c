"""What a member sees: link, figures, referrals, rewards, leaderboard."""

from referralhub.dashboard import invitations, rewards
from referralhub.dashboard.views import bp

__all__ = ["bp", "invitations", "rewards"]
