"""Early answers: what is asked most often is answered before Flask is entered, in one round trip to Redis or none.

A view knows every case; an early answer knows the usual one, gives what the view would give, and leaves the rest to it.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Flask, Response


class Answer(NamedTuple):
    """What WSGI wants to know of an answer."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes = b""


def init_app(app: Flask, *answerers: Callable[[dict[str, Any]], Answer | None]) -> None:
    """Ask these before Flask, and before it is found out what proxies say of who asks: none of them wants to know."""
    app.wsgi_app = EarlyAnswers(app.wsgi_app, answerers)  # type: ignore[method-assign]  # how Flask takes middleware


class EarlyAnswers:
    """WSGI middleware that gives the first early answer that there is, or lets the request in."""

    def __init__(self, inner: Any, answerers: Iterable[Callable[[dict[str, Any]], Answer | None]]) -> None:
        self.inner, self.answerers = inner, tuple(answerers)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or let the request in."""
        for answerer in self.answerers:
            if answer := answerer(environ):
                start_response(answer.status, answer.headers)
                return [answer.body] if answer.body else []
        return self.inner(environ, start_response)  # type: ignore[no-any-return]  # WSGI has no types


def prepared(response: Response) -> Answer:
    """Return a response as WSGI wants it, without its body."""
    _, status, headers = response.get_wsgi_response({"REQUEST_METHOD": "GET"})
    return Answer(status, headers)
