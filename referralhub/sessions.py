"""Server-side sessions in Redis: Flask-Session's interface with its rough edges taken off.

They hold who is signed in and whose link a visitor followed. The cookie holds a random id and nothing else.
"""

from datetime import timedelta
from typing import Any, cast

import msgspec
from flask import Flask, Request, Response, current_app
from flask import session as current_session
from flask_session.base import ServerSideSession
from flask_session.redis import RedisSessionInterface
from redis import RedisError

WITHOUT_SESSION = ("/static/", "/healthz", "/readyz")


class Session(ServerSideSession):
    """A session that knows whether Redis already holds it."""

    loaded = False  # read from Redis, so that writing it must not bring it back after a sign-out elsewhere
    stored = False  # written during this request, before the response
    failure: RedisError | None = None  # why it could not be read


class _Serializer:
    """msgpack and nothing else: the library's own falls back to pickle, which would run what it reads."""

    def encode(self, session: Session) -> bytes:
        return msgspec.msgpack.encode(dict(session))

    def decode(self, data: bytes) -> dict[str, Any]:
        decoded: dict[str, Any] = msgspec.msgpack.decode(data)
        return decoded


class Sessions(RedisSessionInterface):
    """Opens and saves sessions. Whoever opened none because Redis is away gets the 503 page before any view runs."""

    session_class = Session

    def __init__(self, app: Flask, client: Any) -> None:
        super().__init__(app, client=client, key_prefix="session:")
        self.serializer = _Serializer()
        app.before_request(_require_session)

    def open_session(self, app: Flask, request: Request) -> Session:
        """Load the visitor's session, or an empty one; pages that need none do not ask Redis."""
        if request.path.startswith(WITHOUT_SESSION):
            return Session(sid="", permanent=self.permanent)
        try:
            session = super().open_session(app, request)
        except RedisError as error:
            session = Session(sid="", permanent=self.permanent)
            session.failure = error
            return session
        session.loaded = session.sid == request.cookies.get(app.config["SESSION_COOKIE_NAME"])
        return session

    def regenerate(self, session: Session) -> None:
        """Give the session a new id and forget the old one, so that a planted id is worth nothing."""
        super().regenerate(session)
        session.loaded = False

    def store(self, app: Flask, session: Any) -> None:
        """Write now what `save_session` would write later."""
        try:
            self._upsert_session(app.permanent_session_lifetime, session, self._get_store_id(session.sid))
            session.stored = True
        finally:
            session.modified = False  # after a failure the error page waits for no second try

    def should_set_storage(self, app: Flask, session: Session) -> bool:
        """Changed, or stored early and still owing its cookie."""
        return bool(session.modified or session.stored)

    should_set_cookie = should_set_storage

    def save_session(self, app: Flask, session: Session, response: Response) -> None:
        """Write what changed. After a failure the error page is answered without a second try."""
        if session.failure is not None:
            return
        try:
            super().save_session(app, session, response)
        except RedisError:
            session.modified = session.stored = False
            raise

    def _upsert_session(self, lifetime: timedelta, session: Session, store_id: str) -> None:
        if session.stored and not session.modified:
            return
        self.client.set(store_id, self.serializer.encode(session), ex=int(lifetime.total_seconds()), xx=session.loaded)


def _require_session() -> None:
    if current_session.failure is not None:
        raise current_session.failure


def store_now() -> None:
    """Write the session before the response: what must not be lost is in Redis when this returns.

    Raises RedisError.
    """
    _interface().store(current_app, current_session)


def renew() -> None:
    """Give the session a new id, before somebody signs in: an id planted by another is then worth nothing.

    Raises RedisError.
    """
    _interface().regenerate(current_session)


def _interface() -> Sessions:
    return cast(Sessions, current_app.session_interface)
