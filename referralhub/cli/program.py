"""The rules of the program on the command line."""

import json
from collections.abc import Iterator
from typing import Any

import click

from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import Program
from referralhub.services.program import rules
from referralhub.words.amounts import format_amount, format_share
from referralhub.words.program import unit_of

commands = Commands("program", help="What each side earns, and by which rules. Every change is a new version.")


@commands.command("show")
@json_option
def show(as_json: bool) -> None:
    """Print the rules in force, with their version."""
    program = rules.current()
    answer(as_json, _values(program), _lines(program))


@commands.command("preset")
@click.argument("name", type=click.Choice(list(rules.PRESETS)))
@json_option
def preset(name: str, as_json: bool) -> None:
    """Put the rules of a well-known program in force, and print them.

    Referrals that began under earlier rules keep those. Rules that are in force already make no new version.
    """
    _change(rules.PRESETS[name], as_json)


@commands.command("set")
@click.argument("key")
@click.argument("value")
@json_option
def set_value(key: str, value: str, as_json: bool) -> None:
    """Change one rule, and print those in force then.

    Lists and the condition are JSON, amounts whole numbers in the unit (money in the
    smallest one of its currency: cents, or whole yen), shares basis points (1250 is
    12.5 %), and "none" takes a limit or an address off. A value that is in force
    already makes no new version. `program show` names the rules.
    """
    _change(rules.parse(key, value), as_json)


def _change(values: dict[str, Any], as_json: bool) -> None:
    program, changed = rules.put_in_force(values, now())
    note = [] if changed else ["These rules are in force already. Nothing was changed."]
    answer(as_json, _values(program) | {"changed": changed}, [*note, *_lines(program)])


def _values(program: Program) -> dict[str, Any]:
    return {"version": program.version} | rules.rules_of(program)


def _lines(program: Program) -> Iterator[str]:
    values = rules.rules_of(program)
    for key, value in _values(program).items():
        shown = json.dumps(value) if isinstance(value, list | dict) else value
        if key in rules.AMOUNTS and value is not None:
            shown = f"{value}  ({format_amount(value, unit_of(key, values))})"
        elif key in rules.SHARES:
            shown = f"{value}  ({format_share(value)})"
        yield f"{key:18} {shown}"
