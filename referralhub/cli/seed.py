"""Sample data."""

import time
from collections.abc import Callable

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.config import DEMO_MEMBER, DEMO_PASSWORD
from referralhub.services import sample_crowd, sample_data

seed = AppGroup("seed", help="Fill the program with sample members.")


@seed.command("demo")
def demo() -> None:
    """Load a small program of two months, with an account to look around in. Running it again changes nothing."""
    if _load("demo", len(sample_data.demo(now())), lambda progress: sample_data.load_demo(now(), progress)):
        click.echo(f"Sign in as {DEMO_MEMBER} with the password {DEMO_PASSWORD}")


@seed.command("article")
def article() -> None:
    """Load the founding article's three months: 1,629 members, who cannot sign in. Running it again changes nothing."""
    newcomers = sample_data.article()
    _load("article", len(newcomers), lambda progress: sample_data.load(newcomers, None, progress))


@seed.command("bulk")
@click.option("--members", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True)
def bulk(members: int) -> None:
    """Load any number of members of the last twelve months, who cannot sign in. Running it again changes nothing.

    Most of their referrals are confirmed; some wait, some expired, and some are in review or were taken back.
    """
    _load("bulk", members, lambda progress: sample_crowd.load(members, now(), progress))


def _load(name: str, number: int, load: Callable[[Callable[[int], None]], bool]) -> bool:
    began = time.monotonic()
    with click.progressbar(length=number, label=f"Loading {number:,} members") as bar:
        loaded = load(bar.update)
    seconds = time.monotonic() - began
    click.echo(f"{number:,} members loaded in {seconds:.1f} s." if loaded else f"The {name} members are here already.")
    return loaded
