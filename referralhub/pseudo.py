"""A made-up language, English with accents and half as long again: what is not translated stands out, and so does what
has no room for longer words.
"""

import re

from babel.support import NullTranslations

ACCENTED = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "åƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýžÅƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽ"
)
KEPT = re.compile(r"%\(\w+\)[sd]|%%\w?|\{\w*[^{}]*\}|<[^<>]*>|&\w+;")  # placeholders and markup
PADDING = "·"  # which lines may break behind


def pseudo(text: str) -> str:
    """Return a text in the made-up language; its placeholders stay as they are."""
    parts = KEPT.split(text)
    marks = [*KEPT.findall(text), ""]
    said = "".join(part.translate(ACCENTED) + mark for part, mark in zip(parts, marks, strict=True))
    longer = sum(map(len, parts)) // 2
    return f"{PADDING * longer}{said}"


class PseudoTranslations(NullTranslations):
    """Every text of the code, in the made-up language."""

    def gettext(self, message: str) -> str:
        """Return the text."""
        return pseudo(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the text for one, or for many."""
        return pseudo(msgid1 if n == 1 else msgid2)

    ugettext, ungettext = gettext, ngettext
