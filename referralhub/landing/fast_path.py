"""The fast path: a plain click on a member's link is answered before Flask is entered.

Nothing here is done as often, and all that it takes is one script in Redis. Every other click goes on to the view
`landing.follow`, which knows what to do with each.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

from flask import Flask, Request
from redis import RedisError

from referralhub import security
from referralhub.landing.callers import Caller, caller
from referralhub.landing.views import REDIS_FAILED, signup_address, to_signup
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.referrals.visits import channel_of
from referralhub.services.shared import codes
from referralhub.sessions.interface import Arrival, Sessions


def init_app(app: Flask) -> None:
    """Put the fast path before Flask; what proxies say, and the path that we are below, is put right before it."""
    app.wsgi_app = FastPath(app)  # type: ignore[method-assign]  # how Flask takes middleware


class FastPath:
    """WSGI middleware that answers plain clicks, and leaves the rest to Flask."""

    def __init__(self, app: Flask) -> None:
        self.app, self.flask = app, app.wsgi_app
        self.sessions = cast(Sessions, app.session_interface)
        self.secret_key = app.config["SECRET_KEY"]
        # Made once, as the view and Flask make it anew each time: answers differ by address and cookie alone.
        answer = security.protector(app.config["SETTINGS"])(to_signup(""))
        del answer.headers["Location"]
        _, self.status, self.headers = answer.get_wsgi_response({"REQUEST_METHOD": "GET"})

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or let the request in."""
        own_headers = self._arrive(environ)
        if own_headers is None:
            return self.flask(environ, start_response)
        start_response(self.status, [*self.headers, *own_headers])
        return []

    def _arrive(self, environ: dict[str, Any]) -> list[tuple[str, str]] | None:
        """Remember a person's visit and return the headers for it; None if this is not for the fast path to answer."""
        path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
        if environ["REQUEST_METHOD"] != "GET" or not self.sessions.is_link(path):
            return None
        if "HTTP_UPGRADE" in environ or not query.isascii():  # Flask refuses some of these
            return None
        request = Request(environ, populate_request=False)
        if "i" in request.args or caller(request.headers) is not Caller.PERSON:
            return None
        channel, now = channel_of(request.args.get("via", "")), self.app.config["CLOCK"]()
        visit = FollowedLink(codes.normal(path.strip("/")), channel, now)
        try:
            arrival, sid = self.sessions.arrive(visit, self.sessions.sid_in(request))
        except RedisError:
            environ[REDIS_FAILED] = True  # so that a silent Redis is waited for once, and counts once
            return None
        # Otherwise the script has written nothing, and the view may run it again.
        if arrival not in {Arrival.KEPT, Arrival.NEW}:
            return None
        root = environ["SCRIPT_NAME"]
        address = signup_address(root, visit, self.secret_key)
        return [("Location", address), ("Set-Cookie", self.sessions.cookie(sid, root))]
