"""A referral's life, and what is seen of it."""
