"""A followed link in a signed token, for the address of the signup page.

A link that was opened in an app's own browser, and then in the real one, leads on; so does one that was followed while
Redis was away.
"""

import hmac
from datetime import datetime, timedelta
from functools import lru_cache
from random import getrandbits

import msgspec
from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from referralhub.config import SESSION_DAYS
from referralhub.models import Channel
from referralhub.services.referrals.attribution import FollowedLink


def seal(link: FollowedLink, secret_key: str) -> str:
    """Return the token of a followed link."""
    key = link.key or f"{getrandbits(64):016x}"  # no secret: whoever guesses one cannot sign it
    said = [link.code, link.channel.value, link.visited_at, link.invitation_id, key]
    # What the serializer writes, but for trying to compress a few bytes, and deriving a key, each time anew.
    value = base64_encode(msgspec.json.encode(said))
    mac = _mac(secret_key).copy()
    mac.update(value)
    return f"{value.decode()}.{base64_encode(mac.digest()).decode()}"


def unseal(token: str, secret_key: str, now: datetime) -> FollowedLink | None:
    """Return the link in a token, with the key by which it is used once; None for anything that we did not sign."""
    try:
        code, channel, at, invitation_id, key = _serializer(secret_key).loads(token)
    except BadData:
        return None
    visited_at = datetime.fromisoformat(at)
    if now - visited_at > timedelta(days=SESSION_DAYS):
        return None
    return FollowedLink(code, Channel(channel), visited_at, invitation_id, key)


@lru_cache(1)
def _mac(secret_key: str) -> hmac.HMAC:
    signer = Signer(secret_key, salt="visit")
    return hmac.new(signer.derive_key(), digestmod=signer.default_digest_method)


@lru_cache(1)
def _serializer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt="visit")
