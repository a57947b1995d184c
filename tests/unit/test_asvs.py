"""`docs/asvs.md` names every requirement of levels 1 and 2, and tests that there are."""

import re
from collections import Counter

from referralhub.config import PROJECT

ROW = re.compile(r"\| (\d+\.\d+\.\d+) \| ([12]) \| (held|partly|operator|n/a|open) \| (.+) \|")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
STANDARD = dict(line.split() for line in (PROJECT / "tests/data/asvs-5.0.txt").read_text().splitlines())
PAGE = (PROJECT / "docs/asvs.md").read_text()
ROWS = [row.groups() for row in map(ROW.fullmatch, PAGE.splitlines()) if row]


def test_every_requirement_is_there_once():
    assert Counter((number, level) for number, level, _, _ in ROWS) == Counter(STANDARD.items())
    assert sum(line.startswith("| ") and line[2].isdigit() for line in PAGE.splitlines()) == len(ROWS)


def test_every_test_that_is_named_is_there():
    named = set(TEST.findall(PAGE))
    assert PAGE.count("`tests/") == len(TEST.findall(PAGE))
    assert len(named) > 100
    missing = [
        f"{file}::{name}"
        for file, name in sorted(named)
        if not re.search(rf"^\s*(?:def|class) {name}\b", (PROJECT / file).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_what_is_held_says_by_which_test_or_where_it_is_written():
    unproved = [number for number, _, state, words in ROWS if state == "held" and "tests/" not in words]
    documented = re.compile(r"Below, \*|\]\(\S+\.md\)|make sbom|make advisories")
    by_words = {number: words for number, _, state, words in ROWS if number in unproved}
    assert {number: words for number, words in by_words.items() if not documented.search(words)} == {}
