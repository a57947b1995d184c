"""Server-side sessions in Redis: Flask-Session's interface with its rough edges taken off.

They hold who is signed in and whose link a visitor followed. The cookie holds a random id and nothing else.
"""

import re
import secrets
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from time import time
from typing import Any, NamedTuple, cast

from flask import Flask, Request, Response, current_app, request
from flask import session as current_session
from flask.sessions import SessionMixin
from flask_session.base import ServerSideSession
from flask_session.redis import RedisSessionInterface
from redis import RedisError
from werkzeug.http import dump_cookie
from werkzeug.sansio.http import parse_cookie

from referralhub.redis_client import ask, run
from referralhub.services.links import live_codes, visits
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import codes
from referralhub.services.shared.figure_changes import EVERYBODY, version_key
from referralhub.sessions import contents
from referralhub.sessions.contents import ARRIVE, MOST_LINKS, PREFIX, Serializer

WITHOUT_REDIS = {
    # A friend who arrives while Redis is away is not lost.
    ("GET", "landing.follow"), ("GET", "auth.signup"), ("GET", "auth.join"),
    ("POST", "account.unsubscribe_now"),  # a mail program does not try again
}  # fmt: skip
READS = {"GET", "HEAD", "OPTIONS"}
WRITABLE = "writable"  # a key that says nothing: whether it can be written is what matters
LINK = re.compile(rf"/{codes.SHAPE}/?")
MEMBER = re.compile(r"[\w-]+\.([0-9]{1,10})")
REDIS_FAILED = "referralhub.redis_failed"  # in the environ: why a fast path could not ask Redis
VERSION = version_key(EVERYBODY)
ID_BYTES = 33  # one more than of the sessions that `former_cookie` is about
WITHOUT_SESSION = ("/static/", "/brand/", "/api/", "/healthz", "/readyz", "/metrics")
MOST_KNOWN = 10_000  # codes, of which a process knows which drawn one each stands for


class Session(ServerSideSession):
    """A session that knows whether Redis already holds it."""

    loaded = False  # read from Redis, so that writing it must not bring it back after a sign-out elsewhere
    failure: RedisError | None = None  # why it could not be read, or would not be kept
    kept: bytes | None = None  # what this request has put into Redis already


class NotKept(RedisError):
    """What the answer has done to the session is lost. What the request did before that is not."""

    def __init__(self, cause: RedisError, response: Response) -> None:
        super().__init__(str(cause))
        self.response = response


class Arrival(StrEnum):
    """What became of a click."""

    UNKNOWN = "unknown"  # Redis does not know the code; the database may
    MEMBER = "member"  # somebody who has an account
    KEPT = "kept"  # in the session that was there
    NEW = "new"  # in a new session


class Arrived(NamedTuple):
    """What became of a click, the id of the session that it is in, and the link as it counts: by the drawn code.

    `version` is that of everybody's figures at that moment, which each change of the rules renews.
    """

    arrival: Arrival
    sid: str
    link: FollowedLink
    version: bytes | None = None


