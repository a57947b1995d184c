"""The outermost layer: every request gets a number, and every answer is logged and counted, whoever gives it."""

import logging
import re
from collections.abc import Callable, Iterable
from functools import cache
from random import getrandbits
from time import perf_counter
from typing import Any

from flask import Flask, request

from referralhub.config import Settings
from referralhub.observing import context
from referralhub.observing.counters import Tally
from referralhub.response_headers import Protection

HEADER = "X-Request-ID"
PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")  # a number that others gave, as far as we take it over
NO_ROUTE = "(none)"  # of a path that leads nowhere
OFTEN = {"/static/<filename>", "/healthz", "/readyz", "/metrics"}  # well answered they are worth a line for the curious
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
WITHOUT_BODY = ("1", "204", "304")  # what such a status begins with
FAILED = b"Something broke on our side. If it happens again, tell us this number: %s\n"

log, access_log = logging.getLogger(__name__), logging.getLogger("referralhub.access")


def init_app(app: Flask, settings: Settings) -> None:
    """Put the layer around the application; it must come last."""
    believe, tally = settings.trusted_proxies > 0, app.extensions.get("tally")
    app.wsgi_app = Observed(app.wsgi_app, Protection(settings), believe, tally)  # type: ignore[method-assign]  # how Flask takes middleware


def note_routes(app: Flask) -> None:
    """Let the layer know which page a request was for."""
    app.url_value_preprocessor(_note_route)


class Observed:
    """WSGI middleware. What is inside need not know of it; it notes with `context.note` what a line should say."""

    def __init__(
        self, inner: Callable[..., Iterable[bytes]], protection: Protection, believe: bool, tally: Tally | None = None
    ) -> None:
        self.inner, self.protection, self.believe, self.tally = inner, protection, believe, tally

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, with the number in a header, and write down how it went."""
        begun, number = perf_counter(), self._number(environ)
        method = environ["REQUEST_METHOD"]
        status = "500"
        size: int | None = 0

        def start(text: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal status, size
            status, size = text[:3], _size(headers)
            sent = self.protection(headers)
            sent.append((HEADER, number))
            return start_response(text, sent, *error)

        facts = {"request_id": number, "method": method if method in METHODS else "other"}
        token = context.begin(facts)
        try:
            try:
                answer = self.inner(environ, start)
            except Exception:  # what is between us and Flask has a fault
                log.exception("A request failed before it came to a page")
                answer = [FAILED % number.encode()]
                start("500 INTERNAL SERVER ERROR", _plain(len(answer[0])))
            if method == "HEAD" or status.startswith(WITHOUT_BODY):
                size = 0
            self._write_down(facts, int(status), size, perf_counter() - begun)
        finally:
            context.end(token)
        return answer

    def _number(self, environ: dict[str, Any]) -> str:
        given = environ.get("HTTP_X_REQUEST_ID") if self.believe else None
        return given if given and PLAIN.fullmatch(given) else f"{getrandbits(128):032x}"  # no secret

    def _write_down(self, facts: dict[str, Any], status: int, size: int | None, seconds: float) -> None:
        route = facts.setdefault("route", NO_ROUTE)
        level = logging.ERROR if status >= 500 else logging.DEBUG if route in OFTEN and status < 400 else logging.INFO
        if access_log.isEnabledFor(level):
            facts.update(status=status, ms=round(seconds * 1000, 3), bytes=size)
            access_log.log(level, "%s %s %s", facts["method"], route, status)
        if self.tally and "test" not in facts:  # what the test program does is in no figure
            self.tally.request(facts, status, seconds)


@cache
def template(rule: str) -> str:
    """Return the form of a route's path, such as `/verify/<token>`, without the kinds of its parts."""
    return re.sub(r"<[^<>:]*:", "<", rule)


def _note_route(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if request.url_rule is not None:
        context.note(route=template(request.url_rule.rule))


def _size(headers: list[tuple[str, str]]) -> int | None:
    """Return how many bytes an answer has, None where that shows only at its end."""
    for name, value in headers:
        if name == "Content-Length":
            return int(value)
    return None


def _plain(length: int) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(length)),
        ("Cache-Control", "no-store"),
    ]
