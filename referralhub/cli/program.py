"""The rules of the program on the command line."""

import json
from collections.abc import Iterator
from typing import Any

import click

from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import Program
from referralhub.services import programs
from referralhub.services.programs import format_amount

program = Commands("program", help="What each side earns, and by which rules. Every change is a new version.")


@program.command("show")
@json_option
def show(as_json: bool) -> None:
    """Print the rules in force, with their version."""
    rules = programs.current()
    answer(as_json, _values(rules), _lines(rules))


@program.command("preset")
@click.argument("name", type=click.Choice(list(programs.PRESETS)))
@json_option
def preset(name: str, as_json: bool) -> None:
    """Put the rules of a well-known program in force, and print them.

    Referrals that began under earlier rules keep those. Rules that are in force already make no new version.
    """
    _change(programs.PRESETS[name], as_json)


@program.command("set")
@click.argument("key")
@click.argument("value")
@json_option
def set_value(key: str, value: str, as_json: bool) -> None:
    """Change one rule, and print those in force then.

    Lists are JSON, amounts whole numbers in the unit (US dollars in cents), and "none" takes a limit off. A value that
    is in force already makes no new version. `program show` names the rules.
    """
    _change(programs.parse(key, value), as_json)


def _change(values: dict[str, Any], as_json: bool) -> None:
    rules, changed = programs.put_in_force(values, now())
    note = [] if changed else ["These rules are in force already. Nothing was changed."]
    answer(as_json, _values(rules) | {"changed": changed}, [*note, *_lines(rules)])


def _values(rules: Program) -> dict[str, Any]:
    return {"version": rules.version} | programs.rules_of(rules)


def _lines(rules: Program) -> Iterator[str]:
    for key, value in _values(rules).items():
        shown = json.dumps(value) if isinstance(value, list) else value
        if key in {"referrer_amount", "friend_amount", "member_cap"} and value is not None:
            shown = f"{value}  ({format_amount(value, rules.unit)})"
        yield f"{key:18} {shown}"
