"""Types of Flask-Admin's pages. Unlike the library's own, `expose` keeps the type of what it decorates."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Blueprint, Flask

_View = TypeVar("_View", bound=Callable[..., Any])

def expose(url: str = "/", methods: Iterable[str] | None = ("GET",)) -> Callable[[_View], _View]: ...

class BaseView:
    endpoint: str
    category: str | None
    def __init__(
        self, name: str | None = None, category: str | None = None, endpoint: str | None = None, url: str | None = None
    ) -> None: ...
    def create_blueprint(self, admin: Admin) -> Blueprint: ...
    def render(self, template: str, **kwargs: Any) -> str: ...
    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...

class Admin:
    def __init__(
        self,
        app: Flask | None = None,
        name: str | None = None,
        url: str | None = None,
        subdomain: str | None = None,
        index_view: BaseView | None = None,
    ) -> None: ...
    def add_view(self, view: BaseView) -> None: ...
    def init_app(self, app: Flask) -> None: ...
