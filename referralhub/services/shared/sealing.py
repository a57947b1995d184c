"""Sealing what has to be read back: with a copy of the database alone nobody can, it takes the SECRET_KEY."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

from nacl.encoding import URLSafeBase64Encoder
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox


class Unreadable(Exception):
    """It was sealed under another SECRET_KEY, or changed."""


def seal(text: str, secret_key: str) -> str:
    """Return a text encrypted and authenticated (XSalsa20-Poly1305 with a nonce of its own)."""
    return _box(secret_key, b"sealing").encrypt(text.encode(), encoder=URLSafeBase64Encoder).decode()


def unseal(sealed: str, secret_key: str) -> str:
    """Return what was sealed. Raises Unreadable."""
    try:
        return _box(secret_key, b"sealing").decrypt(sealed.encode(), encoder=URLSafeBase64Encoder).decode()
    except (CryptoError, ValueError):
        raise Unreadable from None


def token_of(content: bytes, secret_key: str, purpose: bytes) -> str:
    """Seal bytes for a purpose of at most 16 letters, as short as a token in an address can be; no two are the same."""
    return _in_letters(_box(secret_key, purpose).encrypt(content))


def content_of(token: str, secret_key: str, purpose: bytes) -> tuple[bytes, bytes]:
    """Return what is in a token, and what no other token has: its nonce. Raises Unreadable."""
    try:
        sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if _in_letters(sealed) != token:  # the last letter has bits that say nothing, and others are passed over
            raise Unreadable
        return _box(secret_key, purpose).decrypt(sealed), sealed[: SecretBox.NONCE_SIZE]
    except (CryptoError, ValueError):
        raise Unreadable from None


def _in_letters(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode().rstrip("=")


@lru_cache(16)
def _box(secret_key: str, purpose: bytes) -> SecretBox:
    """Derive a key for this alone, so that what is signed elsewhere with SECRET_KEY says nothing of it."""
    return SecretBox(hashlib.blake2b(secret_key.encode(), digest_size=32, person=purpose).digest())
