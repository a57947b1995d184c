"""CSV for spreadsheets, which would run text that looks like a formula."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

BYTE_ORDER_MARK = "\ufeff"  # by which spreadsheets know UTF-8, and do not garble accents

# The characters with which a formula begins in one program or another: OWASP's page on CSV injection, ASVS 1.2.10.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows with the same keys as CSV with a header; every cell is defused."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: defused(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a header and rows as lines of CSV, one at a time; every cell is defused."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in chain([header], rows):
        writer.writerow([defused(cell) for cell in row])
        yield out.getvalue()
        out.seek(out.truncate(0))


def defused(value: Any) -> Any:
    """Return a cell that no spreadsheet runs: with a `'` in front if it needs one.

    Numbers stay numbers, dates with a time become ISO 8601.
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA):
        return f"'{value}"
    return value
