"""Accounts on the command line."""

import sys

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.services import accounts
from referralhub.services.errors import DomainError

users = AppGroup("users", help="Accounts.")


@users.command("create-admin")
@click.option("--username", required=True)
@click.option("--email", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def create_admin(username: str, email: str, password_stdin: bool) -> None:
    """Make an account that may run the program; its address counts as confirmed."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else click.prompt("Password", hide_input=True)
    try:
        accounts.create_admin(username, email, password, now())
    except DomainError as error:
        raise click.ClickException(" ".join(error.fields.values())) from None
    click.echo(f"{username} can sign in and run the program.")
