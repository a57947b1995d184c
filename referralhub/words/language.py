"""The language that pages, mail and commands speak."""

from babel import Locale

ENGLISH = Locale("en")
