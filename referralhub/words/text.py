"""Filling values into a text."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask_babel import gettext as _

from referralhub.models import Amount, ReferralState
from referralhub.words.amounts import format_amount, format_number
from referralhub.words.dates import day
from referralhub.words.language import Plural, translated, translated_plural
from referralhub.words.referrals import STATES

SHOWN = 5  # of a list


Text = str | Plural


def fill(text: Text, values: Mapping[str, Any]) -> str:
    """Return the text, translated, with its values as people write them."""
    said = translated_plural(text, values[text.number]) if isinstance(text, Plural) else translated(text)
    return said.format_map({name: _written(value) for name, value in values.items()})


def sentence_case(text: str) -> str:
    """Return a text as the beginning of a sentence: its first letter is a capital, the others stay."""
    return text[:1].upper() + text[1:]


def before_stop(text: str) -> str:
    """Return a text for the end of a sentence whose full stop follows: "Bo B." has one already."""
    return text.removesuffix(".")


def _written(value: Any) -> str:
    match value:
        case ReferralState():
            return translated(STATES[value])
        case Amount():
            return format_amount(value.number, value.unit)
        case int():
            return format_number(value)
        case date():
            return day(value)
        case list():
            first = ", ".join(map(str, value[:SHOWN]))
            more = format_number(len(value) - SHOWN)
            return _("%(first)s and %(number)s more", first=first, number=more) if len(value) > SHOWN else first
        case _:
            return str(value)
