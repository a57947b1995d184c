"""Types of Flask-Session's sessions on the server, wherever they are kept."""

from datetime import timedelta
from typing import Any, Protocol

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.datastructures import CallbackDict

class ServerSideSession(CallbackDict[str, Any], SessionMixin):
    sid: str  # each that is opened or saved has one
    def __init__(
        self, initial: dict[str, Any] | None = None, sid: str | None = None, permanent: bool | None = None
    ) -> None: ...

class Serializer(Protocol):  # the library has a class for it, and asks for no more than this
    def encode(self, session: Any, /) -> bytes: ...
    def decode(self, serialized_data: bytes, /) -> dict[str, Any]: ...

class ServerSideSessionInterface(SessionInterface):
    app: Flask
    permanent: bool
    serializer: Serializer
    session_class: type[ServerSideSession]
    def open_session(self, app: Flask, request: Request) -> ServerSideSession: ...
    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None: ...
    def regenerate(self, session: SessionMixin) -> None: ...
    def _upsert_session(self, session_lifetime: timedelta, session: SessionMixin, store_id: str) -> None: ...
