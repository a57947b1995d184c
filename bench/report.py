"""What people read: the table, the bars, the claims and the marks, on the screen and in RESULTS.md."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench.marks import Mark, marks
from bench.results import FLOOR, PEER, Results

BAR = 40  # characters of the longest one
TOLD = {"floor": "floor", "peer": "Django peer", "few": "ReferralHub", "many": "ReferralHub"}


def who(results: Results, side: str) -> str:
    """Name a side, with the number of its members."""
    return f"{TOLD[side]} {results.members[side]:,}" if side in results.members and side != FLOOR else TOLD[side]


def figures(results: Results) -> list[str]:
    """Write the table of what was measured in rounds."""
    rows = [["route", "who", "requests/s", "p50 ms", "p99 ms", "queries", "bytes", "× peer", "× floor"]]
    for side, route in sorted(results.rounds, key=lambda each: _order(results, each)):
        key = side, route
        samples = results.rounds[key]
        rows.append(
            [
                route, who(results, side), f"{results.rate(side, route):,.0f}",
                f"{results.percentile(side, route, 50):.2f}", f"{results.percentile(side, route, 99):.2f}",
                f"{results.queries[key]:.1f}" if key in results.queries else "",
                f"{median(sample.size for sample in samples):,.0f}",
                _against(results, key, PEER), _against(results, key, FLOOR),
            ]
        )  # fmt: skip
    return table(rows)


def rounds(results: Results) -> list[str]:
    """Write the requests a second of each round."""
    rows = [["route", "who", "requests/s in each round"]]
    for side, route in sorted(results.rounds, key=lambda each: _order(results, each)):
        rates = " · ".join(f"{sample.rate:,.0f}" for sample in results.rounds[side, route])
        rows.append([route, who(results, side), rates])
    return table(rows)


def bars(results: Results) -> list[str]:
    """Draw the requests a second of each route, all sides of it on one scale."""
    lines: list[str] = []
    for route in dict.fromkeys(route for _, route in results.rounds):
        compared = [each for each in results.rounds if each[1] == route]
        if results.has(PEER, THEIRS.get(route, "")):
            compared.insert(0, (PEER, THEIRS[route]))
        rates = {f"{who(results, side)}: {what}": results.rate(side, what) for side, what in compared}
        lines += [route, *(f"  {name:34} {bar(rate, max(rates.values()))}" for name, rate in rates.items()), ""]
    return lines[:-1]


def bar(value: float, longest: float) -> str:
    """Draw one bar, and write the value behind it."""
    return f"{'█' * max(1, round(BAR * value / longest)) if value and longest else ''} {value:,.0f}"


def latencies(results: Results) -> list[str]:
    """Write what was measured at fixed rates, and the memory."""
    rows = [["at fixed rates", "requests/s", "p50 ms", "p99 ms"]]
    for route, samples in results.half.items():
        numbers = [median(sample.percentile(each) for sample in samples) for each in (50, 99)]
        rate = median(sample.rate for sample in samples)
        rows.append([f"{route} at half of saturation", f"{rate:,.0f}", *(f"{each:.2f}" for each in numbers)])
    for name, sample in results.polling.items():
        numbers = [sample.percentile(each) for each in (50, 99)]
        what = f"{results.dashboards:,} open dashboards: {name}"
        rows.append([what, f"{sample.rate:,.1f}", *(f"{each:.2f}" for each in numbers)])
    for name, sample in results.events.items():
        rows.append([f"events {name}", f"{sample.rate:,.0f}", *(f"{sample.percentile(each):.2f}" for each in (50, 99))])
    memory = [["memory of one web process", "MB"]]
    memory += [[f"{who(results, side)}, at the end", f"{number:.1f}"] for side, number in results.memory.items()]
    memory += [[f"ReferralHub, after {number:,} requests", f"{size:.1f}"] for number, size in results.growth]
    return [line for rows in (rows, memory) if len(rows) > 1 for line in [*table(rows), ""]]


def claims(results: Results) -> list[str]:
    """Write what the article claims, and what was measured."""
    rows = [["the article's claim", "there", "here"]]
    return table(rows + [[claim.text, claim.article, claim.measured] for claim in results.claims])


def judged(found: Sequence[Mark]) -> list[str]:
    """Write the marks."""
    rows = [["mark", "wanted", "measured", ""]]
    rows += [
        [mark.text, mark.wanted, f"{mark.value:.2f} {mark.unit}", "held" if mark.held else "MISSED"] for mark in found
    ]
    return table(rows)


def summary(found: Sequence[Mark]) -> str:
    """Write the last line."""
    return f"marks: {sum(mark.held for mark in found)} of {len(found)} held"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows as a table of Markdown that is aligned for the eye, too; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    number = [all(_is_number(row[column]) for row in rows[1:]) for column in range(len(rows[0]))]

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def fill(row: Sequence[str]) -> str:
        return line(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, number, strict=True)
        )

    rule = line("-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, number, strict=True))
    return [fill(rows[0]), rule, *map(fill, rows[1:])]


def page(results: Results, machine: Sequence[str]) -> str:
    """Write RESULTS.md."""
    found = marks(results)
    wrong = [f"- {where}: {number}" for where, number in results.errors().items()]
    parts = [
        ["# Results", "", "Written by `make bench`; `README.md` says how it is measured.", "", *machine],
        ["## Marks", "", *judged(found), "", summary(found)],
        ["## Requests a second", "", "Medians of the rounds.", "", *figures(results), "", "```", *bars(results), "```"],
        ["## At fixed rates, and memory", "", *latencies(results)],
        ["## The article's claims", "", *claims(results)],
        ["## The rounds", "", *rounds(results)],
        ["## Answers that were wrong", "", *(wrong or ["None."])],
    ]
    return "\n\n".join("\n".join(part).rstrip() for part in parts) + "\n"


def _against(results: Results, key: tuple[str, str], other: str) -> str:
    their_route = "click" if other == FLOOR else THEIRS.get(key[1], key[1])
    if key[0] in {FLOOR, other} or not results.has(other, their_route):
        return ""
    return f"{results.ratio(key, (other, their_route)):.2f}"


def _order(results: Results, key: tuple[str, str]) -> tuple[int, int]:
    routes, sides = (list(dict.fromkeys(each[place] for each in results.rounds)) for place in (1, 0))
    return routes.index(key[1]), sides.index(key[0])


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").isdigit() or not text


# What the peer has instead.
THEIRS = {
    "click to a product": "click",
    "figures": "dashboard",
    "figures 304": "dashboard",
    "own place": "leaderboard",
}
