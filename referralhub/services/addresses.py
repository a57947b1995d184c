"""Mail addresses: telling two apart, and remembering one without keeping it."""

import hashlib
import hmac


def address_hash(address: str, secret_key: str) -> str:
    """Make an HMAC of an address, by which it is known again and cannot be guessed without the key."""
    return hmac.new(secret_key.encode(), f"address:{address.lower()}".encode(), hashlib.sha256).hexdigest()
