"""Words that nobody wants in an address: a kept list, in English and German."""

from functools import cache
from itertools import combinations
from pathlib import Path
from string import digits

LISTS = Path(__file__).parent.parent.parent / "data" / "bad-words"
# How digits are read for letters; a 1 is an i or an l.
READINGS = tuple(str.maketrans("0123456789", letters) for letters in ("oizeasgtbg", "olzeasgtbg"))
WITHOUT_MARKS = (str.maketrans({"ä": "a", "ö": "o", "ü": "u"}), str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"}))


def is_bad(code: str) -> bool:
    """Whether a code is one of these words, or has one between hyphens: with digits for letters, or around it, too."""
    parts = code.split("-")
    runs = {"".join(parts[first:last]) for first, last in combinations(range(len(parts) + 1), 2)}
    plain = {each for run in runs for each in (run, run.lstrip(digits), run.rstrip(digits), run.strip(digits))}
    return not _words().isdisjoint(plain | {run.translate(reading) for run in plain for reading in READINGS})


@cache
def _words() -> frozenset[str]:
    lines = [line for file in LISTS.glob("*.txt") for line in file.read_text(encoding="utf-8").lower().splitlines()]
    joined = ["".join(letter for letter in line if letter.isalnum()).replace("ß", "ss") for line in lines]
    return frozenset(word.translate(marks) for word in joined if len(word) > 2 for marks in WITHOUT_MARKS)
