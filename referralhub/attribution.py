"""Which links a visitor followed: kept in the session from the click to the signup.

Following a link is the busiest thing that people do here, so it is one round trip to Redis and no SQL: a script looks
up the code, adds the visit to the session, and counts it.
"""

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flask import current_app, request, session
from itsdangerous import BadData, URLSafeSerializer
from redis.commands.core import Script

from referralhub.clock import now
from referralhub.config import SESSION_DAYS
from referralhub.models import Channel
from referralhub.services.referrals import Attribution
from referralhub.services.visits import COUNT

KEY = "visits"  # in the session: a list, oldest first
MOST = 10  # visits kept in a session: the first and the latest ones
KNOWN_FOR = 60  # seconds that Redis believes a code to be live; at the signup the database is asked

_ARRIVE = f"""
local profile = redis.call('GET', KEYS[1])
if not profile then return 'unknown' end
local at, code, channel, invitation = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
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
if #visits > tonumber(ARGV[5]) then table.remove(visits, 2) end
session.visits = visits
redis.call('SET', key, cmsgpack.pack(session), 'EX', ARGV[6])
if ARGV[7] == '' then return kept and 'kept' or 'new' end
{COUNT}
if not again then
  kind = 'visitors'
  {COUNT}
end
return kept and 'kept' or 'new'
"""


class Arrival(StrEnum):
    """What became of a click."""

    UNKNOWN = "unknown"  # Redis does not know the code; the database may
    MEMBER = "member"  # somebody who has an account
    KEPT = "kept"  # in the session that was there
    NEW = "new"  # in a new session


def arrive(visit: Attribution, counted: bool = True) -> tuple[Arrival, str]:
    """Remember a visit and count it, in one round trip; gives the id of the session it is in.

    Raises RedisError.
    """
    sid, new_sid = request.cookies.get(current_app.config["SESSION_COOKIE_NAME"]), secrets.token_urlsafe(32)
    keys = [f"link:{visit.code}", f"session:{sid}" if sid else "", f"session:{new_sid}"]
    lifetime = SESSION_DAYS * 24 * 3600
    known_as, when = visit.invitation_id or "", visit.visited_at.isoformat()
    arguments = [when, visit.code, visit.channel.value, known_as, MOST, lifetime, "counted" if counted else ""]
    arrival = Arrival(_script()(keys, arguments).decode())
    return arrival, new_sid if arrival is Arrival.NEW else sid or ""


def learn(code: str, profile_id: int) -> None:
    """Let Redis know for a minute whose code it is. Raises RedisError."""
    current_app.extensions["redis"].set(f"link:{code}", profile_id, ex=KNOWN_FOR)


def unlearn(code: str) -> None:
    """Let Redis know at once that a code is nobody's any more. Raises RedisError."""
    current_app.extensions["redis"].delete(f"link:{code}")


def recall() -> list[Attribution]:
    """Give the links that led this visitor here, oldest first."""
    return [_read(visit) for visit in session.get(KEY, [])]


def forget() -> None:
    """Drop them: they have done their work."""
    session.pop(KEY, None)


def seal(visit: Attribution) -> str:
    """Put a visit into a token for the address of the signup page, while Redis cannot keep it."""
    return _serializer().dumps(
        [visit.code, visit.channel.value, visit.visited_at.isoformat(), visit.invitation_id, secrets.token_hex(8)]
    )


def unseal(token: str) -> Attribution | None:
    """Give the visit in a token, with the key by which it is used once; None for anything that we did not sign."""
    try:
        code, channel, at, invitation_id, key = _serializer().loads(token)
    except BadData:
        return None
    visited_at = datetime.fromisoformat(at)
    if now() - visited_at > timedelta(days=SESSION_DAYS):
        return None
    return Attribution(code, Channel(channel), visited_at, invitation_id, key)


def _read(visit: dict[str, Any]) -> Attribution:
    at = datetime.fromisoformat(visit["at"])
    return Attribution(visit["code"], Channel(visit["channel"]), at, visit.get("invitation"))


def _script() -> Script:
    script: Script = current_app.extensions.get("arrive")
    if script is None:
        script = current_app.extensions["arrive"] = current_app.extensions["redis"].register_script(_ARRIVE)
    return script


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="visit")
