"""What a session holds, and how it is packed in Redis. Only this module and `arrive.lua` know the keys.

| key | holds |
| --- | --- |
| `visits` | the links that were followed, the oldest first: `at` (ISO 8601), `code`, `channel`, `invitation`, `key` |
| `members` | the profiles that were signed in with this browser, beyond the sign-out, the latest last |
| `signup opened` | when the signup form was first shown, in seconds since 1970 |
| `half signed in` | whose password was right and whose code is asked for: `user_id`, `at`, `remember`, `password` |
| `new secret` | what an app is being given, sealed |
| `provider` | a question to the provider that is not answered yet: `state`, `nonce`, `verifier`, `wanted`, `asked_at` |
| `_user_id` | the sign-in, as Flask-Login calls it |
| `csrf_token`, `_flashes`, `_permanent` | what Flask-WTF and Flask keep |
"""

from datetime import datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from flask import session

from referralhub.models import Channel
from referralhub.services.referrals.attribution import FollowedLink

PREFIX = "session:"  # of the key in Redis, before the session's id
ARRIVE = (Path(__file__).parent / "arrive.lua").read_text(encoding="utf-8")
MOST_LINKS = 10  # that are kept: the first and the latest ones
MOST_MEMBERS = 10
STEP_LASTS = timedelta(minutes=10)  # from the password to the code, and from us to the provider and back

_LINKS, _MEMBERS, _OPENED = "visits", "members", "signup opened"
_HALF, _SECRET, _PROVIDER = "half signed in", "new secret", "provider"
_SIGN_IN, _CSRF, _NOTICES = "_user_id", "csrf_token", "_flashes"


class HalfSignedIn(NamedTuple):
    """Somebody whose password was right, and who has yet to give a code: worth nothing but that the code is taken."""

    user_id: int
    remember: bool
    password: str  # a digest of its hash, so that a new password ends this


class ProviderQuestion(NamedTuple):
    """What the provider was asked, and where to go on from the answer."""

    state: str
    nonce: str
    verifier: str
    wanted: str
    asked_at: datetime


class Glance(NamedTuple):
    """What matters of a session to an answer that was made before."""

    sign_in: int | None
    form_token: str | None  # as it is kept, unsigned
    notices: bool  # whether there is something to be shown once


class Serializer:
    """msgpack and nothing else: Flask-Session's own falls back to pickle, which would run what it reads."""

    def encode(self, contents: Any) -> bytes:
        """Pack what a session holds."""
        return msgspec.msgpack.encode(dict(contents))

    def decode(self, packed: bytes) -> dict[str, Any]:
        """Unpack it."""
        unpacked: dict[str, Any] = msgspec.msgpack.decode(packed)
        return unpacked


def followed_links() -> list[FollowedLink]:
    """Return the links that led this visitor here, the oldest first."""
    return _links(session.get(_LINKS, []))


def links_in(packed: bytes | None) -> list[FollowedLink]:
    """Return those in a packed session, or in one that there is not."""
    return _links(msgspec.msgpack.decode(packed).get(_LINKS, []) if packed else [])


def session_of(link: FollowedLink) -> bytes:
    """Pack a session that holds one link and nothing else."""
    return msgspec.msgpack.encode({"_permanent": True, _LINKS: [_packed(link)]})


def remember_link(link: FollowedLink) -> None:
    """Keep a link that came in an address, unless it was followed in this browser."""
    known = followed_links()
    if any((each.code, each.visited_at) == (link.code, link.visited_at) for each in known):
        return
    kept = session.setdefault(_LINKS, [])
    kept.append(_packed(link))
    kept.sort(key=lambda each: datetime.fromisoformat(each["at"]))
    del kept[1 : 1 - MOST_LINKS]
    session.modified = True


def forget_links() -> None:
    """Drop the links: they have done their work."""
    session.pop(_LINKS, None)


def members() -> tuple[int, ...]:
    """Return the profiles that were signed in with this browser."""
    return tuple(session.get(_MEMBERS, []))


def remember_member(profile_id: int) -> None:
    """Keep who was signed in with this browser: nobody refers themselves."""
    others = [each for each in members() if each != profile_id]
    session[_MEMBERS] = [*others, profile_id][-MOST_MEMBERS:]


def clear_but_members() -> None:
    """Forget everything but who was signed in with this browser."""
    kept = list(members())
    session.clear()
    session[_MEMBERS] = kept


def note_signup_opened(now: datetime) -> None:
    """Keep when the signup form was first shown."""
    session.setdefault(_OPENED, int(now.timestamp()))


def seconds_since_signup_opened(now: datetime) -> int | None:
    """Return how long ago that was; None where it was not shown in this session."""
    opened = session.get(_OPENED)
    return int(now.timestamp() - opened) if opened else None


def keep_half_signed_in(half: HalfSignedIn, now: datetime) -> None:
    """Keep whose password was right."""
    session[_HALF] = {**half._asdict(), "at": now.isoformat()}


def half_signed_in(now: datetime) -> HalfSignedIn | None:
    """Return whose password was right a few minutes ago."""
    held = session.get(_HALF)
    if not held or now - datetime.fromisoformat(held["at"]) > STEP_LASTS:
        return None
    return HalfSignedIn(held["user_id"], held["remember"], held["password"])


def forget_half_signed_in() -> None:
    """Drop it: the code was right."""
    session.pop(_HALF, None)


def new_secret() -> str | None:
    """Return the sealed secret that an app is being given."""
    secret: str | None = session.get(_SECRET)
    return secret


def keep_new_secret(sealed: str | None) -> None:
    """Keep it until an app has it; None drops it."""
    if sealed != session.get(_SECRET):
        session[_SECRET] = sealed


def keep_question(question: ProviderQuestion) -> None:
    """Keep what the provider is asked."""
    session[_PROVIDER] = {**question._asdict(), "asked_at": question.asked_at.isoformat()}


def take_question(state: str, now: datetime) -> ProviderQuestion | None:
    """Return what the provider was asked under this name, once and for a few minutes."""
    held = session.pop(_PROVIDER, None)
    if held is None or not compare_digest(held["state"].encode(), state.encode()):
        return None
    question = ProviderQuestion(**held | {"asked_at": datetime.fromisoformat(held["asked_at"])})
    return question if now - question.asked_at <= STEP_LASTS else None


def glance(packed: bytes | None) -> Glance:
    """Look into a packed session, or one that there is not."""
    held = msgspec.msgpack.decode(packed) if packed else {}
    sign_in = held.get(_SIGN_IN)
    return Glance(int(sign_in) if sign_in else None, held.get(_CSRF), bool(held.get(_NOTICES)))


def is_signed_in() -> bool:
    """Whether the session names a sign-in, which may have been ended from elsewhere."""
    return _SIGN_IN in session


def _packed(link: FollowedLink) -> dict[str, Any]:
    return {
        "at": msgspec.to_builtins(link.visited_at),
        "code": link.code,
        "channel": link.channel.value,
        "invitation": link.invitation_id,
        "key": link.key,
    }


def _links(kept: list[dict[str, Any]]) -> list[FollowedLink]:
    return [
        FollowedLink(
            link["code"],
            Channel(link["channel"]),
            datetime.fromisoformat(link["at"]),
            link.get("invitation"),
            link.get("key"),
        )
        for link in kept
    ]


def has_csrf_token() -> bool:
    """Whether a form was shown in this session."""
    return _CSRF in session
