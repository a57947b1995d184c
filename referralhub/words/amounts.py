"""Amounts as people write them."""

from decimal import Decimal

from babel.numbers import format_currency, format_decimal
from babel.numbers import format_percent as _format_percent
from flask_babel import ngettext

from referralhub.models import Unit
from referralhub.words.language import N_, locale

UNITS = {Unit.POINTS: N_("points"), Unit.MEGABYTES: N_("megabytes"), Unit.US_CENTS: N_("US dollars")}


def format_number(number: float) -> str:
    """Return a number with all the digits that it has: "1,000"."""
    return format_decimal(number, locale=locale(), decimal_quantization=False)


def format_percent(share: float | None, digits: int = 1) -> str:
    """Return a share of one: "5.1%"; what is not known is a dash."""
    if share is None:
        return "–"
    pattern = locale().percent_formats[None].pattern.replace("0", f"0.{'0' * digits}")
    return _format_percent(share, pattern, locale=locale())


def format_decimals(figure: float | None, digits: int = 2) -> str:
    """Return a figure with as many decimals: "1,234.50"; what is not known is a dash."""
    if figure is None:
        return "–"
    pattern = locale().decimal_formats[None].pattern.replace(".###", f".{'0' * digits}")
    return format_decimal(figure, pattern, locale=locale())


def format_amount(number: int, unit: Unit | str) -> str:
    """Return an amount in its unit: "10 points", "500 MB", "$20.00"."""
    match Unit(unit):
        case Unit.POINTS:
            return ngettext("%(number)s point", "%(number)s points", abs(number), number=format_number(number))
        case Unit.MEGABYTES:
            return f"{format_number(number)} MB"
        case Unit.US_CENTS:
            return format_currency(Decimal(number) / 100, "USD", locale=locale())


def figure_and_unit(amount: str) -> tuple[str, str]:
    """Part an amount, as it was written, where a line may break: "10 points" is "10" and "points"."""
    figure, _, unit = amount.partition(" ")
    return figure, unit
