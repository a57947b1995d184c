"""The floor: what a click costs at the least, one round trip to Redis and a redirect, with no framework."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"])


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Ask Redis for what the path names, and lead on."""
    client.get(environ["PATH_INFO"])
    start_response("302 Found", [("Location", "/signup")])
    return []
