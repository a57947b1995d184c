"""Sending less: which way of compressing an answer the asker would rather have, how well we do it, and which pages.

The size of a compressed answer tells something of what is in it, so a page is sent as it is unless it is on the list,
and mail addresses on it are masked. `docs/decisions/compressed-answers.md` says why that is enough.
"""

import random
import re
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import partial

import brotli
from flask import Flask, Response, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from referralhub.early_answers import Answer
from referralhub.remembered import remembered

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Ways = Mapping[str, Callable[[bytes], bytes]]

AS_IT_IS = "identity"  # the name of no compression
# Each in the order of our own taste: what makes it smallest once and for all, and what is quickest for a single page.
FOR_GOOD: Ways = {
    "br": partial(brotli.compress, quality=11),
    "zstd": partial(zstd.compress, level=19),
    "gzip": partial(zlib.compress, level=9, wbits=31),
}
QUICKLY: Ways = {
    "zstd": partial(zstd.compress, level=3),
    "br": partial(brotli.compress, quality=4),
    "gzip": partial(zlib.compress, level=4, wbits=31),
}
# The views whose pages hold nothing that is secret and stays the same: the token of forms and addresses have a mask.
PAGES = frozenset(
    {
        "auth.join",
        "auth.login",
        "auth.signup",
        "dashboard.home",
        "dashboard.recent_fragment",
        "dashboard.show_leaderboard",
        "dashboard.show_network",
        "dashboard.show_referrals",
        "landing.home",
        "landing.privacy",
    }
)
LONGEST = 256  # characters of what a browser accepts
SMALLEST = 1000  # bytes: below that the answer is one packet anyway
ADDRESS = re.compile(rb"""[^\s<>"'&;:]{0,64}@[^\s<>"'&;]{0,255}""")  # and whatever else has an @ in it
drawn = random.SystemRandom()


def init_app(app: Flask) -> None:
    """Compress the pages that may be."""
    app.after_request(compress)


def compress(response: Response) -> Response:
    """Send the page at hand in the way that the browser prefers, if it may be compressed and is worth it."""
    whole = request.method == "GET" and response.status_code == 200 and not response.is_streamed
    if not whole or request.endpoint not in PAGES or response.get_etag()[0]:
        return response
    page = response.get_data()
    if len(page) < SMALLEST:
        return response
    response.vary.add("Accept-Encoding")
    way = best_of(tuple(QUICKLY), request.headers.get("Accept-Encoding", ""))
    if way != AS_IT_IS:
        response.set_data(QUICKLY[way](masked(page)))
        response.headers["Content-Encoding"] = way
    return response


def compressed(answer: Answer, accepted: str) -> Answer:
    """Send an answer in the way that the browser prefers, if it says that it may be compressed."""
    varies = any(name == "Vary" and "Accept-Encoding" in value for name, value in answer.headers)
    way = best_of(tuple(QUICKLY), accepted) if varies and answer.body else AS_IT_IS
    if way == AS_IT_IS:
        return answer
    body = QUICKLY[way](masked(answer.body))
    headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
    return Answer(answer.status, [*headers, ("Content-Encoding", way), ("Content-Length", str(len(body)))], body)


def masked(page: bytes) -> bytes:
    """Write mail addresses in HTML another way each time, so that no guess at one makes the page shorter.

    Each letter becomes a reference to it, with a form that is drawn. Browsers read the same.
    """
    return ADDRESS.sub(lambda address: b"".join(map(_reference, address[0])), page) if b"@" in page else page


def _reference(byte: int) -> bytes:
    if byte > 127:  # a part of a letter
        return bytes([byte])
    return drawn.choice((b"&#%s%d;", b"&#x%s%x;")) % (b"0" * drawn.randrange(8), byte)


@remembered(256, LONGEST)
def best_of(ways: tuple[str, ...], accepted: str) -> str:
    """Return the way that an `Accept-Encoding` prefers, the first of those it likes equally; "identity" for none."""
    return parse_accept_header(accepted, Accept).best_match((*ways, AS_IT_IS)) or AS_IT_IS
