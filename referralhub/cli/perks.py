"""The perk catalogue on the command line."""

from pathlib import Path

import click

from referralhub.cli import arguments
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import Unit
from referralhub.services.perks import catalogue
from referralhub.services.shared.errors import AlreadyDone

perks = Commands("perks", help="What members can claim.")


@perks.command("add")
@click.argument("name", callback=arguments.at_most(80))
@click.option("--description", default="", callback=arguments.at_most(500, least=0), help="A sentence for members.")
@click.option("--price", type=arguments.AMOUNT, help="In the unit; money in the smallest unit of its currency.")
@click.option(
    "--unit",
    callback=arguments.unit,
    default=Unit.POINTS.value,
    show_default=True,
    help="points, megabytes, or the ISO 4217 code of a currency.",
)
@click.option("--unlocked-at", type=arguments.REFERRALS, help="Confirmed referrals that unlock it, instead of a price.")
@click.option("--stock", type=click.IntRange(0, 2**31 - 1), help="How many there are; without it there is no limit.")
@click.option(
    "--coupons",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=arguments.codes,
    help="A file with a code a line, which are then its stock.",
)
@json_option
def add(
    name: str,
    description: str,
    price: int | None,
    unit: str,
    unlocked_at: int | None,
    stock: int | None,
    coupons: list[str] | None,
    as_json: bool,
) -> None:
    """Put a perk into the catalogue: either bought with --price or unlocked by --unlocked-at.

    A perk that is in the catalogue on the same terms is left alone; one of this name on other terms is refused.
    """
    if (price is None) == (unlocked_at is None):
        raise click.UsageError("Give either --price or --unlocked-at.")
    if stock is not None and coupons:
        raise click.UsageError("Give either --stock or --coupons.")
    try:
        catalogue.add(
            name,
            description,
            now(),
            price=price,
            unit=unit,
            unlocked_at=unlocked_at,
            stock=stock,
            coupons=coupons,
        )
        changed, text = True, f"{name} is in the catalogue."
    except AlreadyDone:
        changed, text = False, f"{name} is in the catalogue already, on these terms. Nothing was changed."
    answer(as_json, {"name": name, "changed": changed}, [text])
