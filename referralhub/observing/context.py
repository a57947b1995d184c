"""What is known of the request or job at hand. Every line of the log says it."""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, Any] = MappingProxyType({})

_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)


class about:
    """Begin a request or a job; what is noted until the end of the block is found in what this gives."""

    def __init__(self, **known: Any) -> None:
        self.known = known

    def __enter__(self) -> dict[str, Any]:
        self.token = _facts.set(self.known)
        return self.known

    def __exit__(self, *_: object) -> None:
        _facts.reset(self.token)


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
