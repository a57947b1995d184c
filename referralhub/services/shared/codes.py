"""Referral codes: what they look like, drawing a new one, and which of them people take for one another."""

import re
import secrets
import string
from collections.abc import Iterator
from urllib.parse import urlsplit

SHORTEST, LONGEST = 4, 20
# A regular expression; a code is the same in any case. Single hyphens stand between letters and digits.
SHAPE = rf"(?=[A-Za-z0-9-]{{{SHORTEST},{LONGEST}}}(?![A-Za-z0-9-]))[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
LENGTH = 8  # of new ones that are drawn
DRAWN = re.compile(rf"[A-Za-z0-9]{{{LENGTH},12}}")  # what any release has drawn
ALPHABET = string.ascii_lowercase + string.digits
# What Unicode's table of confusable characters (UTS 39) says of these letters and digits, whatever their case; the
# last pair is ours.
ALIKE = ("0o", "1il")
PAIRS = (("m", "rn"), ("w", "vv"))


def new_code() -> str:
    """Draw a code: one of 36^8, about 2.8 × 10¹²."""
    number, code = secrets.randbelow(len(ALPHABET) ** LENGTH), ""
    for _ in range(LENGTH):
        number, letter = divmod(number, len(ALPHABET))
        code += ALPHABET[letter]
    return code


def new_codes(number: int, taken: set[str]) -> list[str]:
    """Draw so many codes, none twice and none that is taken; of a million, two are the same one time in six."""
    drawn: set[str] = set()
    while len(drawn) < number:
        drawn |= {new_code() for _ in range(number - len(drawn))} - taken
    return list(drawn)


def normal(code: str) -> str:
    """Return a code as it is kept."""
    return code.strip().lower()


def pasted(text: str) -> str:
    """Return the code in what somebody pasted: a member's whole link is as good as the code in it."""
    parts = [part for part in urlsplit(text).path.split("/") if re.fullmatch(SHAPE, part)] if "/" in text else []
    return parts[-1] if parts else text


def may_be_drawn(code: str) -> bool:
    """Whether a code looks as one that was drawn does; of the others, the members chose a few."""
    return DRAWN.fullmatch(code) is not None


def skeleton(code: str) -> str:
    """Return what is left of a code in a hurried eye: codes that look alike have the same, no longer than the code."""
    left = _spread(code)
    for one, two in PAIRS:
        left = left.replace(two, one)
    return left


def drawn_alike(code: str) -> set[str]:
    """Return every code of eight characters that could be drawn and that looks like this one: at most 3^8."""
    return set(_written(_spread(code), LENGTH))


def _spread(code: str) -> str:
    """Write a code without hyphens, each of several letters that look alike as one of them, each pair as two."""
    left = code.lower().replace("-", "")
    for letters in ALIKE:
        left = left.translate(dict.fromkeys(map(ord, letters), letters[-1]))
    for one, two in PAIRS:
        left = left.replace(one, two)
    return left


def _written(spread: str, length: int) -> Iterator[str]:
    if not length <= len(spread) <= 2 * length:
        return
    if not spread:
        yield ""
        return
    for letter in next((letters for letters in ALIKE if spread[0] in letters), spread[0]):
        yield from (letter + rest for rest in _written(spread[1:], length - 1))
    for one, two in PAIRS:
        if spread.startswith(two):
            yield from (one + rest for rest in _written(spread[2:], length - 1))
