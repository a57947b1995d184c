"""What a member sees: link, figures, referrals, rewards, leaderboard."""

from referralhub.dashboard import appeals, claims, invitations, network, rewards
from referralhub.dashboard.views import bp

__all__ = ["appeals", "bp", "claims", "invitations", "network", "rewards"]
