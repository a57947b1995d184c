"""Finding rows by what is typed: names, addresses and codes by how they begin, numbers of customers as a whole, both as
an index can; other texts by a part.

Each table is asked by itself: a condition on several at once would join all of their rows, a million and more, before
it looks at one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, func, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

BY_BEGINNING = {"username", "display_name", "email", "address", "code"}
WHOLE = {"external_id"}  # as another product writes it
WITH_BLANKS = {"display_name", "external_id"}  # of which several words can be one
IN_LOWER_CASE = {"code"}  # as it is kept, and indexed; the others are indexed by `lower`
MOST_WORDS, LONGEST = 8, 100  # what is typed beyond is not looked for
ANYWHERE = "*"  # before a word: it may stand anywhere
TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

Field = tuple[InstrumentedAttribute[Any], Sequence[Any]]  # a column, and the relations that lead there
Tables = dict[tuple[Any, ...], list[InstrumentedAttribute[Any]]]  # columns by the relations that lead to them


def of_member(path: str = "") -> tuple[str, ...]:
    """Return the fields by which the member is found to whom a path of relations leads."""
    begin = f"{path}." if path else ""
    return tuple(f"{begin}{field}" for field in ("username", "display_name", "external.external_id"))


def matching(model: type[Any], fields: Iterable[Field], typed: str) -> ColumnElement[bool]:
    """Return the condition for rows in which each word is found in one of the fields, or all of them as one name."""
    tables: Tables = defaultdict(list)
    for column, path in fields:
        tables[tuple(path)].append(column)
    words = typed[:LONGEST].split()[:MOST_WORDS]
    each_word = and_(True, *(model.id.in_(union_all(*_rows(model, tables, word))) for word in words))
    names = {path: [each for each in columns if each.key in WITH_BLANKS] for path, columns in tables.items()}
    names = {path: columns for path, columns in names.items() if columns}
    if len(words) < 2 or not names:
        return each_word
    as_one = _rows(model, names, " ".join(words))
    found: ColumnElement[bool] = model.id.in_(union_all(select(model.id).where(each_word), *as_one))
    return found


def _rows(model: type[Any], tables: Tables, word: str) -> Iterator[Select[tuple[int]]]:
    """Find the rows by each table. One that no index helps with is read once, though two relations lead to it."""
    ways = Counter(tuple(map(str, columns)) for columns in tables.values())
    shared: dict[tuple[str, ...], CTE] = {}
    for path, columns in tables.items():
        found = or_(*(_has(column, word) for column in columns))
        same = tuple(map(str, columns))
        if ways[same] > 1 and word.startswith(ANYWHERE):
            (key,) = path[-1].property.mapper.primary_key
            if same not in shared:
                shared[same] = select(key).where(found).cte()
            found = key.in_(select(shared[same]))
        query: Select[tuple[int]] = reduce(lambda query, relation: query.join(relation), path, select(model.id))
        yield query.where(found)


def _has(column: InstrumentedAttribute[Any], word: str) -> ColumnElement[bool]:
    text = column if column.key in IN_LOWER_CASE else func.lower(column)
    if word.startswith(ANYWHERE):
        return or_(*(text.contains(each, autoescape=True) for each in _lowered(word.removeprefix(ANYWHERE))))
    if column.key in WHOLE:
        return column == word
    if column.key in BY_BEGINNING:
        return or_(*(text.startswith(each, autoescape=True) for each in _lowered(word)))
    return or_(*(text.contains(each, autoescape=True) for each in _lowered(word)))


def _lowered(word: str) -> list[str]:
    """Return a word as `lower` may have written it: the database's knows a to z alone, or every letter."""
    return sorted({word.lower(), word.translate(TO_LOWER), word.title().translate(TO_LOWER)})
