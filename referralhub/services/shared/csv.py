"""Tables for spreadsheets, which run what looks like a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

# OWASP's CSV Injection page: the characters with which a formula begins, in one program or another.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows with the same keys as CSV with a header; text that a spreadsheet would run gets a `'` in front."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: defused(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Write many rows as CSV, a line at a time, with the same care."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in chain([header], rows):
        writer.writerow([defused(cell) for cell in row])
        yield out.getvalue()
        out.seek(out.truncate(0))


def defused(value: Any) -> Any:
    """Return a cell that no spreadsheet runs. Numbers stay numbers, moments become ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA):
        return f"'{value}"
    return value
