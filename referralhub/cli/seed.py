"""Sample data."""

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.config import DEMO_MEMBER, DEMO_PASSWORD
from referralhub.services import sample_data
from referralhub.services.sample_data import Newcomer

seed = AppGroup("seed", help="Fill the program with sample members.")


@seed.command("demo")
def demo() -> None:
    """Load a small program of two months, with an account to look around in. Running it again changes nothing."""
    if _load("demo", sample_data.demo(now()), DEMO_PASSWORD):
        click.echo(f"Sign in as {DEMO_MEMBER} with the password {DEMO_PASSWORD}")


@seed.command("article")
def article() -> None:
    """Load the founding article's three months: 1,629 members, who cannot sign in. Running it again changes nothing."""
    _load("article", sample_data.article(), None)


def _load(name: str, newcomers: list[Newcomer], password: str | None) -> bool:
    with click.progressbar(length=len(newcomers), label=f"Loading {len(newcomers):,} members") as bar:
        loaded = sample_data.load(newcomers, password, bar.update)
    click.echo(f"{len(newcomers):,} members loaded." if loaded else f"The {name} members are here already.")
    return loaded
