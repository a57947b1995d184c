"""Early answers: what is asked most often is answered before Flask is entered, in one round trip to Redis.

A view knows every case; an early answer knows the usual one, gives what the view would give, and leaves the rest to it.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Flask, Response

from referralhub.observing import context


class Answer(NamedTuple):
    """What WSGI wants to know of an answer."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes = b""


def init_app(app: Flask, answerer: Callable[[dict[str, Any]], Answer | None]) -> None:
    """Ask this before Flask. What proxies say, and the path that we are below, is put right before it."""
    app.wsgi_app = EarlyAnswers(app.wsgi_app, answerer)  # type: ignore[method-assign]  # how Flask takes middleware


class EarlyAnswers:
    """WSGI middleware that gives the early answer if there is one, or lets the request in."""

    def __init__(self, inner: Any, answerer: Callable[[dict[str, Any]], Answer | None]) -> None:
        self.inner, self.answerer = inner, answerer

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or let the request in."""
        answer = self.answerer(environ)
        if answer is None:
            return self.inner(environ, start_response)  # type: ignore[no-any-return]  # WSGI has no types
        context.note(shortcut="early", made=False)
        start_response(answer.status, answer.headers)
        return [answer.body] if answer.body else []


def prepared(response: Response) -> Answer:
    """Return a response as WSGI wants it, without its body."""
    _, status, headers = response.get_wsgi_response({"REQUEST_METHOD": "GET"})
    return Answer(status, headers)
