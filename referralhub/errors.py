"""What people see when something is wrong: one page for all of it, in plain words."""

import logging
import math
import time
from http import HTTPStatus
from typing import Any

from flask import Flask, abort, current_app, render_template, request
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from redis import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError, TooManyRequests

from referralhub import outcome, problems
from referralhub.branding import shown
from referralhub.database import is_unmigrated
from referralhub.extensions import limiter
from referralhub.observing import context
from referralhub.observing.logs import brief
from referralhub.security import keeps_cookies
from referralhub.services.shared.errors import Conflict, NotFound, TooManyAtOnce
from referralhub.sessions.interface import READS, NotKept
from referralhub.words.dates import waiting
from referralhub.words.error_pages import BUSY, CONFLICT, DONE, EXPIRED, NUMBER, PAGES, WITHOUT_COOKIE
from referralhub.words.errors import say
from referralhub.words.language import N_, translated

log = logging.getLogger(__name__)

UNAVAILABLE = (RedisError, OperationalError, InterfaceError, PoolTimeout)
RETRY_AFTER = 5  # seconds


def init_app(app: Flask) -> None:
    """Answer every error with a page of ours."""
    outcome.init_app(app)
    app.register_error_handler(CSRFError, _expired)
    app.register_error_handler(TooManyRequests, _too_often)
    app.register_error_handler(TooManyAtOnce, _busy)
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(Conflict, _conflict)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ProgrammingError, _not_migrated)
    for error in UNAVAILABLE:
        app.register_error_handler(error, _unavailable)
    app.log_exception = _write_down  # type: ignore[assignment,method-assign]  # Flask's names the path

    @app.before_request
    def readable() -> None:
        try:
            request.args  # noqa: B018 - read for what is wrong with it
        except UnicodeDecodeError:  # bytes in the address that no browser sends as they are
            abort(400)


def _page(
    status: int, title: str, advice: str, headers: dict[str, str] | None = None, bare: bool = False
) -> ResponseReturnValue:
    if problems.wanted():
        return problems.of_status(status, context.request_id(), headers)
    if request_ctx.url_adapter is None:  # the Host header names no host, so that a page could not make its links
        return f"{translated(title)}. {translated(advice)}\n", status, {"Content-Type": "text/plain; charset=utf-8"}
    # With the session store or the database away the page must not ask for the signed-in member.
    page = "errors/bare.html" if bare or status >= 500 else "errors/error.html"
    number = translated(NUMBER).format(context.request_id()) if status == 500 else ""
    said = {"title": translated(title), "advice": translated(advice)}
    return render_template(page, status=status, number=number, **said), status, headers or {}


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    # What fails outside the view (opening or saving the session) arrives wrapped.
    cause = error.original_exception if isinstance(error, InternalServerError) else None
    if cause and (isinstance(cause, UNAVAILABLE) or is_unmigrated(cause)):
        return _unavailable(cause)
    status = error.code or 500
    fallback = (HTTPStatus(status).phrase, N_("Go back and try once more."))
    headers = {key: value for key, value in error.get_headers() if key in {"Allow", "Retry-After"}}
    return _page(status, *PAGES.get(status, fallback), headers)


def _write_down(error: Any) -> None:
    """Log what a page failed at, with neither the path nor the values that Flask and the error would tell."""
    if not isinstance(error[1], UNAVAILABLE):  # which gets a line of its own
        log.error("A page failed", exc_info=error)


def _expired(error: CSRFError) -> ResponseReturnValue:
    return _page(400, *(EXPIRED if keeps_cookies() else WITHOUT_COOKIE))


def _too_often(error: TooManyRequests) -> ResponseReturnValue:
    title, advice = PAGES[429]
    seconds = max(1, math.ceil(_free_again_at() - time.time()))
    again = _("Please come back in %(wait)s.", wait=waiting(seconds))
    return _page(429, title, f"{translated(advice)} {again}", {"Retry-After": str(seconds)})


def _free_again_at() -> float:
    """Return when none of the view's limits is used up any more: the limiter itself looks no further than the first."""
    _, limits = limiter.limit_manager.resolve_limits(current_app, request.endpoint, request.blueprint)
    resets = [time.time()]
    for limit in limits:
        if not (limit.method_exempt or limit.is_exempt):
            bucket = limit.key_func(), limit.scope_for(request.endpoint or "", request.method)
            if not limiter.limiter.test(limit.limit, *bucket):
                resets.append(limiter.limiter.get_window_stats(limit.limit, *bucket).reset_time)
    return max(resets)


def _not_found(error: NotFound) -> ResponseReturnValue:
    return _page(404, *PAGES[404])


def _conflict(error: Conflict) -> ResponseReturnValue:
    return _page(409, CONFLICT, say(error))


def _busy(error: TooManyAtOnce) -> ResponseReturnValue:
    return _page(503, *BUSY, {"Retry-After": "1"})


def _not_migrated(error: ProgrammingError) -> ResponseReturnValue:
    if is_unmigrated(error):
        return _unavailable(error)
    raise error


def _unavailable(error: BaseException) -> ResponseReturnValue:
    log.error("A service is away: %s", brief(error.__cause__ or error))
    if not isinstance(error, RedisError):
        shown.show_last_known()
    if request.method not in READS:
        if words := outcome.noted():
            title, advice = DONE
            return _page(200, title, f"{words} {translated(advice)}", bare=True)
        if isinstance(error, NotKept) and not error.response.location:  # a page, which says what came of it
            return error.response
    return _page(503, *PAGES[503], {"Retry-After": str(RETRY_AFTER)})
