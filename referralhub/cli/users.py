"""Accounts on the command line."""

import sys

import click

from referralhub.cli import arguments
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.services.accounts import identities, signup, two_factor
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


@users.command("two-factor-off")
@click.option("--username", required=True, callback=arguments.username)
@click.option("--reason", required=True, callback=arguments.at_most(200), help="For the audit log: how you know them.")
@json_option
def two_factor_off(username: str, reason: str, as_json: bool) -> None:
    """Let the password be enough for somebody who has lost app and recovery codes.

    Make sure that it is they who ask: their password is all that is left.
    """
    try:
        two_factor.take_off(username, reason, now())
        changed, text = True, f"{username} signs in with the password alone, and was told so by mail."
    except AlreadyDone as error:
        changed, text = False, say(error)
    answer(as_json, {"username": username, "two_factor": False, "changed": changed}, [text])


@users.command("unlink-provider")
@click.option("--username", required=True, callback=arguments.username)
@json_option
def unlink_provider(username: str, as_json: bool) -> None:
    """Untie an admin from the account at the organization's provider, and sign them out.

    The next one whom the provider vouches for with this account's address is tied to it: make sure that it is they.
    """
    try:
        identities.untie(username, now())
        changed, text = True, f"{username} is tied to nobody at the provider any more."
    except AlreadyDone as error:
        changed, text = False, say(error)
    answer(as_json, {"username": username, "linked": False, "changed": changed}, [text])
