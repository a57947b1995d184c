"""Mail that could not be delivered."""

import click

from referralhub.cli.arguments import ROW
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.services.mailing import outbox

mail = Commands("mail", help="Mail that could not be delivered.")


@mail.command("dead")
@json_option
def dead(as_json: bool) -> None:
    """List the newest 50 dead letters: number, when it was written, what it is, and the mail server's reason.

    Nobody is named: the number is what `mail resend` takes.
    """
    letters = outbox.dead_letters()
    documents = [
        {"id": letter.id, "created": letter.created, "kind": letter.kind, "error": letter.last_error}
        for letter in letters
    ]
    lines = (f"{each.id}  {each.created:%Y-%m-%d %H:%M}  {each.kind.value}  {each.last_error}" for each in letters)
    answer(as_json, {"dead": documents}, lines)


@mail.command("resend")
@click.argument("message_id", metavar="ID", type=ROW, required=False)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@json_option
def resend(message_id: int | None, everything: bool, as_json: bool) -> None:
    """Put one dead letter, or all, on their way again; the worker sends them.

    Prints how many. A message that is on its way or delivered already is left alone.
    """
    if (message_id is None) != everything:
        raise click.UsageError("Give the number of a message, or --all.")
    count = outbox.send_again(now(), message_id)
    if count:
        text = f"{count} on the way again."
    else:
        text = "There are no dead letters." if everything else "It is on its way or delivered already."
    answer(as_json, {"resent": count, "changed": bool(count)}, [text])
