"""Style sheet, scripts and icons: compressed once, and kept by browsers for good.

A page names each file with the digest of its content (`?v=…`). Only an answer that has this very content is immutable:
while a new version is rolled out, an old process is asked for new files, and what it says is kept for a minute.
"""

import hashlib
import mimetypes
from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, Request, Response

from referralhub.compression import AS_IT_IS, FOR_GOOD, best_of
from referralhub.early_answers import Answer
from referralhub.observing import context

ROUTE = "/static/<filename>"  # Flask's, for the log
FOREVER = "public, max-age=31536000, immutable"
SHORT = 60  # seconds that a file is kept under a name that is not its content's


class File(NamedTuple):
    """A file as it is at present."""

    content: bytes
    digest: str
    integrity: str  # the same for browsers, which run no script of another content
    mimetype: str


def digest(path: str) -> str:
    """Return what names the present content of a file; "missing" if there is none."""
    try:
        return _read(path).digest
    except OSError:
        return "missing"


def integrity(path: str) -> str:
    """Return what a browser compares the content of a file with, as it is at present. Raises OSError."""
    return _read(path).integrity


def _read(path: str) -> File:
    """Read a file again where it changed. Raises OSError."""
    return _read_once(path, Path(path).stat().st_mtime_ns)


@lru_cache(256)
def _read_once(path: str, _changed: int) -> File:
    content = Path(path).read_bytes()
    kind, _ = mimetypes.guess_type(path)
    sha256 = hashlib.sha256(content)
    whole = f"sha256-{b64encode(sha256.digest()).decode()}"
    return File(content, sha256.hexdigest()[:10], whole, kind or "application/octet-stream")


@lru_cache(256)
def _compressed(content: bytes, way: str) -> bytes:
    return FOR_GOOD[way](content)


class StaticFiles:
    """Answers early for the files that there are. Flask's own route has every other name, and makes the addresses."""

    def __init__(self, app: Flask) -> None:
        folder = Path(str(app.static_folder))
        files = [file for file in folder.rglob("*") if file.is_file()]
        self.files = {f"{app.static_url_path}/{file.relative_to(folder).as_posix()}": str(file) for file in files}
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = SHORT

    def __call__(self, environ: dict[str, Any]) -> Answer | None:
        """Give a file, or 304 to whoever has it; None if there is none of this name."""
        path = self.files.get(environ.get("PATH_INFO", ""))
        if path is None or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return None
        try:
            file = _read(path)
        except OSError:
            return None
        context.note(route=ROUTE, shortcut="early", made=False)
        request = Request(environ, populate_request=False)
        response = _response(file, best_of(tuple(FOR_GOOD), environ.get("HTTP_ACCEPT_ENCODING", "")))
        current = request.args.get("v") == file.digest
        response.headers["Cache-Control"] = FOREVER if current else f"public, max-age={SHORT}"
        body, status, headers = response.make_conditional(environ).get_wsgi_response(environ)
        return Answer(status, headers, b"".join(body))


def _response(file: File, way: str) -> Response:
    content, tag = file.content, file.digest
    if way != AS_IT_IS and len(smaller := _compressed(content, way)) < len(content):
        content, tag = smaller, f"{tag}-{way}"
    response = Response(content, mimetype=file.mimetype)
    if content is not file.content:
        response.headers["Content-Encoding"] = way
    response.vary.add("Accept-Encoding")
    response.set_etag(tag)
    return response
