"""Which links a visitor followed: kept in the session from the click to the signup.

Following a link is the busiest thing that people do here, so it is one round trip to Redis and no SQL: a script looks
up the code, adds the visit to the session, and counts it.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flask import current_app, session
from itsdangerous import BadData, URLSafeSerializer
from redis import Redis
from redis.exceptions import NoScriptError

from referralhub.clock import now
from referralhub.config import SESSION_DAYS
from referralhub.models import Channel
from referralhub.services.referrals.lifecycle import FollowedLink
from referralhub.services.referrals.visits import COUNT

KEY = "visits"  # in the session: a list, oldest first
MOST = 10  # visits kept in a session: the first and the latest ones
KNOWN_FOR = 60  # seconds that Redis believes a code to be live; at the signup the database is asked

_ARRIVE = f"""
local profile = redis.call('GET', KEYS[1])
if not profile then return 'unknown' end
local at, code, channel, invitation, counted = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local day, key, kind = string.sub(at, 1, 10), KEYS[2], 'visits'
local kept = key ~= '' and redis.call('GET', key)
local session = kept and cmsgpack.unpack(kept) or {{_permanent = true}}
if session._user_id then return 'member' end
if not kept then key = KEYS[3] end
local visits, again = session.visits or {{}}, false
for _, visit in ipairs(visits) do
  again = again or (visit.code == code and string.sub(visit.at, 1, 10) == day)
end
visits[#visits + 1] = {{at = at, code = code, channel = channel, invitation = invitation}}
if #visits > {MOST} then table.remove(visits, 2) end
session.visits = visits
redis.call('SET', key, cmsgpack.pack(session), 'EX', {SESSION_DAYS * 24 * 3600})
if counted == '' then return kept and 'kept' or 'new' end
{COUNT}
if not again then
  kind = 'visitors'
  {COUNT}
end
return kept and 'kept' or 'new'
"""
_SHA = hashlib.sha1(_ARRIVE.encode(), usedforsecurity=False).hexdigest()  # what Redis calls the script


class Arrival(StrEnum):
    """What became of a click."""

    UNKNOWN = "unknown"  # Redis does not know the code; the database may
    MEMBER = "member"  # somebody who has an account
    KEPT = "kept"  # in the session that was there
    NEW = "new"  # in a new session


def arrive(redis: Redis, visit: FollowedLink, sid: str | None, counted: bool = True) -> tuple[Arrival, str]:
    """Remember a visit and count it, in one round trip; gives the id of the session it is in.

    `sid` is what the visitor's cookie says. Raises RedisError.
    """
    new_sid, invitation = secrets.token_urlsafe(32), visit.invitation_id or ""
    keys = f"link:{visit.code}", f"session:{sid}" if sid else "", f"session:{new_sid}"
    values = visit.visited_at.isoformat(), visit.code, visit.channel.value, invitation, "counted" if counted else ""
    try:
        answer = redis.evalsha(_SHA, len(keys), *keys, *values)
    except NoScriptError:  # a Redis that has just started
        answer = redis.eval(_ARRIVE, len(keys), *keys, *values)
    arrival = Arrival(answer.decode())
    return arrival, new_sid if arrival is Arrival.NEW else sid or ""


def channel_of(via: str) -> Channel:
    """Read from a link's address by which button it was shared."""
    try:
        return Channel(via.lower()) if via else Channel.LINK
    except ValueError:
        return Channel.LINK


def learn(code: str, profile_id: int) -> None:
    """Let Redis know for a minute whose code it is. Raises RedisError."""
    current_app.extensions["redis"].set(f"link:{code}", profile_id, ex=KNOWN_FOR)


def unlearn(code: str) -> None:
    """Let Redis know at once that a code is nobody's any more. Raises RedisError."""
    current_app.extensions["redis"].delete(f"link:{code}")


def recall() -> list[FollowedLink]:
    """Give the links that led this visitor here, oldest first."""
    return [_read(visit) for visit in session.get(KEY, [])]


def forget() -> None:
    """Drop them: they have done their work."""
    session.pop(KEY, None)


def seal(visit: FollowedLink) -> str:
    """Put a visit into a token for the address of the signup page, while Redis cannot keep it."""
    return _serializer().dumps(
        [visit.code, visit.channel.value, visit.visited_at.isoformat(), visit.invitation_id, secrets.token_hex(8)]
    )


def unseal(token: str) -> FollowedLink | None:
    """Give the visit in a token, with the key by which it is used once; None for anything that we did not sign."""
    try:
        code, channel, at, invitation_id, key = _serializer().loads(token)
    except BadData:
        return None
    visited_at = datetime.fromisoformat(at)
    if now() - visited_at > timedelta(days=SESSION_DAYS):
        return None
    return FollowedLink(code, Channel(channel), visited_at, invitation_id, key)


def _read(visit: dict[str, Any]) -> FollowedLink:
    at = datetime.fromisoformat(visit["at"])
    return FollowedLink(visit["code"], Channel(visit["channel"]), at, visit.get("invitation"))


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="visit")
