"""Finding rows by what is typed: names, addresses and codes by how they begin, as an index can; other texts by a part.

Each table is asked by itself: a condition on several at once would join all of their rows, a million and more, before
it looks at one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

BY_BEGINNING = {"username", "email", "address", "code"}
IN_LOWER_CASE = {"code"}  # as it is kept, and indexed; the others are indexed by `lower`
MOST_WORDS, LONGEST = 8, 100  # what is typed beyond is not looked for
ANYWHERE = "*"  # before a word: it may stand anywhere

Field = tuple[InstrumentedAttribute[Any], Sequence[Any]]  # a column, and the relations that lead there


def matching(model: type[Any], fields: Iterable[Field], typed: str) -> ColumnElement[bool]:
    """Return the condition for rows in which each word is found in one of the fields."""
    by_path: dict[tuple[Any, ...], list[InstrumentedAttribute[Any]]] = defaultdict(list)
    for column, path in fields:
        by_path[tuple(path)].append(column)
    words = typed[:LONGEST].lower().split()[:MOST_WORDS]
    found = [union_all(*(_rows(model, *table, word) for table in by_path.items())) for word in words]
    return and_(True, *(model.id.in_(rows) for rows in found))


def _rows(
    model: type[Any], path: Iterable[Any], columns: Iterable[InstrumentedAttribute[Any]], word: str
) -> Select[tuple[int]]:
    query: Select[tuple[int]] = reduce(lambda query, relation: query.join(relation), path, select(model.id))
    return query.where(or_(*(_has(column, word) for column in columns)))


def _has(column: InstrumentedAttribute[Any], word: str) -> ColumnElement[bool]:
    text = column if column.key in IN_LOWER_CASE else func.lower(column)
    if column.key in BY_BEGINNING and not word.startswith(ANYWHERE):
        return text.startswith(word, autoescape=True)
    return text.contains(word.removeprefix(ANYWHERE), autoescape=True)
