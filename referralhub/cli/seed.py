"""Sample data."""

import time
from collections.abc import Callable
from typing import Any

import click

from referralhub.cli.output import Commands, answer, json_option, progress
from referralhub.clock import now
from referralhub.config import DEMO_MEMBER, DEMO_PASSWORD
from referralhub.services.sample import article, bulk, demo, writer
from referralhub.services.sample.progress import PERCENT

seed = Commands("seed", help="Fill the program with sample members.")

Load = Callable[[Callable[[int], None]], bool]


@seed.command("demo")
@json_option
def load_demo(as_json: bool) -> None:
    """Load a small program of two months, and print with which account to look around. Never for a public server.

    Running it again changes nothing.
    """
    account = {"username": DEMO_MEMBER, "password": DEMO_PASSWORD}
    number = len(demo.members(now()))
    _load("demo", number, lambda tell: demo.load(now(), tell), as_json, account)


@seed.command("article")
@json_option
def load_article(as_json: bool) -> None:
    """Load the founding article's three months: 1,629 members, who cannot sign in. Running it again changes nothing."""
    newcomers = article.members()
    _load("article", len(newcomers), lambda tell: writer.load(newcomers, None, tell), as_json)


@seed.command("bulk")
@click.option("--members", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True)
@json_option
def load_bulk(members: int, as_json: bool) -> None:
    """Load any number of members of the last twelve months, who cannot sign in.

    Where there are such members already, however many, nothing changes.

    Most of their referrals are confirmed; some wait, some expired, and some are in review or were taken back.
    """
    _load("bulk", members, lambda tell: bulk.load(members, now(), tell), as_json, phases=bulk.PHASES)


def _load(
    name: str,
    number: int,
    load: Load,
    as_json: bool,
    account: dict[str, Any] | None = None,
    phases: int = writer.PHASES,
) -> None:
    began = time.monotonic()
    with progress(phases * PERCENT, f"Loading {number:,} members") as bar:
        loaded = load(bar.update)
    seconds = time.monotonic() - began
    document = {"members": number if loaded else 0, "changed": loaded} | (account if loaded and account else {})
    text = [
        f"{number:,} members loaded in {seconds:.1f} s."
        if loaded
        else f"The {name} members are here already. None were added."
    ]
    if loaded and account:
        text.append(f"Sign in as {account['username']} with the password {account['password']}")
    answer(as_json, document, text)
