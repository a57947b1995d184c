"""Growth figures on the command line."""

import csv
import sys
from calendar import month_abbr

import click
from flask.cli import AppGroup

from referralhub.services.growth import Month, monthly

growth = AppGroup("growth", help="How fast the program grows.")

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
def report(as_csv: bool) -> None:
    """Print signups month by month.

    "Referred per organic" is the growth rate as the founding article counts it, and the viral coefficient is the
    same figure as a factor. "Share referred" is the part of all signups that were referred. "Members" is the
    running total.
    """
    months = monthly()
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(("month", "organic", "referred", "referred_per_organic", "share_referred", "members"))
        for month in months:
            rates = (_rounded(month.referred_per_organic), _rounded(month.share_referred))
            writer.writerow((f"{month.year}-{month.month:02}", month.organic, month.referred, *rates, month.members))
        return
    if not months:
        click.echo("Nobody has joined yet.")
        return
    rows = [COLUMNS, *(_cells(month) for month in months)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    most = max(month.signups for month in months)
    bars = ["", *("█" * round(BAR * m.organic / most) + "▒" * round(BAR * m.referred / most) for m in months)]
    for row, bar in zip(rows, bars, strict=True):
        cells = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(f"{cells}  {bar}".rstrip())
    click.echo(f"\nTotal: {months[-1].members:,} members. Bars: █ organic, ▒ referred.")


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


def _rounded(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.4f}"
