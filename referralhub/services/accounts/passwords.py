"""Passwords: what is accepted, how it is stored, how it is checked."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import digits, punctuation
from threading import BoundedSemaphore
from unicodedata import normalize

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from referralhub.models import NO_PASSWORD
from referralhub.services.shared.errors import TooManyAtOnce, WeakPassword

SHORTEST, LONGEST = 8, 128
OURS = {"referralhub", "referral", "referrals", "refer"}  # what this is, which is guessed first here


@dataclass(frozen=True)
class Cost:
    """What one guess costs: passes of Argon2id over so many KiB of memory, in one lane."""

    passes: int
    memory: int


OWASP = Cost(passes=2, memory=19 * 1024)  # the Password Storage Cheat Sheet's
_cost = OWASP

# Hashing fills a processor each, and a request that waits for one holds a web thread. So as many hash as there are
# processors, others may wait, and one thread of a web process is always left for other pages; see `leave_room`.
_processors = BoundedSemaphore(os.cpu_count() or 1)
_room = BoundedSemaphore(1)


def leave_room(web_threads: int) -> None:
    """Let all threads of this process but one hash, or wait for it, at the same time."""
    global _room  # noqa: PLW0603 - there is one for a process, as there are processors
    _room = BoundedSemaphore(max(1, web_threads - 1))


@cache
def _common() -> frozenset[str]:
    file = Path(__file__).parent.parent.parent / "data" / "common-passwords.txt"
    return frozenset(file.read_text(encoding="utf-8").split())


@cache
def _nobodys_hash() -> str:
    return _hash("nobody")  # checked where there is no account, so that the answer takes as long


def accept(password: str, username: str, email: str, site: str = "", field: str = "password") -> None:
    """Raise WeakPassword unless it would take an attacker more than a list of guesses (NIST SP 800-63B, 5.1.1.2).

    `site` is what members know the program as.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword("password_length", field, shortest=SHORTEST, longest=LONGEST)
    lowered = password.lower()
    if lowered in _common() or len(set(lowered)) < 3:
        raise WeakPassword("password_common", field)
    names = {username.lower(), email.lower(), email.lower().partition("@")[0]} | OURS
    names |= {site.lower(), "".join(site.lower().split())}
    if lowered in names or lowered.strip(digits + punctuation) in {name.strip(digits + punctuation) for name in names}:
        raise WeakPassword("password_is_name", field)


def hash_password(password: str) -> str:
    """Hash with Argon2id; takes tens of milliseconds on purpose. Raises TooManyAtOnce.

    An é is the same in one character or in two (NIST SP 800-63B, 5.1.1.2): keyboards differ in what they send.
    """
    with _place():
        return _hash(normalize("NFC", password))


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether the password is right; takes as long for an account that does not exist (None) or has no password.

    Raises TooManyAtOnce.
    """
    with _place():
        typed = normalize("NFC", password)
        # Hashes of before were made of what was typed, as it was.
        return _verifies(password_hash, typed) or (typed != password and _verifies(password_hash, password))


def _hash(password: str) -> str:
    return argon2id.str(password.encode(), opslimit=_cost.passes, memlimit=1024 * _cost.memory).decode()


def _verifies(password_hash: str | None, password: str) -> bool:
    try:
        known = password_hash if password_hash != NO_PASSWORD else None
        right = argon2id.verify((known or _nobodys_hash()).encode(), password.encode())
    except CryptoError:  # wrong, or no hash of ours
        return False
    return right and known is not None


def fingerprint(password_hash: str) -> str:
    """Return by what a password's hash is told from a later one; it says nothing of either."""
    return hashlib.sha256(password_hash.encode()).hexdigest()


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other settings than today's."""
    return not password_hash.startswith(f"$argon2id$v=19$m={_cost.memory},t={_cost.passes},p=1$")


@contextmanager
def _place() -> Iterator[None]:
    if not _room.acquire(blocking=False):
        raise TooManyAtOnce
    try:
        with _processors:
            yield
    finally:
        _room.release()
