"""Existing customers on the command line."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from referralhub.cli.output import Commands, answer, json_option, progress
from referralhub.clock import local_now, now
from referralhub.services.referrals import customers as service
from referralhub.services.referrals.customers import Known, Wrong
from referralhub.services.shared.audit import OPERATOR
from referralhub.words.customers import LINES, said

customers = Commands("customers", help="Who was a customer before a friend could bring them.")


@customers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what is wrong with which line.")
@json_option
def load(file: Path, dry_run: bool, as_json: bool) -> None:
    """Load a list of customers, whose referrals then earn nothing.

    FILE is CSV in UTF-8 whose first line names at least the columns email and customer_since, a day such as 2026-01-31.
    Who signs up on a later day than that was a customer before. Of each address a keyed hash is kept and nothing else.
    With a line that is wrong nothing is loaded. A list may be loaded again: what is known already stays as it is.
    """
    wrong = _check(file)
    if not dry_run:
        service.refuse(wrong)
    with progress(_length(file), "Loading customers") as bar:
        loaded = service.load(_lines(file), OPERATOR, now(), dry_run=dry_run, progress=bar.update)
    changed = not dry_run and bool(loaded.new or loaded.earlier)
    text = [f"Customers: {said(loaded)}", *([] if changed else ["Nothing was changed."])]
    answer(as_json, asdict(loaded) | {"wrong": wrong, "changed": changed}, text)
    if wrong:
        sys.exit(1)


def _check(file: Path) -> int:
    """Say on standard error what is wrong with which line, and return how many lines are. Raises BadFile."""
    wrong = 0
    with progress(_length(file), "Checking the list") as bar:
        for line in _lines(file):
            if isinstance(line, Wrong):
                wrong += 1
                click.echo(f"Line {line.number}: {LINES[line.code]}", err=True)
            bar.update(1)
    return wrong


def _lines(file: Path) -> Iterator[Known | Wrong]:
    # What is no UTF-8 is found wrong with its line, not with the whole file.
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        yield from service.read(text, local_now().date())


def _length(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)
