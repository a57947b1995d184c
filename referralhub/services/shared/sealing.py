"""Sealing what has to be read back: with a copy of the database alone nobody can, it takes the SECRET_KEY."""

import hashlib

from nacl.encoding import URLSafeBase64Encoder
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox


class Unreadable(Exception):
    """It was sealed under another SECRET_KEY, or changed."""


def seal(text: str, secret_key: str) -> str:
    """Return a text encrypted and authenticated (XSalsa20-Poly1305 with a nonce of its own)."""
    return _box(secret_key).encrypt(text.encode(), encoder=URLSafeBase64Encoder).decode()


def unseal(sealed: str, secret_key: str) -> str:
    """Return what was sealed. Raises Unreadable."""
    try:
        return _box(secret_key).decrypt(sealed.encode(), encoder=URLSafeBase64Encoder).decode()
    except (CryptoError, ValueError):
        raise Unreadable from None


def _box(secret_key: str) -> SecretBox:
    """Derive a key for this alone, so that what is signed elsewhere with SECRET_KEY says nothing of it."""
    return SecretBox(hashlib.blake2b(secret_key.encode(), digest_size=32, person=b"sealing").digest())
