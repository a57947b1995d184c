"""The language that pages, mail and commands speak: that of who reads, chosen in `referralhub/languages`."""

from typing import NamedTuple

from babel import Locale
from flask_babel import get_locale, get_translations

ENGLISH = Locale("en")


class Plural(NamedTuple):
    """A text that depends on the number of something; `number` names the value that holds it."""

    number: str
    one: str
    many: str


def N_(text: str) -> str:
    """Mark a text to be translated where it is said."""
    return text


def locale() -> Locale:
    """Return how dates, numbers and amounts are written."""
    return get_locale() or ENGLISH


def spoken() -> str:
    """Return the language that is spoken now, as its folder of translations is called: "de"."""
    return str(locale())


def translated(text: str) -> str:
    """Return a text, which is marked where it is written, in the language that is spoken now."""
    return str(get_translations().gettext(text))


def translated_plural(text: Plural, number: int) -> str:
    """Return the form of a text that goes with a number."""
    return str(get_translations().ngettext(text.one, text.many, number))
