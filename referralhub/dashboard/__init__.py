"""What a member sees: link, figures, referrals, rewards, leaderboard."""

from referralhub.dashboard import appeals, claims, invitations, network, pictures, rewards, share_text
from referralhub.dashboard.views import bp

__all__ = ["appeals", "bp", "claims", "invitations", "network", "pictures", "rewards", "share_text"]
