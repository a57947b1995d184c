"""What speaks against a referral, by rules that explain themselves."""
