"""Short lists that are read along with other figures, in one statement: each is one value, a text of JSON."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Text, cast, func, select

from referralhub.database import dialect


def listed(query: Select[*tuple[Any, ...]]) -> ColumnElement[str | None]:
    """Make one value of the rows of a query; it is None where PostgreSQL finds none."""
    rows = query.subquery()
    if dialect() == "postgresql":
        values: ColumnElement[Any] = cast(func.json_agg(func.json_build_array(*rows.c)), Text)
    else:
        values = func.json_group_array(func.json_array(*rows.c), type_=Text())
    return select(values).select_from(rows).scalar_subquery()


def reader(row: Any) -> Callable[[str | None], list[Any]]:
    """Make what reads such a value back; each of its rows is of the type `row`, whose moments may lack their zone."""
    decoder = msgspec.json.Decoder(list[row])
    return lambda value: decoder.decode(value) if value else []
