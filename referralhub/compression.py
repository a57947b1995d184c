"""Sending less: which way of compressing an answer the asker would rather have, and how well we do it."""

import sys
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import brotli
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

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


@lru_cache(256)
def best_of(ways: tuple[str, ...], accepted: str) -> str:
    """Return the way that an `Accept-Encoding` prefers, the first of those it likes equally; "identity" for none."""
    return parse_accept_header(accepted, Accept).best_match((*ways, AS_IT_IS)) or AS_IT_IS
