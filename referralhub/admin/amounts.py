"""Whole numbers and amounts as admins type them and read them in a field."""

import re

from flask_babel import gettext as _
from wtforms.validators import ValidationError

from referralhub.models import Unit
from referralhub.services.program.rules import LARGEST
from referralhub.words.amounts import UNITS
from referralhub.words.language import translated

_WHOLE = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3}")
_DOLLARS = re.compile(r"\$?(?P<dollars>[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.(?P<cents>[0-9]{2}))?")


def unit_choices() -> dict[str, str]:
    """Return the units to choose from, each with its words."""
    return {unit.value: translated(words) for unit, words in UNITS.items()}


def whole(text: str, least: int = 0, most: int = LARGEST) -> int:
    """Read a whole number. Raises ValidationError."""
    found = _WHOLE.fullmatch(text.strip())
    if not found:
        raise ValidationError(_("Use a whole number, such as 10."))
    return _within(int(found[0].replace(",", "")), least, most, f"{least:,}", f"{most:,}")


def amount(text: str, unit: Unit, least: int = 0) -> int:
    """Read an amount in its unit; dollars may have two decimals. Raises ValidationError."""
    if unit is not Unit.US_CENTS:
        return whole(text, least)
    found = _DOLLARS.fullmatch(text.strip())
    if not found:
        raise ValidationError(_("Use dollars, such as 20 or 20.00."))
    cents = int(found["dollars"].replace(",", "")) * 100 + int(found["cents"] or 0)
    return _within(cents, least, LARGEST, *(typed(each, unit) for each in (least, LARGEST)))


def typed(figure: int | None, unit: Unit) -> str:
    """Write an amount as one types it; nothing where there is none."""
    if figure is None:
        return ""
    return f"{figure // 100}.{figure % 100:02}" if unit is Unit.US_CENTS else str(figure)


def _within(figure: int, least: int, most: int, least_words: str, most_words: str) -> int:
    if not least <= figure <= most:
        raise ValidationError(_("Use a number from %(least)s to %(most)s.", least=least_words, most=most_words))
    return figure
