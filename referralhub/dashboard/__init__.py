"""What a member sees: link, figures, referrals, leaderboard."""
