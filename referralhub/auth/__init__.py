"""Signing up, in and out, and confirming an address."""
