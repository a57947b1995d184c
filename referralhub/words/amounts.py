"""Amounts as people write them."""

import re
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.numbers import format_currency, format_decimal, get_currency_name, get_currency_symbol
from babel.numbers import format_percent as _format_percent
from flask_babel import ngettext

from referralhub.models import Unit
from referralhub.services.shared import currencies
from referralhub.words.language import N_, locale, translated

# CLDR's own rule (UTS 35, currency spacing), which Babel leaves out: "BHD 20.000" and not "BHD20.000".
_TOUCHING = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")

UNITS = {Unit.POINTS: N_("points"), Unit.MEGABYTES: N_("megabytes"), Unit.MONEY: N_("money")}


def format_number(number: float) -> str:
    """Return a number with all the digits that it has: "1,000"."""
    return _decimal(number, locale())


def format_percent(share: float | None, digits: int = 1) -> str:
    """Return a share of one: "5.1%"; what is not known is a dash."""
    if share is None:
        return "–"
    pattern = locale().percent_formats[None].pattern.replace("0", f"0.{'0' * digits}")
    return _format_percent(share, pattern, locale=locale())


def format_share(basis_points: int) -> str:
    """Return a share with all the digits that it has: "12.5%"."""
    share = Decimal(basis_points) / 10_000
    return _format_percent(share, locale=locale(), decimal_quantization=False)


def format_decimals(figure: float | None, digits: int = 2) -> str:
    """Return a figure with as many decimals: "1,234.50"; what is not known is a dash."""
    if figure is None:
        return "–"
    pattern = locale().decimal_formats[None].pattern.replace(".###", f".{'0' * digits}" if digits else "")
    return format_decimal(figure, pattern, locale=locale())


def format_amount(number: int, unit: str) -> str:
    """Return an amount in its unit: "10 points", "500 MB", "$20.00", "¥2,000", "BHD 20.000"."""
    match unit:
        case Unit.POINTS:
            return ngettext("%(number)s point", "%(number)s points", abs(number), number=format_number(number))
        case Unit.MEGABYTES:
            return f"{format_number(number)} MB"
    return _money(currencies.major(number, unit), unit)


def format_cost(number: float, currency: str) -> str:
    """Return what something costs on average, with two more decimals where it is less than ten of the smallest unit."""
    digits = currencies.decimals(currency) + (2 if 0 < abs(number) < 10 else 0)
    rounded = round(Decimal(number).scaleb(-currencies.decimals(currency)), digits)
    return _money(rounded, currency)


@lru_cache(4096)  # a page has dozens of numbers, and most of them are small
def _decimal(number: float, written: Locale) -> str:
    return format_decimal(number, locale=written, decimal_quantization=False)


def _money(number: Decimal, currency: str) -> str:
    text = format_currency(number, currency, locale=locale(), decimal_quantization=False)
    return _TOUCHING.sub("\u00a0", text)


def figure_and_unit(amount: str) -> tuple[str, str]:
    """Part an amount, as it was written, where a line may break: "10 points" is "10" and "points"."""
    figure, _, unit = amount.partition(" ")
    return figure, unit


def unit_name(unit: str) -> str:
    """Name a unit, to stand behind a number or alone: "points", "euros"."""
    if currencies.is_money(unit):
        return get_currency_name(unit, count=2, locale=locale())
    return translated(UNITS[Unit(unit)])


def currency_symbol(currency: str) -> str:
    """Return the sign of a currency, such as "$"; its code where it has none of its own."""
    return get_currency_symbol(currency, locale=locale())
