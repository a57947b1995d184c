"""What is known of the request or job at hand. Every line of the log says it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, Any] = MappingProxyType({})

_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)


@contextmanager
def about(**known: Any) -> Iterator[dict[str, Any]]:
    """Begin a request or a job; what is noted until the end of the block is found in what this gives."""
    token = begin(known)
    try:
        yield known
    finally:
        end(token)


def begin(known: dict[str, Any]) -> Token[dict[str, Any] | None]:
    """Begin without a block, which costs less, for what happens with every request. What this returns is for `end`."""
    return _facts.set(known)


def end(token: Token[dict[str, Any] | None]) -> None:
    """End what was begun."""
    _facts.reset(token)


def note(**more: Any) -> None:
    """Add to what is known: plain words and numbers, and never who asked or what for."""
    if (known := _facts.get()) is not None:
        known.update(more)


def facts() -> Mapping[str, Any]:
    """Return what is known; nothing outside of requests and jobs."""
    return _facts.get() or NOTHING


def request_id() -> str:
    """Return the number of the request, or of the one that caused the job; "" where there is none."""
    return str(facts().get("request_id", ""))
