"""The cookie was called `session` once: whoever comes with it goes on with the one of today.

Other hosts of the same site could set it, so it is believed only for sessions of that time, whose ids are shorter than
those of today; a month after the upgrade they are gone.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, cast

from flask import Flask
from redis import RedisError
from werkzeug.http import dump_cookie
from werkzeug.sansio.http import parse_cookie

from referralhub.sessions.contents import PREFIX
from referralhub.sessions.interface import REDIS_FAILED, Sessions

NAME = "session"
NAMED = f"{NAME}="
ID = re.compile(r"[\w-]{43}(\.[0-9]{1,10})?")


def init_app(app: Flask) -> None:
    """Look for the former cookie before anything else asks for a session."""
    app.wsgi_app = FormerCookie(app.wsgi_app, app)  # type: ignore[method-assign]  # how Flask takes middleware


class FormerCookie:
    """WSGI middleware that gives a request the cookie of today in place of the former one."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], app: Flask) -> None:
        self.inner, self.sessions = inner, cast(Sessions, app.session_interface)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer."""
        cookies = environ.get("HTTP_COOKIE", "")
        if NAMED not in cookies or self.sessions.sid_of(environ):
            return self.inner(environ, start_response)
        sid = self._taken_over(environ, parse_cookie(cookies).get(NAME, ""))
        if sid is None:
            return self.inner(environ, start_response)
        environ["HTTP_COOKIE"] = f"{cookies}; {self.sessions.name}={sid}"
        root = environ["SCRIPT_NAME"]
        renamed = [
            ("Set-Cookie", self.sessions.cookie(sid, root)),
            ("Set-Cookie", dump_cookie(NAME, expires=0, max_age=0, path=root or "/")),
        ]
        # First, so that what the answer itself says of the session holds.
        return self.inner(environ, lambda status, headers, *error: start_response(status, [*renamed, *headers], *error))

    def _taken_over(self, environ: dict[str, Any], former: str) -> str | None:
        """Give a session of that time its id of today, the same for all that come at once; None if there is none."""
        if not ID.fullmatch(former):
            return None
        sid, client = f"_{former}", self.sessions.client
        try:
            packed = client.get(PREFIX + former)
            if packed is not None:
                client.set(PREFIX + sid, packed, ex=self.sessions.lifetime, nx=True)
        except RedisError as error:
            environ[REDIS_FAILED] = error  # so that a silent Redis is waited for once
            return None
        return None if packed is None else sid
