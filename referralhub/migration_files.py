"""Which migrations there are, read from their files: to load Alembic takes longer than most of what wants to know."""

import re
from functools import cache

from referralhub.config import PROJECT

NAMED = r"^{} = ['\"](.+)['\"]"


@cache
def known() -> frozenset[str]:
    """Return every revision that this version of the program knows."""
    return _named("revision")


@cache
def newest() -> frozenset[str]:
    """Return the revision that a migrated database is at: the one that none builds on."""
    return known() - _named("down_revision")


def _named(what: str) -> frozenset[str]:
    pattern = re.compile(NAMED.format(what), re.MULTILINE)
    scripts = (PROJECT / "migrations" / "versions").glob("*.py")
    return frozenset(found for script in scripts for found in pattern.findall(script.read_text()))
