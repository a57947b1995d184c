"""The fast path: a plain click on a member's link is answered before Flask is entered.

Nothing here is done as often, and nearly always one round trip to Redis is all that it takes. Every other click goes on
to the view `landing.follow`, which knows what to do with each.
"""

from typing import Any, cast

from flask import Flask, Request
from redis import RedisError

from referralhub.early_answers import Answer, prepared
from referralhub.landing import destination
from referralhub.landing.callers import Caller, caller
from referralhub.observing import context
from referralhub.services.links.visits import channel_of
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import codes
from referralhub.sessions.interface import REDIS_FAILED, Arrival, Sessions

ROUTE = "/<code>/"  # that of the view `landing.follow`, for the log


class FastPath:
    """Answers plain clicks."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.sessions = cast(Sessions, app.session_interface)
        # Made once, as the view and Flask make it anew each time: answers differ by address and cookie alone.
        answer = destination.lead_to("")
        del answer.headers["Location"]
        self.answer = prepared(answer)

    def __call__(self, environ: dict[str, Any]) -> Answer | None:
        """Remember a person's visit and send them on; None if this is not for the fast path to answer."""
        path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
        if (
            environ["REQUEST_METHOD"] != "GET"
            or not self.sessions.is_link(path)
            or caller(environ) is not Caller.PERSON
        ):
            return None
        answer = None
        try:
            answer = self._answer(environ, path, query)
        finally:
            context.note(route=ROUTE, shortcut="early", made=answer is None)
        return answer

    def _answer(self, environ: dict[str, Any], path: str, query: str) -> Answer | None:
        if "HTTP_UPGRADE" in environ or not query.isascii():  # Flask refuses some of these
            return None
        asked = Request(environ, populate_request=False).args if query else {}
        if "i" in asked:
            return None
        channel, now = channel_of(asked.get("via", "")), self.app.config["CLOCK"]()
        visit = FollowedLink(codes.normal(path.strip("/")), channel, now)
        try:
            arrived = self.sessions.arrive(visit, self.sessions.sid_of(environ))
        except RedisError as error:
            environ[REDIS_FAILED] = error  # so that a silent Redis is waited for once, and counts once
            return None
        # Otherwise nothing of it is left, and the view may do it again.
        if arrived.arrival not in {Arrival.KEPT, Arrival.NEW}:
            return None
        root = environ["SCRIPT_NAME"]
        address = destination.after(self.sessions, arrived, root, now)
        own_headers = [("Location", address), ("Set-Cookie", self.sessions.cookie(arrived.sid, root))]
        return Answer(self.answer.status, [*self.answer.headers, *own_headers])
