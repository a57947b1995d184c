"""Rewards that are handed over, on the command line."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from referralhub.cli.arguments import ROW
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import RewardState
from referralhub.services.fulfilment import decisions, files, lists
from referralhub.services.fulfilment.lists import RewardLine
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.csv import csv_lines
from referralhub.words.amounts import format_amount
from referralhub.words.errors import say

rewards = Commands("rewards", help="Rewards that leave the house: which are due, and what became of them.")

number = click.argument("reward_id", metavar="ID", type=ROW)
states = click.Choice([state.value for state in RewardState])
of_state = click.option("--state", type=states, help="Only those in this state.")


@rewards.command("list")
@of_state
@click.option("--after", type=ROW, help="Go on behind this one.")
@json_option
def list_(state: str | None, after: int | None, as_json: bool) -> None:
    """List rewards, the newest first, twenty at a time."""
    found = lists.newest(RewardState(state) if state else None, after)
    document = {"rewards": [lists.plain(each) for each in found.lines], "next": found.older}
    text = [_line(each) for each in found.lines] or ["There are no rewards."]
    answer(as_json, document, text + ([f"More: --after {found.older}"] if found.older else []))


@rewards.command()
@number
@click.option("--reference", default="", help="Your own name for the handing over, such as a payment's number.")
@json_option
def fulfil(reward_id: int, reference: str, as_json: bool) -> None:
    """Note that a reward was handed over. One that was handed over already is left as it is."""
    _decide(lambda: decisions.fulfil(reward_id, reference, OPERATOR, now()), reward_id, as_json)


@rewards.command()
@number
@click.option("--reason", required=True, help="The member will read it.")
@json_option
def fail(reward_id: int, reason: str, as_json: bool) -> None:
    """Note that a reward could not be handed over. It stays owed."""
    _decide(lambda: decisions.fail(reward_id, reason, OPERATOR, now()), reward_id, as_json)


@rewards.command()
@number
@json_option
def retry(reward_id: int, as_json: bool) -> None:
    """Let a reward be due again that could not be handed over."""
    _decide(lambda: decisions.retry(reward_id, OPERATOR, now()), reward_id, as_json)


@rewards.command("export")
@of_state
@json_option
def export(state: str | None, as_json: bool) -> None:
    """Print what is due as CSV, or the rewards in another state, the oldest first.

    With “fulfilled” or “failed” for its state, and a reference or a reason, a line can be loaded again by `import`.
    """
    found = lists.every([RewardState(state or RewardState.DUE)])
    if as_json:
        answer(as_json, {"rewards": [lists.plain(each) for each in found]}, [])
        return
    for line in csv_lines(files.HEADER, files.rows(found)):
        click.echo(line, nl=False)


@rewards.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what is wrong with which line.")
@json_option
def load(file: Path, dry_run: bool, as_json: bool) -> None:
    """Do what a file says became of rewards: all of it, or nothing where a line is wrong.

    FILE is CSV in UTF-8 whose first line names at least the columns id and state; state is fulfilled, with a
    reference, or failed, with a reason. A line that still says due says nothing. To load a file twice changes nothing
    more.
    """
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        found = files.load(files.read(text), OPERATOR, now(), dry_run=dry_run)
    for line in found.mistakes:
        click.echo(f"Line {line.number}: {say(line.error)}", err=True)
    if not dry_run:
        files.refuse(len(found.mistakes))
    document = {"changed": 0 if dry_run else found.changed, "unchanged": found.unchanged, "wrong": len(found.mistakes)}
    would = {"would_change": found.changed} if dry_run else {}
    done = f"{found.changed} {'would be changed' if dry_run else 'changed'}, {found.unchanged} left as they are."
    answer(as_json, document | would, [done])
    if found.mistakes:
        sys.exit(1)


def _decide(step: Callable[[], bool], reward_id: int, as_json: bool) -> None:
    changed = step()
    line = lists.get(reward_id)
    text = f"Reward {reward_id} is {line.state.value} {'now' if changed else 'already'}."
    answer(as_json, lists.plain(line) | {"changed": changed}, [text if changed else f"{text} Nothing was changed."])


def _line(line: RewardLine) -> str:
    words = line.reference or line.reason
    return (
        f"{line.id}  {line.created:%Y-%m-%d}  {line.state.value}  {format_amount(line.amount, line.unit)}  "
        f"{line.external_id or line.member}{f'  {words}' if words else ''}"
    )
