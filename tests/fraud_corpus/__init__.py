"""Scripted attacks and honest signups, some two hundred of each, on which the fraud rules are tried."""
