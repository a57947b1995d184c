"""A member's own settings: who they are to others, how they sign in, what mail they get, and their data."""

from referralhub.account import (
    avatar,
    data,
    language,
    notifications,
    own_code,
    profile,
    referrer,
    security,
    two_factor,
)
from referralhub.account.views import bp

__all__ = [
    "avatar",
    "bp",
    "data",
    "language",
    "notifications",
    "own_code",
    "profile",
    "referrer",
    "security",
    "two_factor",
]
