"""Amounts as people write them."""

from decimal import Decimal

from babel.numbers import format_currency, format_decimal

from referralhub.models import Unit
from referralhub.words.language import ENGLISH

UNITS = {Unit.POINTS: "points", Unit.MEGABYTES: "megabytes", Unit.US_CENTS: "US dollars"}


def format_number(number: int) -> str:
    """Return a whole number: "1,000"."""
    return format_decimal(number, locale=ENGLISH)


def format_amount(number: int, unit: Unit | str) -> str:
    """Return an amount in its unit: "10 points", "500 MB", "$20.00"."""
    match Unit(unit):
        case Unit.POINTS:
            return f"{format_number(number)} point{'' if abs(number) == 1 else 's'}"
        case Unit.MEGABYTES:
            return f"{format_number(number)} MB"
        case Unit.US_CENTS:
            return format_currency(Decimal(number) / 100, "USD", locale=ENGLISH)
