"""The fast path of the live figures: while nothing changes, an open dashboard is answered from Redis alone.

Every other case goes on to the view `dashboard.stats_fragment`: no session, changed figures, a sign-in that these were
not shown to yet.
"""

from typing import Any, cast

from flask import Flask, Request, Response
from redis import RedisError

from referralhub import htmx, security
from referralhub.early_answers import Answer, prepared
from referralhub.services.referrals import figures
from referralhub.sessions import contents
from referralhub.sessions.interface import REDIS_FAILED, Sessions, member_of

PATH = "/dashboard/stats"
SEEN = "referralhub.figures_seen"  # in the environ: the versions that there were before Flask asked who this is


class FastPath:
    """Answers polls of the live figures."""

    def __init__(self, app: Flask) -> None:
        self.app, self.redis = app, app.extensions["redis"]
        self.sessions = cast(Sessions, app.session_interface)
        self.protect = security.protector(app.config["SETTINGS"])

    def __call__(self, environ: dict[str, Any]) -> Answer | None:
        """Give the member's figures again, or 304 to one who has them; None if this is not for the fast path."""
        if environ["REQUEST_METHOD"] != "GET" or environ.get("PATH_INFO") != PATH or environ.get("QUERY_STRING"):
            return None
        request = Request(environ, populate_request=False)
        sid = self.sessions.sid_in(request)
        profile_id = member_of(sid)
        if sid is None or profile_id is None:
            return None
        try:
            packed, *found = self.redis.mget([contents.PREFIX + sid, *figures.keys(profile_id)])
        except RedisError as error:
            environ[REDIS_FAILED] = error
            return None
        environ[SEEN] = figures.versions_in(found)
        kept = figures.believed(found, self.app.config["CLOCK"]())
        if packed is None or kept is None or contents.sign_in_of(packed) not in kept.sign_ins:
            return None
        return self._answer(kept.tag, kept.answer, htmx.has(request, kept.tag))

    def _answer(self, tag: str, fragment: bytes, unchanged: bool) -> Answer:
        response = Response(status=304) if unchanged else Response(fragment)
        tagged = htmx.tagged(response, tag, event=None if unchanged else htmx.STATS_CHANGED)
        tagged.vary.add("Cookie")
        return prepared(self.protect(tagged))._replace(body=b"" if unchanged else fragment)
