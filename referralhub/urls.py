"""Where our pages are: at the top of a site or below a path of it, and what others are told of that."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, current_app, request, url_for
from redis import Redis, RedisError
from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

from referralhub.config import Settings
from referralhub.public_address import PATH
from referralhub.services.operations import proxies

LONGEST = 2000  # characters, as they are sent; nginx takes 4,096 for all headers of an answer
NOTED_AGAIN = 60  # seconds until the same number of addresses is noted once more


def believe_proxies(app: Flask, settings: Settings) -> None:
    """Believe what as many proxies as configured say of who asks."""
    if believed := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=believed, x_proto=believed, x_host=believed)  # type: ignore[method-assign]  # how Flask takes middleware
        app.wsgi_app = ProxyCount(app.wsgi_app, believed, app.extensions["redis"])  # type: ignore[method-assign]  # how Flask takes middleware


def init_app(app: Flask, settings: Settings) -> None:
    """Find out below which path each request came."""
    app.wsgi_app = BelowPath(app.wsgi_app, settings)  # type: ignore[method-assign]  # how Flask takes middleware


class ProxyCount:
    """WSGI middleware that notes, now and then, how many addresses requests name: the doctor knows what that means.

    Early answers come before it, so that it sees other pages alone.
    """

    def __init__(self, inner: Callable[..., Iterable[bytes]], believed: int, redis: Redis) -> None:
        self.inner, self.most, self.redis = inner, believed + 1, redis
        self.next = dict.fromkeys(range(1, self.most + 1), 0.0)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Count, and go on. Without the header it is somebody on the machine, who asks a process directly."""
        if addresses := environ.get("HTTP_X_FORWARDED_FOR"):
            number = min(addresses.count(",") + 1, self.most)
            if (now := monotonic()) > self.next[number]:
                self.next[number] = now + NOTED_AGAIN
                with suppress(RedisError):
                    proxies.note(self.redis, number)
        return self.inner(environ, start_response)


class BelowPath:
    """WSGI middleware: a request's `SCRIPT_NAME` is the path that we are below, and `PATH_INFO` what comes after it.

    The path is what a trusted proxy or the server says, else that of BASE_URL. A proxy may have taken it off or not,
    and a probe that comes directly knows nothing of it: all of them are answered.
    """

    def __init__(self, inner: Callable[..., Iterable[bytes]], settings: Settings) -> None:
        self.inner, self.path, self.believed = inner, settings.base_path, settings.trusted_proxies

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Put the two right and go on."""
        said = environ.get("HTTP_X_FORWARDED_PREFIX") if self.believed else None
        told = (self._of_proxies(said) if said else "") or environ.get("SCRIPT_NAME", "")
        told = told.rstrip("/")
        root = told if told and re.fullmatch(PATH, told) else self.path
        asked = environ.get("PATH_INFO", "")
        if root and f"{asked}/".startswith(f"{root}/"):
            environ["PATH_INFO"] = asked.removeprefix(root) or "/"
        environ["SCRIPT_NAME"] = root
        return self.inner(environ, start_response)

    def _of_proxies(self, said: str) -> str:
        prefixes = parse_list_header(said)
        return prefixes[-self.believed] if len(prefixes) >= self.believed else ""  # each of them adds one


def public_url(endpoint: str, **values: object) -> str:
    """Return the whole address of a page, for others. It depends on BASE_URL alone: the worker has no request."""
    base_url: str = current_app.config["SETTINGS"].base_url
    return base_url + current_app.url_map.bind(urlsplit(base_url).netloc).build(endpoint, values)


def first_words() -> frozenset[str]:
    """Return the words with which the addresses of our pages begin: `login`, `dashboard`."""
    words = {rule.rule.split("/")[1] for rule in current_app.url_map.iter_rules()}
    return frozenset(word for word in words if word and "<" not in word)


def here(endpoint: str = "") -> str:
    """Return the address of the page at hand as the browser sees it, without the site, and without a query too long.

    With an `endpoint`, it is the address of that page, asked for in the same way.
    """
    path = url_for(endpoint) if endpoint else f"{request.script_root}{request.path}"
    address = f"{path}?{request.query_string.decode()}".rstrip("?")
    return address if _fits(address) else path


def local_path(wanted: str) -> str:
    """Return an address to go on to, if it is one of ours; else the dashboard."""
    root = request.script_root
    local = wanted.startswith(f"{root}/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if local and _fits(wanted) else url_for("dashboard.home")


def _fits(address: str) -> bool:
    """Tell whether an address can be told within another one: proxies take few bytes for a header."""
    return len(quote(address)) <= LONGEST
