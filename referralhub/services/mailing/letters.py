"""A letter: its placeholders, filling them in, and what one of the operator's own can be.

Nothing in it can run: a placeholder is a name in braces, and is replaced by a text.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from referralhub.services.shared.errors import BadSetting

PLACEHOLDER = re.compile(r"\{(\w+)\}")
IN_A_SENTENCE = re.compile(r"(?P<blank> ?)\{(?P<name>\w+)\}(?P<stop>\.?)")
BRACES = re.compile(r"\{[^{}]*\}")  # a placeholder, or what was meant for one
BUTTON = re.compile(r"(?P<label>[^\n]+): \{(?P<url>\w*url)\}")  # a paragraph that is one
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")  # all but the end of a line
BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
EVERYWHERE = {"brand"}  # what every letter can name
SHARED = ("share", "share_with_reward")  # letters that members send themselves; every dashboard shows one
LONGEST_SUBJECT, LONGEST_BODY, LONGEST_SHARED = 200, 10_000, 1000


class Letter(NamedTuple):
    """A mail or shared message as it is written, before its values are filled in."""

    subject: str
    body: str


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its values in place of its placeholders. Raises KeyError for one that has none.

    An empty value takes the blank before it along ("Hello {name},"), and "Bo B." its own full stop where one follows.
    """

    def written(found: re.Match[str]) -> str:
        value = values[found["name"]]
        stop = "" if value.endswith(".") else found["stop"]
        return f"{found['blank'] if value else ''}{value}{stop}"

    return IN_A_SENTENCE.sub(written, text)


def names_in(text: str) -> list[str]:
    """Return the name of each placeholder in a text, once."""
    return list(dict.fromkeys(PLACEHOLDER.findall(text)))


def known_to(original: Letter) -> list[str]:
    """Return what can be named in the operator's own version of a letter."""
    return sorted({*names_in(original.subject), *names_in(original.body), *EVERYWHERE})


def longest_body(name: str) -> int:
    """Return how long the text of this letter can be: what is shared becomes part of an address."""
    return LONGEST_SHARED if name in SHARED else LONGEST_BODY


def check(name: str, own: Letter, original: Letter) -> Letter:
    """Return an own version of a letter in its normal form. Raises BadSetting, with `subject` or `body` for its key."""
    subject, body = own.subject.strip(), BLANK_LINES.sub("\n\n", own.body.replace("\r\n", "\n").strip())
    known = known_to(original)
    _check_text("subject", subject, LONGEST_SUBJECT, [each for each in known if not _stands_alone(each)])
    _check_text("body", body, longest_body(name), known)
    buttons = {found["url"] for each in body.split("\n\n") if (found := BUTTON.fullmatch(each))}
    for paragraph in original.body.split("\n\n"):
        found = BUTTON.fullmatch(paragraph)
        if found and found["url"] not in buttons:
            raise BadSetting("body", "text_without_link", example=paragraph)
    return Letter(subject, body)


def _stands_alone(name: str) -> bool:
    """Whether a placeholder is for a paragraph of its own: a link, or somebody's own words."""
    return name.endswith("url") or name == "words"


def _check_text(key: str, text: str, longest: int, known: list[str]) -> None:
    if not 1 <= len(text) <= longest:
        raise BadSetting(key, "name_length", least=1, most=longest)
    if CONTROL.search(text) or (key == "subject" and "\n" in text):
        raise BadSetting(key, "text_with_control_character")
    for found in BRACES.findall(text):
        if found[1:-1] not in known:
            raise BadSetting(key, "text_placeholder_unknown", what=found, known=", ".join(f"{{{it}}}" for it in known))
    if set("{}") & set(BRACES.sub("", text)):
        raise BadSetting(key, "text_brace_stray")
