"""What amounts are counted in, and what Babel knows of the currencies of ISO 4217."""

from decimal import Decimal
from functools import cache

from babel.core import get_global
from babel.numbers import get_currency_precision, get_territory_currencies

from referralhub.models import Unit

THINGS = (Unit.POINTS.value, Unit.MEGABYTES.value)  # units of amounts that are no money
US_CENTS = "us_cents"  # what US dollars were called while there was no other currency
DOLLARS = "USD"


@cache
def codes() -> frozenset[str]:
    """Return the codes of the currencies that are legal tender somewhere today."""
    territories = get_global("territory_currencies")
    return frozenset(code for territory in territories for code in get_territory_currencies(territory))


def is_money(unit: str) -> bool:
    """Whether the unit of an amount is a currency."""
    return unit not in THINGS


def is_unit(text: str) -> bool:
    """Whether amounts can be counted in this."""
    return text in THINGS or text in codes()


def decimals(unit: str) -> int:
    """Return how many decimals an amount has: 2 in euros, none in yen or points, 3 in the dinars of Bahrain."""
    return get_currency_precision(unit) if is_money(unit) else 0


def typed_unit(text: str) -> str:
    """Return the unit that somebody typed, in whichever case; "us_cents" is the former name of US dollars."""
    if text.lower() in THINGS:
        return text.lower()
    return DOLLARS if text.lower() == US_CENTS else text.upper()


def major(number: int, unit: str) -> Decimal:
    """Return an amount as people count it: 20.00 for 2,000 cents, and 2,000 for as many yen or points."""
    return Decimal(number).scaleb(-decimals(unit))
