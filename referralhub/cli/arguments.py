"""What commands take: numbers and words that the database can hold, so that any other is wrong usage."""

from collections.abc import Callable
from pathlib import Path

import click

from referralhub.forms import USERNAME, normal_address
from referralhub.services.program.rules import LARGEST, MOST
from referralhub.services.shared import currencies

ROW = click.IntRange(1, 2**31 - 1)  # the number of a referral or a message
AMOUNT = click.IntRange(1, LARGEST)
REFERRALS = click.IntRange(1, MOST)

Check = Callable[[click.Context, click.Parameter, str], str]


def at_most(length: int, least: int = 1) -> Check:
    """Make a check that a text has this many characters at most, and not too few."""

    def check(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
        if not least <= len(text.strip()) <= len(text) <= length:
            raise click.BadParameter(f"{least} to {length} characters, please.")
        return text

    return check


def unit(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Take what amounts can be counted in."""
    typed = currencies.typed_unit(text)
    if not currencies.is_unit(typed):
        raise click.BadParameter("points, megabytes, or the ISO 4217 code of a currency, such as EUR.")
    return typed


def codes(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> list[str] | None:
    """Read a file of coupon codes, each of which counts once."""
    if file is None:
        return None
    try:
        found = list(dict.fromkeys(file.read_text(encoding="utf-8").split()))
    except UnicodeDecodeError:
        raise click.BadParameter("The file is not text in UTF-8.") from None
    if not found or max(map(len, found)) > 80:
        raise click.BadParameter("The file needs a code a line, each of at most 80 characters.")
    return found


def username(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Take the names that the signup form takes."""
    if not 3 <= len(text) <= 30 or not USERNAME.match(text):
        raise click.BadParameter("3 to 30 letters a-z and digits, with . _ - in between.")
    return text


def address(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Take a mail address, in its normal form."""
    try:
        return normal_address(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
