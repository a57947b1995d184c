"""Referral codes: what they look like, and drawing a new one."""

import re
import secrets
import string
from urllib.parse import urlsplit

SHORTEST, LONGEST = 8, 12
SHAPE = f"[A-Za-z0-9]{{{SHORTEST},{LONGEST}}}"  # a regular expression; a code is the same in any case
LENGTH = 8  # of new ones
ALPHABET = string.ascii_lowercase + string.digits


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
