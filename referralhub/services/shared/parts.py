"""Long lists in parts, the newest row first. Each part begins behind a row of the one before it, named by its id.

So the last part costs what the first does, and one that is read while rows are added repeats none and skips none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

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


def newest_of(
    session: Session,
    query: Select[*tuple[Any, ...]],
    ids: Select[int],
    id_: InstrumentedAttribute[int],
    after: int | None,
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read one part of everybody's rows, and one row more; `ids` finds those that are asked for.

    Two queries: the ids are found first, and by an index alone. A database that takes such rows for evenly spread would
    read on from the newest row of all to the first that fits, and one that joins first would do so with all of them.
    """
    return _of(session, query, ids if after is None else ids.where(id_ < after), id_, id_.desc())


def latest_of(
    session: Session,
    query: Select[*tuple[Any, ...]],
    ids: Select[int],
    id_: InstrumentedAttribute[int],
    created: InstrumentedAttribute[datetime],
    after: int | None,
    after_created: Select[datetime],
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Do so in the order of time, in which an index finds the rows of a span; equals are in that of their ids.

    `after_created` finds the moment of the row `after`.
    """
    if after is not None:
        ids = ids.where(tuple_(created, id_) < tuple_(after_created.scalar_subquery(), after))
    return _of(session, query, ids, id_, created.desc(), id_.desc())


def _of(
    session: Session,
    query: Select[*tuple[Any, ...]],
    ids: Select[int],
    id_: InstrumentedAttribute[int],
    *order: ColumnElement[Any],
) -> Sequence[Row[*tuple[Any, ...]]]:
    found = session.scalars(ids.order_by(*order).limit(LENGTH + 1)).all()
    return session.execute(query.where(id_.in_(found)).order_by(*order)).all() if found else []


def part(lines: Sequence[Line], after: int | None) -> Part[Line]:
    """Make a part of the lines that such a query gave; each has an `id`."""
    shown = list(lines[:LENGTH])
    return Part(shown, after, shown[-1].id if len(lines) > LENGTH else None)
