"""What a member sees: link, figures, referrals, rewards, leaderboard."""

from referralhub.dashboard import invitations, network, rewards
from referralhub.dashboard.views import bp

__all__ = ["bp", "invitations", "network", "rewards"]
