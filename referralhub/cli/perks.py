"""The perk catalogue on the command line."""

from pathlib import Path

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.models import Unit
from referralhub.services import perks as service

perks = AppGroup("perks", help="What members can claim.")


@perks.command("add")
@click.argument("name")
@click.option("--description", default="")
@click.option("--price", type=click.IntRange(1), help="In the unit; US dollars in cents.")
@click.option("--unit", type=click.Choice([unit.value for unit in Unit]), default=Unit.POINTS.value, show_default=True)
@click.option("--unlocked-at", type=click.IntRange(1), help="Confirmed referrals that unlock it, instead of a price.")
@click.option("--stock", type=click.IntRange(0), help="How many there are; without it there is no limit.")
@click.option("--coupons", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file, a code a line.")
def add(
    name: str,
    description: str,
    price: int | None,
    unit: str,
    unlocked_at: int | None,
    stock: int | None,
    coupons: Path | None,
) -> None:
    """Put a perk into the catalogue: either bought with --price or unlocked by --unlocked-at."""
    if (price is None) == (unlocked_at is None):
        raise click.UsageError("Give either --price or --unlocked-at.")
    codes = coupons.read_text(encoding="utf-8").split() if coupons else None
    service.add(
        name, description, now(), price=price, unit=Unit(unit), unlocked_at=unlocked_at, stock=stock, coupons=codes
    )
    click.echo(f"{name} is in the catalogue.")
