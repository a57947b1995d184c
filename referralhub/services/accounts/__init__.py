"""Accounts and who may use them."""
