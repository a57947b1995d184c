"""Finding rows by what is typed: names, addresses and codes by how they begin, as an index can; other texts by a part.

Each column is asked by itself, in the table that it is in: a condition on several tables at once would join all of
their rows, a million and more, before it looks at one.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

BY_BEGINNING = {"username", "email", "address", "code"}
IN_LOWER_CASE = {"code"}  # as it is kept, and indexed; the others are indexed by `lower`
MOST_WORDS, LONGEST = 8, 100  # what is typed beyond is not looked for
ANYWHERE = "*"  # before a word: it may stand anywhere

Field = tuple[InstrumentedAttribute[Any], Sequence[Any]]  # a column, and the relations that lead there


def matching(model: type[Any], fields: Iterable[Field], typed: str) -> ColumnElement[bool]:
    """Return the condition for rows in which each word is found in one of the fields."""
    words = typed[:LONGEST].lower().split()[:MOST_WORDS]
    found = [union_all(*(_rows(model, *field, word) for field in fields)) for word in words]
    return and_(True, *(model.id.in_(rows) for rows in found))


def _rows(model: type[Any], column: InstrumentedAttribute[Any], path: Sequence[Any], word: str) -> Select[tuple[int]]:
    text = column if column.key in IN_LOWER_CASE else func.lower(column)
    if column.key in BY_BEGINNING and not word.startswith(ANYWHERE):
        condition = text.startswith(word, autoescape=True)
    else:
        condition = text.contains(word.removeprefix(ANYWHERE), autoescape=True)
    return reduce(lambda query, relation: query.join(relation), path, select(model.id)).where(condition)
