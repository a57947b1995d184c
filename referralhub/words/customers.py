"""Lists of existing customers, in words."""

from dataclasses import asdict

from referralhub.services.referrals.customers import Loaded
from referralhub.words.errors import ERRORS
from referralhub.words.language import N_
from referralhub.words.text import fill

LINES = {
    "day_malformed": N_("The day must be written as 2026-01-31."),
    "day_to_come": N_("The day is yet to come."),
    **{code: str(ERRORS[code]) for code in ("line_unreadable", "address_malformed", "address_without_dot")},
}


def said(loaded: Loaded) -> str:
    """Say what became of the lines of a list."""
    return fill("{new} new, {earlier} known from an earlier day on, {unchanged} known already.", asdict(loaded))
