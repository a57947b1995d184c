"""What happened to a member lately: day by day, channel by channel, and one thing after the other."""
