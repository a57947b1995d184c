"""What commands say: text for people or one JSON document for scripts, refusals, and how far they have come."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from functools import wraps
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import ProgrammingError

from referralhub.database import is_unmigrated
from referralhub.errors import UNAVAILABLE
from referralhub.services.shared.errors import DomainError, in_short
from referralhub.words.errors import say

EXIT_CODES = "Exit code 0: done, or so already. 1: refused; standard error says why. 2: wrong usage."
FINDINGS = "Exit code 0: all is well. 1: there are findings, or it could not be looked. 2: wrong usage."

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, for scripts; amounts are in their smallest unit."
)


class Commands(AppGroup):
    """A group of commands that end with a message and exit code 1, not a traceback, where something is refused."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Register a command; its help ends with the exit codes, unless it says something else there."""
        if cmd.epilog is None:
            cmd.epilog = EXIT_CODES
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        with _in_one_sentence():
            return super().invoke(ctx)


def by_itself(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command that belongs to no group have an application, and end with a message as those of a group do."""

    @with_appcontext
    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        with _in_one_sentence():
            command(*args, **options)

    return run


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    try:
        yield
    except DomainError as error:
        raise click.ClickException(say(error)) from None
    except (*UNAVAILABLE, ProgrammingError) as error:
        if is_unmigrated(error):
            raise click.ClickException("The database lacks migrations: run `flask --app wsgi db upgrade`") from None
        if isinstance(error, ProgrammingError):
            raise
        raise click.ClickException(f"A service does not answer: {in_short(error)}") from None


def answer(as_json: bool, document: dict[str, Any], text: Iterable[str]) -> None:
    """Print the document, or the lines of text."""
    if as_json:
        click.echo(json.dumps(document, default=_plain, ensure_ascii=False))
        return
    for line in text:
        click.echo(line)


def progress(length: int, label: str) -> Any:
    """Show how far a command has come, on a terminal only and never among what it prints."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} cannot be said in JSON")
