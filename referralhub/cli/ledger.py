"""Proving the books, and rebuilding what is only a copy."""

import sys
from dataclasses import dataclass

import click
from flask import current_app
from redis import RedisError

from referralhub.cli.output import FINDINGS, Commands, answer, json_option, progress
from referralhub.clock import now
from referralhub.services.conversions import recount as conversions
from referralhub.services.ledger import leaderboard as boards
from referralhub.services.ledger import recount
from referralhub.services.ledger.ranking import Period
from referralhub.services.shared.errors import in_short
from referralhub.words.operations import drift

ledger = Commands("ledger", help="The ledger and everything that follows from it.")
leaderboard = Commands("leaderboard", help="The leaderboard in Redis.")


@dataclass(frozen=True)
class Recount:
    """What one found: a line for each drift; `complete` is false when Redis was away and not compared."""

    drifts: list[str]
    complete: bool


@ledger.command("verify", epilog=FINDINGS)
@click.option(
    "--repair", is_flag=True, help="Set counts, badges and the leaderboard right. The ledger is never changed."
)
@json_option
def verify(repair: bool, as_json: bool) -> None:
    """Recount everything from the ledger and the trail: a line for each drift.

    With --repair what is only a copy is written anew and everything is counted once more; what is still wrong then
    needs a person.
    """
    before = after = _recount()
    if before.drifts and repair:
        recount.repair(current_app.extensions["redis"], now())
        after = _recount()
    document = {"drifts": after.drifts, "complete": after.complete}
    text = list(before.drifts)
    if after is not before:
        document["repaired"] = [drift for drift in before.drifts if drift not in after.drifts]
        text += ["Repaired. What is still wrong:", *after.drifts]
    if not after.drifts and after.complete:
        text.append("Everything follows from the ledger.")
    answer(as_json, document, text)
    if after.drifts or not after.complete:
        sys.exit(1)


@leaderboard.command("rebuild")
@json_option
def rebuild(as_json: bool) -> None:
    """Write the leaderboard in Redis anew from the database, and print how many members are on it."""
    with progress(len(Period), "Writing the leaderboard") as bar:
        number = boards.rebuild(current_app.extensions["redis"], now(), bar.update)
    answer(as_json, {"members": number}, [f"{number:,} members are on the leaderboard."])


def _recount() -> Recount:
    found: list[str] = []
    with progress(recount.STEPS + 1, "Recounting") as bar:
        try:
            found.extend(map(drift, conversions.drifts()))
            bar.update(1)
            found.extend(map(drift, recount.drifts(current_app.extensions["redis"], now(), bar.update)))
        except RedisError as error:
            click.echo(f"Redis does not answer, so its leaderboard was not compared: {in_short(error)}", err=True)
            return Recount(found, complete=False)
    return Recount(found, complete=True)
