"""Kept answers: what a view has answered is answered again, from Redis alone, while nothing that it shows has changed.

A view hands its answer to `keep` and says what it depends on. The next one who asks for the same is answered before
Flask is entered, in one round trip, if their session is that of a sign-in which was answered so before; what is
nobody's own is given to all who are not signed in. How a change is noticed is in `services/shared/figure_changes`.
"""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import cache
from math import ceil
from typing import Any, NamedTuple, cast

import msgspec
from flask import Flask, Request, Response, current_app, g, request
from flask_login import current_user
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from referralhub import compression, htmx, languages
from referralhub.branding import shown
from referralhub.config import PROJECT, Settings
from referralhub.early_answers import Answer
from referralhub.observing import context
from referralhub.security import form_token
from referralhub.services.shared import figure_changes
from referralhub.services.shared.figure_changes import CHANGING, EVERYBODY, LEADERBOARD, TRUSTED, version_key
from referralhub.sessions import contents
from referralhub.sessions.interface import REDIS_FAILED, Sessions, member_of

PERIODS = ("", "?period=all", "?period=month", "?period=week")
LEADERBOARDS = {
    f"/leaderboard{period}{size}" for period in PERIODS for size in ("", "&size=small") if period or not size
}
ADDRESSES = {"/dashboard/", "/dashboard/stats"} | LEADERBOARDS  # of these alone answers are kept
NOBODY = 0  # in place of a profile, and of a sign-in
SEEN, KEEP = "referralhub.seen", "referralhub.keep"  # in the environ: what there was before, and what to keep


class Seen(NamedTuple):
    """What Redis said before Flask was entered: the database, asked afterwards, is as new as these versions."""

    trusted: bool
    versions: dict[int, bytes | None]
    sign_ins: list[int]  # which may have the answer that is kept already


class Kept(msgspec.Struct, array_like=True):
    """An answer, and as long as what it is given again. Between the parts of its body stands the form token."""

    versions: dict[int, bytes]
    until: datetime
    sign_ins: list[int]
    unless: str  # a key that Redis must not have, or ""
    token: str = ""
    headers: list[tuple[str, str]] = []
    parts: list[bytes] = []


_decoder, _encoder = msgspec.msgpack.Decoder(Kept), msgspec.msgpack.Encoder()


def init_app(app: Flask) -> None:
    """Look for kept answers before Flask."""
    app.wsgi_app = KeptAnswers(app.wsgi_app, app)  # type: ignore[method-assign]  # how Flask takes middleware


def keep(response: Response, *profile_ids: int, until: datetime, unless: str = "") -> Response:
    """Let an answer be kept until then, or until the figures of one of these, or everybody's, have changed.

    While Redis has a key called `unless`, the view is asked.
    """
    seen: Seen | None = request.environ.get(SEEN)
    if seen is None:
        return response
    redis = current_app.extensions["redis"]
    versions = {each: seen.versions.get(each) for each in (EVERYBODY, *profile_ids)}
    known = {each: version for each, version in versions.items() if version and version != CHANGING}
    with suppress(RedisError):
        if not seen.trusted and not redis.exists(TRUSTED):
            figure_changes.renew_lease(redis)
    if len(known) == len(versions) and shown.is_of(versions[EVERYBODY]):
        sign_in = current_user.sign_in.id if current_user.is_authenticated else NOBODY
        request.environ[KEEP] = Kept(known, until, [*seen.sign_ins, sign_in], unless, g.get("masked_csrf_token", ""))
    return response


