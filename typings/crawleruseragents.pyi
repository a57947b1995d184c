"""Types of the list of crawlers, which has none: each entry has more keys than the one that is read."""

from typing import TypedDict

class _Entry(TypedDict):
    pattern: str

CRAWLER_USER_AGENTS_DATA: list[_Entry]
