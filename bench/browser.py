"""Requests as bytes, as a browser behind one proxy sends them; the same headers for everybody who is measured."""

import json
import re
from urllib.parse import urlencode

HOST = "refer.example.com"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGE = ("Accept: text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate")
COOKIE = re.compile(rb"\r\nset-cookie: *([^;\r]+)", re.IGNORECASE)


def address(number: int) -> str:
    """Return the address from which a visitor comes; there are 16 million."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def get(path: str, *headers: str, cookie: str = "", visitor: int = 0) -> bytes:
    """Write a GET request."""
    return _request("GET", path, headers or PAGE, cookie, visitor)


def post(path: str, form: dict[str, str], cookie: str = "", visitor: int = 0) -> bytes:
    """Write a POST request of a form."""
    body = urlencode(form)
    headers = (*PAGE, "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}")
    return _request("POST", path, headers, cookie, visitor) + body.encode()


def post_json(path: str, body: object, *headers: str) -> bytes:
    """Write a POST request of a program."""
    sent = json.dumps(body).encode()
    headers = (*headers, "Content-Type: application/json", f"Content-Length: {len(sent)}")
    return _request("POST", path, headers, "", 0) + sent


def cookies_in(head: bytes) -> str:
    """Return the cookies that an answer sets, as the next request names them."""
    return "; ".join(found.decode() for found in COOKIE.findall(head))


def header_in(head: bytes, name: str) -> str:
    """Return a header of an answer, "" where there is none."""
    found = re.search(rb"\r\n%s: *([^\r]*)" % name.encode(), head, re.IGNORECASE)
    return found[1].decode() if found else ""


def _request(method: str, path: str, headers: tuple[str, ...], cookie: str, visitor: int) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HOST}",
        f"User-Agent: {BROWSER}",
        "Accept-Language: en",
        f"X-Forwarded-For: {address(visitor)}",
        *headers,
        *([f"Cookie: {cookie}"] if cookie else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()