class Sessions(RedisSessionInterface):
    """Opens and saves sessions. A visitor who got none because Redis is away gets the 503 page before any view runs."""

    session_class = Session

    def __init__(self, app: Flask, client: Any) -> None:
        super().__init__(app, client=client, key_prefix=PREFIX)
        self.sid_length = ID_BYTES
        self.name: str = app.config["SESSION_COOKIE_NAME"]
        self.lifetime = int(app.permanent_session_lifetime.total_seconds())
        self.serializer = Serializer()
        self._arrive = client.register_script(ARRIVE)
        self._drawn: dict[str, str] = {}  # of codes that were live lately: which drawn one each stands for
        self.fixed_paths: frozenset[str] = frozenset()
        app.before_request(_require_session)

    def is_link(self, path: str) -> bool:
        """Whether this is a member's link, which needs no session of Flask's: `arrive` keeps it."""
        if not self.fixed_paths:
            self.fixed_paths = frozenset(rule.rule.rstrip("/") for rule in self.app.url_map.iter_rules())
        return LINK.fullmatch(path) is not None and path.rstrip("/") not in self.fixed_paths

    def open_session(self, app: Flask, request: Request) -> Session:
        """Load the visitor's session, or an empty one; pages that need none do not ask Redis."""
        if request.path.startswith(WITHOUT_SESSION) or self.is_link(request.path):
            return Session(sid="", permanent=self.permanent)
        try:
            if failed := request.environ.get(REDIS_FAILED):
                raise failed
            if request.method not in READS:  # what is sent is refused before anything is done, or not at all
                self.client.set(WRITABLE, "", ex=60)
            return self.load(app, request)
        except RedisError as error:
            session = Session(sid="", permanent=self.permanent)
            session.failure = error
            return session

    def load(self, app: Flask, request: Request) -> Session:
        """Load the visitor's session whatever the page. Raises RedisError."""
        session = _ours(super().open_session(app, request))
        session.loaded = session.sid == self.sid_in(request)
        return session

    def sid_in(self, request: Request) -> str | None:
        """Read which session the visitor's cookie names."""
        return self.sid_of(request.environ)

    def sid_of(self, environ: dict[str, Any]) -> str | None:
        """Read the same before there is a request object, which takes longer than this."""
        cookies = environ.get("HTTP_COOKIE")
        return parse_cookie(cookies).get(self.name) if cookies else None

    def arrive(self, link: FollowedLink, sid: str | None, counted: bool = True) -> Arrived:
        """Keep a followed link and count the visit, under the drawn code of whose link it is.

        It takes one round trip; more where a count begins, or where this process was wrong about the code. `sid` is
        what the visitor's cookie says. Raises RedisError.
        """
        drawn = self._drawn.get(link.code) if sid is None and counted else None
        arrived = self._arrive_by_commands(link, drawn) if drawn else None
        return arrived or self._arrive_by_script(link, sid, counted)

    def _arrive_by_commands(self, link: FollowedLink, drawn: str) -> Arrived | None:
        """Do so for somebody without a session, whom plain commands serve faster than a script.

        They count at once, as the code was live the last time. None if Redis does not know that any more; then the
        session and the count are taken back.
        """
        ours = link if drawn == link.code else link._replace(code=drawn)
        sid = secrets.token_urlsafe(ID_BYTES)
        session, counts = PREFIX + sid, visits.key(drawn)
        field = visits.field(link.visited_at, link.channel, visits.FIRST)
        (stands_for, version), _, number = ask(
            self.client,
            ("MGET", live_codes.key(link.code), VERSION),
            ("SET", session, contents.session_of(ours), "EX", self.lifetime),
            ("HINCRBY", counts, field, 1),
        )
        if stands_for is not None and stands_for.decode() == drawn:
            if number == 1:
                with suppress(RedisError):  # then they are booked with the next ones
                    self.client.sadd(visits.WAITING, drawn)
            return Arrived(Arrival.NEW, sid, ours, version)
        self._drawn.pop(link.code, None)
        ask(self.client, ("DEL", session), ("HINCRBY", counts, field, -1), ("SADD", visits.WAITING, drawn))
        return None

    def _arrive_by_script(self, link: FollowedLink, sid: str | None, counted: bool) -> Arrived:
        """Do so for anybody, by any code. A script names its keys beforehand, so it may have to be run twice."""
        for _ in range(2):
            drawn = self._drawn.get(link.code, link.code)
            ours = link._replace(code=drawn)
            answer, version, new_sid = self._run(link.code, ours, sid, counted)
            if answer.startswith(">"):
                drawn = answer[1:]
            if answer != Arrival.UNKNOWN:
                self._learn(link.code, drawn)
            if drawn == ours.code:
                arrival = Arrival(answer)
                return Arrived(arrival, new_sid if arrival is Arrival.NEW else sid or "", ours, version)
        return Arrived(Arrival.UNKNOWN, "", link)  # it was somebody else's a moment ago

    def _learn(self, code: str, drawn: str) -> None:
        if len(self._drawn) >= MOST_KNOWN:
            self._drawn.clear()
        self._drawn[code] = drawn

    def _run(self, followed: str, link: FollowedLink, sid: str | None, counted: bool) -> tuple[str, bytes | None, str]:
        """Run the script for a code that was followed; returns what it says, and the id that a new session has."""
        new_sid = secrets.token_urlsafe(ID_BYTES)
        keys = [
            live_codes.key(followed),
            f"{PREFIX}{sid or new_sid}",
            f"{PREFIX}{new_sid}",
            visits.key(link.code),
            visits.WAITING,
            VERSION,
        ]
        fields = [
            visits.field(link.visited_at, link.channel, kind) if counted else "" for kind in (visits.FIRST, "visits")
        ]
        values = [link.code, contents.session_of(link), MOST_LINKS, self.lifetime, *fields]
        answer, version = run(self._arrive, keys, values)
        return answer.decode(), version, new_sid

    def links_in(self, sid: str) -> list[FollowedLink]:
        """Read the links that are kept in a session, the oldest first, without opening it. Raises RedisError."""
        return contents.links_in(cast(bytes | None, self.client.get(PREFIX + sid)))

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path that we are below: another application of the same site is not to see the cookie."""
        return self._path(request.script_root)

    def _path(self, root: str) -> str:
        return "/" if not root or self.name.startswith("__Host-") else root  # which is for a whole host, or none

    def cookie(self, sid: str, root: str) -> str:
        """Write the header that lets the browser know its session's id, as Flask would; `root` is what we are below."""
        return f"{self.name}={sid}{self._attributes(self._path(root), int(time()))}"

    @lru_cache(64)  # noqa: B019 - there is one of these for each application
    def _attributes(self, path: str, _second: int) -> str:
        """Write what stands behind the id, when the cookie expires among it: it is the same for a second."""
        app = self.app
        return dump_cookie(
            "",
            max_age=app.permanent_session_lifetime,
            path=path,
            secure=self.get_cookie_secure(app),
            httponly=True,
            samesite=self.get_cookie_samesite(app),
        ).removeprefix("=")

    def _gone(self) -> str:
        """Write the header that lets the browser drop the cookie."""
        path, secure = self.get_cookie_path(self.app), self.get_cookie_secure(self.app)
        return dump_cookie(self.name, expires=0, max_age=0, path=path, secure=secure, httponly=True)

    def regenerate(self, session: SessionMixin) -> None:
        """Give the session a new id and forget the old one, so that a planted id is worth nothing."""
        super().regenerate(session)
        _ours(session).loaded = False

    def keep(self, session: Session) -> None:
        """Put a session into Redis now, before what it says is true for good. Raises RedisError."""
        packed = self.serializer.encode(session)
        if packed != session.kept:
            self.client.set(PREFIX + session.sid, packed, ex=self.lifetime, xx=session.loaded)
            session.kept = packed

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write what changed. After a failure the error page is answered without a second try. Raises NotKept."""
        if _ours(session).failure is not None:
            return
        try:
            super().save_session(app, session, response)
            if session.modified and not session:  # a browser drops no `__Host-` cookie at a header that is not secure
                response.headers.setlist("Set-Cookie", [self._gone()])
        except RedisError as error:
            session.modified = False
            if not _works_without():
                raise NotKept(error, response) from error

    def _delete_session(self, store_id: str) -> None:
        with suppress(RedisError):  # what it says is worth nothing by then: nobody is signed in by it
            self.client.delete(store_id)

    def _upsert_session(self, lifetime: timedelta, session: SessionMixin, store_id: str) -> None:
        self.keep(_ours(session))


def _ours(session: SessionMixin) -> Session:
    """Return a session as what it is: Flask hands back those that `Sessions` made, and says less of them."""
    return cast(Session, session)


def _require_session() -> None:
    failure = _ours(current_session).failure
    if failure is not None and not _works_without():
        raise failure


def _works_without() -> bool:
    return (request.method, request.endpoint) in WITHOUT_REDIS


def open_now() -> None:
    """Load the session of a request that began without one. Raises RedisError."""
    opened, current = interface().load(current_app, request), _ours(current_session)
    current.update(opened)
    current.sid, current.loaded = opened.sid, opened.loaded


def renew(profile_id: int | None = None) -> None:
    """Give the session a new id, before somebody signs in: an id planted by another is then worth nothing.

    The id of a member's session ends in the number of the profile, by which the figures are found in the same round
    trip.
    """
    interface().regenerate(current_session)
    if profile_id is not None:
        session = _ours(current_session)
        session.sid = f"{session.sid}.{profile_id}"


def keep_now() -> None:
    """Put the session into Redis before the end of the request. Raises RedisError."""
    interface().keep(_ours(current_session))


def member_of(sid: str | None) -> int | None:
    """Return whose session this is, if its id says so. Only what is in Redis under this id proves it."""
    found = MEMBER.fullmatch(sid or "")
    return int(found[1]) if found else None


def interface() -> Sessions:
    """Return the sessions of the application at work."""
    return cast(Sessions, current_app.session_interface)
