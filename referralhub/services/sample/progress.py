"""How far the loading of sample members has come."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

PERCENT = 100  # of one phase


def watched(items: Sequence[Item], progress: Callable[[int], None]) -> Iterator[Item]:
    """Yield the items of a phase, and tell `progress` of each hundredth of them: 100 in all, for none, too."""
    told = 0
    for done, item in enumerate(items):
        if (percent := done * PERCENT // len(items)) > told:
            progress(percent - told)
            told = percent
        yield item
    progress(PERCENT - told)
