"""What the events of a referral earn."""
