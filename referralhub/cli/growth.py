"""Growth figures on the command line."""

from calendar import month_abbr
from collections.abc import Iterator

import click

from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import local_now, zone
from referralhub.services.growth.monthly import FIGURES, Month, monthly
from referralhub.services.shared.csv import csv_lines

growth = Commands("growth", help="How fast the program grows.")

COLUMNS = (
    "Month",
    "Organic",
    "Referred",
    "Referred per organic",
    "Viral coefficient",
    "Share referred",
    "Members",
)
BAR = 24  # characters for the month with the most signups


@growth.command("report")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values for a spreadsheet.")
@json_option
def report(as_csv: bool, as_json: bool) -> None:
    """Print signups month by month.

    "Referred per organic" is the growth rate as the founding article counts it, and the viral coefficient is the
    same figure as a factor. "Share referred" is the part of all signups that were referred. "Members" is the
    running total.
    """
    if as_csv and as_json:
        raise click.UsageError("Give either --csv or --json.")
    months = monthly(today=local_now().date(), zone=zone())
    figures = [month.figures() for month in months]
    if as_csv:
        click.echo("".join(csv_lines(FIGURES, figures)), nl=False)
    else:
        answer(as_json, {"months": [dict(zip(FIGURES, each, strict=True)) for each in figures]}, _table(months))


def _table(months: list[Month]) -> Iterator[str]:
    if not months:
        yield "Nobody has joined yet."
        return
    rows = [COLUMNS, *(_cells(month) for month in months)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    most = max(month.signups for month in months)
    bars = ["", *("█" * round(BAR * m.organic / most) + "▒" * round(BAR * m.referred / most) for m in months)]
    for row, bar in zip(rows, bars, strict=True):
        cells = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{cells}  {bar}".rstrip()
    yield f"\nTotal: {months[-1].members:,} members. Bars: █ organic, ▒ referred."


def _cells(month: Month) -> tuple[str, ...]:
    rate, share = month.referred_per_organic, month.share_referred
    return (
        f"{month_abbr[month.month]} {month.year}",
        f"{month.organic:,}",
        f"{month.referred:,}",
        "–" if rate is None else f"{rate:.1%}",
        "–" if rate is None else f"{rate:.2f}",
        "–" if share is None else f"{share:.1%}",
        f"{month.members:,}",
    )
