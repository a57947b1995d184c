"""A click in a token, for the address of a product: it sends the token back with the signup.

Nobody but us can read or make one: it is sealed, not only signed, as products and their logs keep it. It names no
person: whose link it was, by which channel, and when. Two tokens of one click have nothing in common.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from referralhub.models import Channel
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import sealing
from referralhub.services.shared.sealing import Unreadable

PURPOSE = b"click"
LONGEST = 200  # characters of a token
KEY_BYTES = 12  # of a nonce, which tell one token from all others
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, Channel, int, int | None, str | None]).decode


def seal(link: FollowedLink, secret_key: str) -> str:
    """Return the token of a followed link: less than 140 characters, each of which can stand in an address."""
    moment = (link.visited_at - BEGINNING) // MICROSECOND
    said = (link.code, link.channel.value, moment, link.invitation_id, link.key)
    return sealing.token_of(_encode(said), secret_key, PURPOSE)


def unseal(token: str, secret_key: str) -> FollowedLink | None:
    """Return the link in a token, with the key by which it counts for one account; None for what we did not make.

    However old it is: whether it still counted when somebody signed up is for `attribution.find_referrer`.
    """
    if len(token) > LONGEST:
        return None
    try:
        content, nonce = sealing.content_of(token, secret_key, PURPOSE)
        code, channel, moment, invitation_id, key = _decode(content)
    except (Unreadable, msgspec.DecodeError):
        return None
    return FollowedLink(code, channel, BEGINNING + moment * MICROSECOND, invitation_id, key or nonce[:KEY_BYTES].hex())
