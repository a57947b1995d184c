"""Signing up, in and out, confirming an address, and a new password."""

from referralhub.auth import passwords, provider, second_step, signup
from referralhub.auth.views import bp

__all__ = ["bp", "passwords", "provider", "second_step", "signup"]
