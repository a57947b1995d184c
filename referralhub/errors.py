"""What people see when something is wrong: one page for all of it, in plain words."""

import logging
import math
import time
from http import HTTPStatus

from flask import Flask, abort, render_template, request
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError
from redis import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError, TooManyRequests

from referralhub.extensions import limiter
from referralhub.services.shared.errors import TooManyAtOnce

log = logging.getLogger(__name__)

UNAVAILABLE = (RedisError, OperationalError, InterfaceError, PoolTimeout)
RETRY_AFTER = 5  # seconds

WORDS = {
    400: (
        "That request didn't make sense",
        "Something in it was missing or damaged. Go back and try once more.",
    ),
    403: ("That isn't yours to open", "Sign in with the account it belongs to."),
    404: (
        "There is nothing here",
        "The address may be mistyped, or the page is gone. If a friend sent you a link, check that you have all of it.",
    ),
    405: ("That can't be done here", "Go back and use the buttons on the page."),
    413: ("That is too much at once", "Send a smaller form or file."),
    429: ("That was a little too often", "This protects accounts from being guessed and forms from robots."),
    500: (
        "Something broke on our side",
        "It has been written down. Nothing of yours was changed; please try again.",
    ),
    503: (
        "We can't reach our database right now",
        "Nothing was lost, and nothing was half done. This page will work again in a moment; please try again then.",
    ),
}
EXPIRED = (
    "This page was open for too long",
    "To keep your account safe a form works only for a while. Go back, reload the page, and send it again.",
)

BUSY = (
    "Many people are signing in right now",
    "Nothing was changed. Go back and try again in a moment.",
)


def init_app(app: Flask) -> None:
    """Answer every error with a page of ours."""
    app.register_error_handler(CSRFError, _expired)
    app.register_error_handler(TooManyRequests, _too_often)
    app.register_error_handler(TooManyAtOnce, _busy)
    app.register_error_handler(HTTPException, _http_error)
    for error in UNAVAILABLE:
        app.register_error_handler(error, _unavailable)

    @app.before_request
    def readable() -> None:
        try:
            _ = request.args
        except UnicodeDecodeError:  # bytes in the address that no browser sends as they are
            abort(400)


def _page(
    status: int, title: str, advice: str, headers: dict[str, str] | None = None
) -> tuple[str, int, dict[str, str]]:
    if request_ctx.url_adapter is None:  # the Host header names no host, so that a page could not make its links
        return f"{title}. {advice}\n", status, {"Content-Type": "text/plain; charset=utf-8"}
    # With the session store or the database away the page must not ask for the signed-in member.
    page = "errors/bare.html" if status >= 500 else "errors/error.html"
    return render_template(page, status=status, title=title, advice=advice), status, headers or {}


def _http_error(error: HTTPException) -> object:
    if error.response is not None:
        return error.response
    # What fails outside the view (opening or saving the session) arrives wrapped.
    cause = error.original_exception if isinstance(error, InternalServerError) else None
    if isinstance(cause, UNAVAILABLE):
        return _unavailable(cause)
    status = error.code or 500
    fallback = (HTTPStatus(status).phrase, "Go back and try once more.")
    headers = {key: value for key, value in error.get_headers() if key in {"Allow", "Retry-After"}}
    return _page(status, *WORDS.get(status, fallback), headers)


def _expired(_: CSRFError) -> object:
    return _page(400, *EXPIRED)


def _too_often(_: TooManyRequests) -> object:
    title, advice = WORDS[429]
    limit = limiter.current_limit
    seconds = max(1, int(limit.reset_at - time.time())) if limit else 60
    wait = f"{seconds} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"
    return _page(429, title, f"{advice} Please come back in {wait}.", {"Retry-After": str(seconds)})


def _busy(_: TooManyAtOnce) -> object:
    return _page(503, *BUSY, {"Retry-After": "1"})


def _unavailable(error: Exception) -> object:
    log.error("A service is away: %s", error)
    return _page(503, *WORDS[503], {"Retry-After": str(RETRY_AFTER)})
