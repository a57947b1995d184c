"""Perks and claims in the panel."""
