"""Amounts as people write them."""

from referralhub.models import Unit

UNITS = {Unit.POINTS: "points", Unit.MEGABYTES: "megabytes", Unit.US_CENTS: "US dollars"}


def format_amount(number: int, unit: Unit | str) -> str:
    """Return an amount in its unit: "10 points", "500 MB", "$20.00"."""
    match Unit(unit):
        case Unit.POINTS:
            return f"{number:,} point{'' if abs(number) == 1 else 's'}"
        case Unit.MEGABYTES:
            return f"{number:,} MB"
        case Unit.US_CENTS:
            return f"{'-' if number < 0 else ''}${abs(number) / 100:,.2f}"
