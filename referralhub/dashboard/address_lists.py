"""Lists of mail addresses as people paste or upload them."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from urllib.parse import unquote

# What stands between addresses, in lists, mail programs and tables. An apostrophe is none: Pat O'Neil has one.
BETWEEN = re.compile(r"[\s,;|<>\"()\[\]{}/\\，、；〈〉]+")
AROUND = "'’‘`.:*"  # at the ends of a word
INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")  # that comes along with what is pasted
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def decoded(file: bytes) -> str:
    """Return the text of a file in UTF-8, or in UTF-16, in which spreadsheets write "Unicode text"."""
    encoding = "utf-16" if file.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    return file.decode(encoding, errors="replace")


def candidates(text: str) -> list[str]:
    """Return what may be an address in a text, each once, whole and without what stands around it.

    A word that cannot be an address is returned as well, so that people see what was not understood.
    """
    return list(dict.fromkeys(_words(INVISIBLE.sub("", text))))


def _words(text: str) -> Iterator[str]:
    for word in BETWEEN.split(text):
        bare = word.strip(AROUND)
        if bare.lower().startswith("mailto:"):
            bare = unquote(bare[len("mailto:") :].partition("?")[0])
        if "@" in bare:
            yield CONTROL.sub("\ufffd", bare)
