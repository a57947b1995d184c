"""Accounts on the command line."""

import sys

import click

from referralhub.cli import arguments
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.services.accounts import signup
from referralhub.services.shared.errors import AlreadyDone
from referralhub.words.errors import say

users = Commands("users", help="Accounts.")


@users.command("create-admin")
@click.option("--username", required=True, callback=arguments.username)
@click.option("--email", required=True, callback=arguments.address)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@json_option
def create_admin(username: str, email: str, password_stdin: bool, as_json: bool) -> None:
    """Make an account that may run the program; its address counts as confirmed.

    An account that exists is never changed: where an admin has this name and address already, nothing is done and the
    password is not looked at; with any other account of this name or address the command is refused.
    """
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, err=True)
    try:
        signup.create_admin(username, email, password, now())
        changed, text = True, f"{username} can sign in and run the program."
    except AlreadyDone as error:
        changed, text = False, f"{say(error)} Nothing was changed, the password neither."
    answer(as_json, {"username": username, "email": email, "is_admin": True, "changed": changed}, [text])
