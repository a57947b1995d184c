"""Long lists in parts, the newest row first. Each part begins behind a row of the one before it, named by its id.

So the last part costs what the first does, and one that is read while rows are added repeats none and skips none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

LENGTH = 20
LARGEST = 2**31 - 1  # of ids

Line = TypeVar("Line", bound=Any)


@dataclass(frozen=True)
class Part(Generic[Line]):
    """Some lines of a list. `after` is the id behind which it begins, `older` the one behind which the next does."""

    lines: list[Line]
    after: int | None
    older: int | None


def newest(
    query: Select[*tuple[Any, ...]], id_: InstrumentedAttribute[int], after: int | None
) -> Select[*tuple[Any, ...]]:
    """Narrow a query to one part, and to one row more, which tells that there is another."""
    if after is not None:
        query = query.where(id_ < after)
    return query.order_by(id_.desc()).limit(LENGTH + 1)


def part(lines: Sequence[Line], after: int | None) -> Part[Line]:
    """Make a part of the lines that such a query gave; each has an `id`."""
    shown = list(lines[:LENGTH])
    return Part(shown, after, shown[-1].id if len(lines) > LENGTH else None)
