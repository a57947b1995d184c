"""CSV for spreadsheets, which would run text that looks like a formula."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from referralhub.services.shared.errors import BadFile

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


def restored(cell: str) -> str:
    """Return what was in a cell before it was defused."""
    return cell[1:] if cell.startswith("'") and defused(cell[1:]) == cell else cell


def csv_rows(
    file: Iterable[str], columns: Sequence[str], more: Sequence[str] = ()
) -> Iterator[tuple[int, list[str] | None]]:
    """Read CSV, with commas or semicolons, one line at a time: its number, and its cells in these columns, stripped.

    Cells in `more` are empty where there is no such column, and others are passed over. A line that is no CSV has none.
    The line that names the columns is number 1. Raises BadFile unless it does.
    """
    lines = iter(file)
    head = next(lines, "").removeprefix(BYTE_ORDER_MARK)
    separator = ";" if head.count(";") > head.count(",") else ","
    names = [name.strip().lower() for name in next(csv.reader([head], delimiter=separator), [])]
    if not set(columns) <= set(names):
        raise BadFile("file_without_columns", columns=", ".join(columns))
    places = [names.index(name) if name in names else None for name in (*columns, *more)]
    rows = csv.reader(lines, delimiter=separator)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield rows.line_num + 1, None
            continue
        if row:
            yield rows.line_num + 1, ["" if at is None or at >= len(row) else row[at].strip() for at in places]