class KeptAnswers:
    """WSGI middleware that gives kept answers, keeps what views hand to `keep`, and says 304 to who has it already."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], app: Flask) -> None:
        self.inner, self.app = inner, app
        self.settings: Settings = app.config["SETTINGS"]
        self.redis, self.sessions = app.extensions["redis"], cast(Sessions, app.session_interface)
        self.release = _release(self.settings)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or let the request in."""
        query = environ.get("QUERY_STRING")
        address = environ.get("PATH_INFO", "") + (f"?{query}" if query else "")
        below = environ["SCRIPT_NAME"] == self.settings.base_path  # and not where some header says
        if address not in ADDRESSES or environ["REQUEST_METHOD"] != "GET" or not below:
            return self.inner(environ, start_response)
        request = Request(environ, populate_request=False)
        sid = self.sessions.sid_of(environ)
        whose = member_of(sid) or NOBODY
        language = languages.negotiated(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        part = "part" if htmx.is_partial(request) else "whole"
        key = f"answer:{self.release}:{whose}:{language}:{address}:{part}"
        accepted = environ.pop("HTTP_ACCEPT_ENCODING", "")  # as what is kept is kept as it is
        try:
            answer = self._find(environ, key, sid, whose)
        except RedisError as error:
            environ[REDIS_FAILED] = error  # so that a silent Redis is waited for once
            answer = None
        context.note(route=environ["PATH_INFO"], shortcut="kept", made=answer is None)
        answer = htmx.conditional(request, answer or self._ask(environ, key, whose))
        answer = compression.compressed(answer, accepted)
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _find(self, environ: dict[str, Any], key: str, sid: str | None, whose: int) -> Answer | None:
        profile_ids = (EVERYBODY, LEADERBOARD, whose)
        keys = [TRUSTED, key, contents.PREFIX + (sid or ""), *map(version_key, profile_ids)]
        trusted, packed, session, *versions = self.redis.mget(keys)
        if packed and not trusted and self._renew_lease():
            trusted, packed, session, *versions = self.redis.mget(keys)
        visitor = contents.glance(session)
        is_real = visitor.sign_in or whose == NOBODY  # else somebody could fill Redis with versions of made-up members
        if None in versions and is_real:
            versions = figure_changes.versions(self.redis, *profile_ids)
        found = dict(zip(profile_ids, versions, strict=True))
        self.app.extensions["brand"].note(found[EVERYBODY])  # a change of the brand is one of theirs
        kept = _valid(packed, found, self.app.config["CLOCK"]())
        environ[SEEN] = Seen(bool(trusted), found, kept.sign_ins if kept else [])
        if not trusted or kept is None or visitor.notices or (visitor.sign_in or NOBODY) not in kept.sign_ins:
            return None
        if (kept.token and not visitor.form_token) or (kept.unless and self.redis.exists(kept.unless)):
            return None
        token = form_token(self.app.config["SECRET_KEY"], visitor.form_token or "") if kept.token else ""
        body = token.encode().join(kept.parts)
        return Answer("200 OK", [*kept.headers, ("Content-Length", str(len(body)))], body)

    def _renew_lease(self) -> bool:
        """Ask the database what Redis has missed: one query, where a view would hold up all who wait behind it."""
        with self.app.app_context():
            g.in_a_hurry = True
            try:
                figure_changes.renew_lease(self.redis)
            except SQLAlchemyError:  # the view says that the database is away
                return False
        return True

    def _ask(self, environ: dict[str, Any], key: str, whose: int) -> Answer:
        begun: list[Any] = []
        body = self.inner(environ, lambda status, headers, _=None: begun.extend((status, headers)))
        try:
            answer = Answer(begun[0], begun[1], b"".join(body))
        finally:
            getattr(body, "close", lambda: None)()
        if kept := environ.get(KEEP):
            self._keep(kept, answer, key, whose)
        return answer

    def _keep(self, kept: Kept, answer: Answer, key: str, whose: int) -> None:
        # The session's id need not say the truth: what a member was given is not nobody's, and the other way round.
        of_this_key = (kept.sign_ins[-1] == NOBODY) == (whose == NOBODY)
        if answer.status != "200 OK" or not of_this_key or any(name == "Set-Cookie" for name, _ in answer.headers):
            return
        kept.headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
        kept.parts = answer.body.split(kept.token.encode()) if kept.token else [answer.body]
        seconds = (kept.until - self.app.config["CLOCK"]()).total_seconds()
        with suppress(RedisError):
            self.redis.set(key, _encoder.encode(kept), ex=max(1, ceil(seconds)))


def _valid(packed: bytes | None, versions: dict[int, bytes | None], now: datetime) -> Kept | None:
    if packed is None:
        return None
    kept = _decoder.decode(packed)  # the key names the release, so that no other one's form is found
    same = all(versions.get(each) == version for each, version in kept.versions.items())
    return kept if same and now < kept.until else None


def _release(settings: Settings) -> str:
    """Name what makes the answers, apart from what is in the database."""
    return hashlib.sha256(f"{_code()} {settings.base_url} {settings.development}".encode()).hexdigest()[:12]


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for file in sorted((PROJECT / "referralhub").rglob("*")):
        if file.suffix in {".py", ".html", ".css", ".js", ".svg", ".mo"}:
            digest.update(file.read_bytes())
    return digest.hexdigest()
