"""The test program, to which test keys write."""

import click

from referralhub import test_program as program
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import NotFound

test_program = Commands("test-program", help="What test keys write to; `api-keys create --test` makes it.")


@test_program.command()
@click.option("--yes", is_flag=True, help="Do not ask whether this is meant.")
@json_option
def delete(yes: bool, as_json: bool) -> None:
    """Delete the test program: its members, events and ledger, its keys, and its mail on this machine.

    The real program is not touched. A new test key makes a new test program.
    """
    if not yes:
        click.confirm("Delete the test program with everything in it?", abort=True, err=True)
    try:
        told = program.delete(OPERATOR, now())
        text = ["The test program is deleted."]
        if not told:
            text.append("Redis does not answer: what is left there goes when the next test program is made.")
        changed = True
    except NotFound:
        text, changed = ["There was no test program."], False
    answer(as_json, {"deleted": True, "changed": changed}, text)
