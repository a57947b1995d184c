"""Mail that could not be delivered."""

import click
from flask.cli import AppGroup

from referralhub.clock import now
from referralhub.services import outbox

mail = AppGroup("mail", help="Mail that could not be delivered.")


@mail.command("dead")
def dead() -> None:
    """List the dead letters, the newest first, with the mail server's reason."""
    for letter in outbox.dead_letters():
        click.echo(f"{letter.id}  {letter.created:%Y-%m-%d %H:%M}  {letter.kind.value}  {letter.last_error}")


@mail.command("resend")
@click.argument("message_id", type=int, required=False)
@click.option("--all", "everything", is_flag=True, help="All of them.")
def resend(message_id: int | None, everything: bool) -> None:
    """Send one dead letter again, or all; the worker does it."""
    if (message_id is None) != everything:
        raise click.UsageError("Give the number of a message, or --all.")
    count = outbox.send_again(now(), message_id)
    if not count:
        raise click.ClickException("There is no such dead letter." if message_id else "There are no dead letters.")
    click.echo(f"{count} on the way again.")
