"""What products told of their customers, on the command line."""

from dataclasses import asdict
from typing import Any

import click

from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import EventState
from referralhub.services.integration import event_list, replays
from referralhub.services.integration.event_list import EventLine
from referralhub.services.shared.audit import OPERATOR
from referralhub.words.amounts import format_amount
from referralhub.words.events import why

events = Commands("events", help="What products told of their customers: signups, sales, refunds.")


@events.command("list")
@click.option("--kept", is_flag=True, help="Only those that cannot be used yet.")
@click.option("--type", "type_", help="Only those of this type, such as purchase.")
@click.option("--after", type=click.IntRange(1), help="Only those before the event with this number in the list.")
@json_option
def show(kept: bool, type_: str | None, after: int | None, as_json: bool) -> None:
    """List the newest events, twenty at a time: what became of each, and why."""
    found = event_list.newest(after=after, state=EventState.KEPT if kept else None, type_=type_)
    lines = [_line(each) for each in found.lines] or ["There are no events."]
    if found.older:
        lines.append(f"More with --after {found.older}")
    answer(as_json, {"events": [_document(each) for each in found.lines], "next": found.older}, lines)


@events.command()
@json_option
def replay(as_json: bool) -> None:
    """Try those once more that could not be used when they came. Those that still cannot stay as they are."""
    done = replays.replay(OPERATOR, now())
    answer(as_json, asdict(done), [f"{done.tried} were tried, and {done.used} are used now."])


def _line(each: EventLine) -> str:
    about = each.external_id or each.organization_id
    amount = format_amount(each.amount, each.currency) if each.amount is not None and each.currency else ""
    reason = why(each.reason_code, each.reason_values)
    state = f"{each.state.value}: {reason}" if reason else each.state.value
    words = [str(each.id), f"{each.occurred_at:%Y-%m-%d %H:%M}", each.type, each.own_id, str(about), amount, state]
    return "  ".join(word for word in words if word)


def _document(each: EventLine) -> dict[str, Any]:
    sides = {"referrer": each.referrer, "friend": each.friend}
    return asdict(each) | {name: amount and amount._asdict() for name, amount in sides.items()}
