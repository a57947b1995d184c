"""Passwords: what is accepted, how it is stored, how it is checked."""

from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from referralhub.services.errors import WeakPassword

SHORTEST, LONGEST = 8, 128
UNUSABLE = "!"  # a stored value that no password matches

# OWASP's Password Storage Cheat Sheet, Argon2id: 19 MiB of memory, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@cache
def _common() -> frozenset[str]:
    file = Path(__file__).parent.parent / "data" / "common-passwords.txt"
    return frozenset(file.read_text(encoding="utf-8").split())


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("checked when there is no account, so that the answer takes as long")


def accept(password: str, username: str, email: str) -> None:
    """Raise WeakPassword unless it would take an attacker more than a list of guesses (NIST SP 800-63B, 5.1.1.2)."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"Use {SHORTEST} to {LONGEST} characters.")
    lowered = password.lower()
    if lowered in _common() or len(set(lowered)) < 3:
        raise WeakPassword("This password is one of the first that attackers try. Please choose another one.")
    if lowered in {username.lower(), email.lower(), email.lower().partition("@")[0]}:
        raise WeakPassword("Your password must not be your name or your address.")


def hash_password(password: str) -> str:
    """Hash with Argon2id; takes tens of milliseconds on purpose."""
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Tell whether the password is right; takes as long for an account that does not exist (None)."""
    try:
        return _hasher.verify(password_hash or _nobodys_hash(), password) and password_hash is not None
    except (Argon2Error, InvalidHashError):
        return False
