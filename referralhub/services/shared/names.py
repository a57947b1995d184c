"""What a member is called in public, and which names there can be; and what they can say to strangers in a line."""

import re
from typing import Any
from unicodedata import category, normalize

from sqlalchemy import ColumnElement, func

from referralhub.models import User
from referralhub.services.shared.errors import DomainError

JOINERS = "\u200c\u200d"  # Persian and Indian scripts need them between letters, pictures of families between people
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs by their category, and yet nothing to see
MOST_MARKS = 3  # on one letter; Hebrew, Thai and Vietnamese need as many
# What people would type into a browser, and some programs make a link of: an address with its scheme or its "www.", a
# host with a name for its end, which every "name.tld" is, or one in numbers. "e.g.", "3.50" and "Well..." are none.
WEB_ADDRESS = re.compile(
    r"://|\bwww\d{0,3}\.|[^\W_](?:[\w-]{0,61}\w)?\.[^\W\d_]{2,63}(?![^\W_])|(?:\d{1,3}\.){3}\d{1,3}", re.IGNORECASE
)
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # what shows as nothing, or turns the line around


def shown_name(user: "type[User] | Any") -> ColumnElement[str]:
    """The display name where one was chosen, else the user name; never the address."""
    name: ColumnElement[str] = func.coalesce(func.nullif(user.display_name, ""), user.username)
    return name


def check_name(name: str) -> None:
    """Refuse a name that others would not see, by the Unicode categories of its characters. Raises DomainError."""
    plain = normalize("NFC", name)
    if any(_is_invisible(plain, place) for place in range(len(plain))):
        raise DomainError("name_invisible")
    if not any(category(each)[0] in "LN" for each in plain):
        raise DomainError("name_without_letter")
    if _most_marks(plain) > MOST_MARKS:
        raise DomainError("name_with_many_marks", most=MOST_MARKS)


def check_line(text: str) -> None:
    """Refuse a line that strangers are not to be shown: what is unseen in it, or a web address. Raises DomainError."""
    plain = normalize("NFC", text)
    if any(_is_invisible(plain, place) for place in range(len(plain))):
        raise DomainError("name_invisible")
    if _most_marks(plain) > MOST_MARKS:
        raise DomainError("name_with_many_marks", most=MOST_MARKS)
    if WEB_ADDRESS.search(normalize("NFKC", text)):  # whatever width its letters have
        raise DomainError("text_with_address")


def _is_invisible(name: str, place: int) -> bool:
    each = name[place]
    if each in JOINERS:
        around = name[max(0, place - 1) : place] + name[place + 1 : place + 2]
        return len(around) < 2 or not all(category(other)[0] in "LMS" for other in around)
    return each in BLANKS or category(each) in INVISIBLE


def _most_marks(name: str) -> int:
    most = run = 0
    for each in name:
        run = run + 1 if category(each)[0] == "M" else 0
        most = max(most, run)
    return most
