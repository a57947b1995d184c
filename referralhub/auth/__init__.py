"""Signing up, in and out, confirming an address, and a new password."""

from referralhub.auth import passwords
from referralhub.auth.views import bp

__all__ = ["bp", "passwords"]
