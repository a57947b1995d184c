"""The rules of the program on the command line."""

import json

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.models import Program
from referralhub.services import programs
from referralhub.services.errors import BadSetting
from referralhub.services.programs import format_amount

program = AppGroup("program", help="What each side earns, and by which rules. Every change is a new version.")


@program.command("show")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(as_json: bool) -> None:
    """Print the rules in force."""
    _print(programs.current(), as_json)


@program.command("preset")
@click.argument("name", type=click.Choice(list(programs.PRESETS)))
def preset(name: str) -> None:
    """Put the rules of a well-known program in force."""
    _print(programs.change(programs.PRESETS[name], now()), False)


@program.command("set")
@click.argument("key")
@click.argument("value")
def set_value(key: str, value: str) -> None:
    """Change one rule; lists are JSON, amounts whole numbers in the unit (US dollars in cents)."""
    try:
        _print(programs.change(programs.parse(key, value), now()), False)
    except BadSetting as error:
        raise click.ClickException(str(error)) from None


def _print(rules: Program, as_json: bool) -> None:
    values = {"version": rules.version} | {key: getattr(rules, key) for key in programs.DEFAULT}
    if as_json:
        click.echo(json.dumps(values))
        return
    for key, value in values.items():
        shown = json.dumps(value) if isinstance(value, list) else value
        if key in {"referrer_amount", "friend_amount", "member_cap"} and value is not None:
            shown = f"{value}  ({format_amount(value, rules.unit)})"
        click.echo(f"{key:18} {shown}")
