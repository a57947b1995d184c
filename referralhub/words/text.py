"""Filling values into a text."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from referralhub.models import Amount
from referralhub.words.amounts import format_amount, format_number

SHOWN = 5  # of a list


class Plural(NamedTuple):
    """A text that depends on the number of something; `number` names the value that holds it."""

    number: str
    one: str
    many: str


Text = str | Plural


def fill(text: Text, values: Mapping[str, Any]) -> str:
    """Return the text with its values as people write them."""
    if isinstance(text, Plural):
        text = text.one if values[text.number] == 1 else text.many
    return text.format_map({name: _written(value) for name, value in values.items()})


def _written(value: Any) -> str:
    match value:
        case Amount():
            return format_amount(value.number, value.unit)
        case int():
            return format_number(value)
        case list():
            more = f" and {len(value) - SHOWN} more" if len(value) > SHOWN else ""
            return ", ".join(map(str, value[:SHOWN])) + more
        case _:
            return str(value)
