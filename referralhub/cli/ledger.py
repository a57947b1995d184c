"""Proving the books, and rebuilding what is only a copy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app
from flask.cli import AppGroup
from redis import RedisError

from referralhub.clock import now
from referralhub.services import leaderboard as boards
from referralhub.services import recount

ledger = AppGroup("ledger", help="The ledger and everything that follows from it.")
leaderboard = AppGroup("leaderboard", help="The leaderboard in Redis.")


@ledger.command("verify")
@click.option("--repair", is_flag=True, help="Mend counts, badges and the leaderboard. The ledger is never changed.")
def verify(repair: bool) -> None:
    """Recount everything from the ledger and the trail: a line for each drift, and exit code 1 if there is any."""
    found = _print_drifts()
    if found and repair:
        with redis_required():
            recount.repair(current_app.extensions["redis"], now())
        click.echo("Repaired. What is still wrong:")
        found = _print_drifts()
    if found:
        sys.exit(1)
    click.echo("Everything follows from the ledger.")


@leaderboard.command("rebuild")
def rebuild() -> None:
    """Write the leaderboard in Redis anew from the database."""
    with redis_required():
        number = boards.rebuild(current_app.extensions["redis"], now())
    click.echo(f"{number:,} members are on the leaderboard.")


def _print_drifts() -> int:
    number = 0
    try:
        for drift in recount.drifts(current_app.extensions["redis"], now()):
            click.echo(drift)
            number += 1
    except RedisError as error:
        click.echo(f"Redis does not answer, so its leaderboard was not compared: {error}", err=True)
    return number


@contextmanager
def redis_required() -> Iterator[None]:
    """Turn a Redis that does not answer into a plain message and exit code 1."""
    try:
        yield
    except RedisError as error:
        raise click.ClickException(f"Redis does not answer: {error}") from None
