"""How much a form may send: what the settings say for all of them, or more where a view takes files."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, request

View = TypeVar("View", bound=Callable[..., object])


def takes(most: int) -> Callable[[View], View]:
    """Let the forms of a view be of so many bytes."""

    def mark(view: View) -> View:
        view.takes = most  # type: ignore[attr-defined]  # as decorators around it keep it
        return view

    return mark


def init_app(app: Flask) -> None:
    """Look at the view before anything looks at the form; whoever does must come later."""
    app.before_request(_allow)


def _allow() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    request.max_content_length = getattr(view, "takes", None)
