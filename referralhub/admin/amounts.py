"""Whole numbers and amounts as admins type them and read them in a field."""

import re

from flask_babel import gettext as _
from wtforms.validators import ValidationError

from referralhub.services.program.rules import LARGEST, MOST, WHOLE
from referralhub.services.shared import currencies
from referralhub.words.amounts import UNITS, currency_symbol, unit_name
from referralhub.words.language import translated

_WHOLE = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3}")
_MONEY = re.compile(r"(?P<whole>[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.(?P<rest>[0-9]+))?")

_PERCENT = re.compile(r"(?P<whole>[0-9]{1,3})(?:\.(?P<rest>[0-9]{1,2}))?\s*%?", re.ASCII)


def program_unit_choices() -> dict[str, str]:
    """Return what a program can count in, each with its words."""
    return {unit.value: translated(words) for unit, words in UNITS.items()}


def currency_choices() -> dict[str, str]:
    """Return the currencies to choose from, each with its code and name."""
    return {code: f"{code}: {unit_name(code)}" for code in sorted(currencies.codes())}


def unit_choices() -> dict[str, str]:
    """Return the units of amounts to choose from: what is no money, then every currency."""
    return {unit: unit_name(unit) for unit in currencies.THINGS} | currency_choices()


def whole(text: str, least: int = 0, most: int = MOST) -> int:
    """Read a whole number. Raises ValidationError."""
    found = _WHOLE.fullmatch(text.strip())
    if not found:
        raise ValidationError(_("Use a whole number, such as 10."))
    return _within(int(found[0].replace(",", "")), least, most, f"{least:,}", f"{most:,}")


def amount(text: str, unit: str, least: int = 0) -> int:
    """Read an amount in its unit; money may have the decimals of its currency, or none. Raises ValidationError."""
    if not currencies.is_money(unit):
        return whole(text, least, LARGEST)
    decimals = currencies.decimals(unit)
    found = _MONEY.fullmatch(text.strip().removeprefix(currency_symbol(unit)).removeprefix(unit).strip())
    if not found or len(found["rest"] or "") not in {0, decimals}:
        if not decimals:
            raise ValidationError(_("Use %(currency)s, such as 20.", currency=unit_name(unit)))
        example = f"{20:.{decimals}f}"
        raise ValidationError(
            _("Use %(currency)s, such as 20 or %(example)s.", currency=unit_name(unit), example=example)
        )
    smallest = int(found["whole"].replace(",", "") + (found["rest"] or "0" * decimals))
    return _within(smallest, least, LARGEST, *(typed(each, unit) for each in (least, LARGEST)))


def share(text: str) -> int:
    """Read a share in percent, such as 12.5; returns basis points. Raises ValidationError."""
    found = _PERCENT.fullmatch(text.strip())
    if not found:
        raise ValidationError(_("Use percent, such as 10 or 12.5."))
    basis_points = int(found["whole"] + (found["rest"] or "").ljust(2, "0"))
    return _within(basis_points, 0, WHOLE, "0", "100")


def typed_share(basis_points: int) -> str:
    """Write a share as one types it; nothing where there is none."""
    return f"{basis_points / 100:g}" if basis_points else ""


def typed(figure: int | None, unit: str) -> str:
    """Write an amount as one types it; nothing where there is none."""
    return "" if figure is None else str(currencies.major(figure, unit))


def _within(figure: int, least: int, most: int, least_words: str, most_words: str) -> int:
    if not least <= figure <= most:
        raise ValidationError(_("Use a number from %(least)s to %(most)s.", least=least_words, most=most_words))
    return figure
