"""Rewards that leave the house: what is due, and what became of it."""
