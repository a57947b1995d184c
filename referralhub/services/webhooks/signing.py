"""Signatures and secrets as Standard Webhooks has them: https://www.standardwebhooks.com."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

PREFIX = "whsec_"
LENGTH = 32  # bytes of a secret


def new_secret() -> str:
    """Draw a secret, as the receiver types it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(LENGTH)).decode()


def headers(message_id: str, body: str, keys: Iterable[str], now: datetime) -> dict[str, str]:
    """Return what goes along with a body: its id, the moment, and a signature by each of the secrets."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(signed, key) for key in keys),
    }


def _signature(signed: bytes, key: str) -> str:
    digest = hmac.new(base64.b64decode(key.removeprefix(PREFIX)), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
