"""Remembering what strangers' headers mean, without remembering how much of them strangers send."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Meaning = TypeVar("Meaning")


def remembered(most: int, longest: int) -> Callable[[Callable[..., Meaning]], Callable[..., Meaning]]:
    """Let a function of a header remember what it returned for so `most` of them.

    The header is the function's last argument. Of each only the first `longest` characters are looked at and kept:
    strangers send what they like.
    """

    def decorate(function: Callable[..., Meaning]) -> Callable[..., Meaning]:
        known = lru_cache(most)(function)

        @wraps(known)
        def of_the_beginning(*arguments: Any) -> Meaning:
            *before, header = arguments
            return known(*before, header[:longest])

        return of_the_beginning

    return decorate
