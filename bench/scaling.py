"""The figures of docs/scaling.md, made anew: `python -m bench.scaling cores`, or `sizes postgresql://…`, or `hop`.

`cores` follows from RESULTS.md; `sizes` looks at the tables of an installation; `hop` measures for a few seconds.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import psycopg

from bench import hop
from bench.report import table

RESULTS = Path(__file__).parent / "RESULTS.md"
CORES = 2  # of the machine that RESULTS.md is about
ASKED = {"signup": 10}  # a second; of all else a thousand
WIDTH = 40  # characters of the longest bar
SIDES = ("Django peer 1,000", "ReferralHub 1,000,000")
ROW = re.compile(r"\| (\w[\w ]*?) +\| (\w[\w ,]*?) +\| +([\d,]+) \|", re.MULTILINE)
OF_TABLES = """
SELECT relname, reltuples::bigint, pg_total_relation_size(oid) FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND reltuples > 0 ORDER BY 3 DESC
"""


def drawn(lines: Iterable[tuple[str, float]], unit: str) -> list[str]:
    """Draw a bar for each name, as long as its number."""
    lines = list(lines)
    longest, name_width = max(number for _, number in lines), max(len(name) for name, _ in lines)
    return [
        f"{name:{name_width}} {'█' * max(1, round(WIDTH * number / longest))} {_short(number)} {unit}"
        for name, number in lines
    ]


def cores(results: str) -> list[str]:
    """Tell how many cores a thousand requests a second take, or ten signups, with database, Redis and who asks."""
    found = {(route, side): float(number.replace(",", "")) for route, side, number in ROW.findall(results)}
    return drawn(
        (
            (f"{ASKED.get(route, 1000):,} {route}: {side}", CORES * ASKED.get(route, 1000) / number)
            for (route, side), number in found.items()
            if side in SIDES
        ),
        "cores",
    )


def sizes(rows: Sequence[tuple[str, int, int]]) -> list[str]:
    """Tell what each table takes with its indexes, for each row and for each member."""
    members = next(number for name, number, _ in rows if name == "user")
    large = [(name, number, taken) for name, number, taken in rows if taken * 1000 > sum(each[2] for each in rows)]
    cells = [
        (name, f"{number:,}", f"{taken / number:,.0f}", f"{taken / members:,.0f}") for name, number, taken in large
    ]
    lines = table([("table", "rows", "bytes/row", "bytes/member"), *cells])
    return [*lines, "", *drawn(((name, taken / members) for name, _, taken in large), "bytes/member")]


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def main(asked: str = "cores", url: str = "") -> None:
    """Print what was asked for."""
    if asked == "cores":
        lines = cores(RESULTS.read_text(encoding="utf-8"))
    elif asked == "sizes":
        with psycopg.connect(url) as connection:
            lines = sizes(connection.execute(OF_TABLES).fetchall())
    else:
        lines = drawn(hop.measured(), "µs")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
