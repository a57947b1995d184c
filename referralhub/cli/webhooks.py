"""Webhooks, on the command line."""

from datetime import UTC, datetime
from typing import Any

import click
from flask import current_app

from referralhub.cli.arguments import ROW
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import WebhookEndpoint, WebhookType
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone, NotFound
from referralhub.services.webhooks import endpoints, log
from referralhub.services.webhooks.log import DeliveryLine

webhooks = Commands("webhooks", help="Other programs that are told of what happens.")
ENDPOINT = click.argument("endpoint_id", metavar="ID", type=ROW)
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


class Types(click.ParamType[list[WebhookType]]):
    """What an address is told of, with commas in between."""

    name = "types"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[WebhookType]:
        """Read it. Fails for what is no type."""
        try:
            return [WebhookType(each.strip()) for each in value.split(",")]
        except ValueError:
            self.fail(f"Choose of {', '.join(endpoints.TYPES)}.", param, ctx)


@webhooks.command()
@click.argument("url")
@click.option("--types", type=Types(), default=None, help="With commas in between, such as reward.due. Without: all.")
@json_option
def add(url: str, types: list[WebhookType] | None, as_json: bool) -> None:
    """Tell this address from now on. Its secret is shown this once."""
    settings = current_app.config["SETTINGS"]
    options = {"secret_key": settings.secret_key, "private": settings.webhook_private_addresses}
    try:
        made, secret = endpoints.add(url, types or [], OPERATOR, now(), **options)
    except AlreadyDone:
        if found := endpoints.with_url(url):
            text = f"Webhook {found.id} tells {found.url} already."
            answer(as_json, _document(found) | {"changed": False}, [text])
        return
    text = f"Webhook {made.id} tells {made.url} from now on. Its secret:"
    answer(as_json, _document(made) | {"secret": secret, "changed": True}, [text, secret])


@webhooks.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the addresses, the oldest first, with how many messages wait for each and were given up."""
    found = endpoints.every()
    documents = [_document(each.endpoint) | {"waiting": each.waiting, "given_up": each.given_up} for each in found]
    lines = [
        f"{each['id']}  {each['state']}  {each['url']}  {each['waiting']} waiting  {each['given_up']} given up"
        for each in documents
    ]
    answer(as_json, {"webhooks": documents}, lines or ["Nobody is told."])


@webhooks.command()
@ENDPOINT
@json_option
def test(endpoint_id: int, as_json: bool) -> None:
    """Send a message that says nothing; `deliveries` has what was answered."""
    endpoints.test(endpoint_id, OPERATOR, now())
    answer(as_json, {"id": endpoint_id, "sent": True}, ["A test is on its way."])


@webhooks.command()
@ENDPOINT
@click.option("--delivery", "delivery_id", type=ROW, help="One, by its number in `deliveries`.")
@click.option("--since", type=MOMENT, help="All that happened since this moment, in UTC.")
@click.option("--until", type=MOMENT, help="And before this one; without it until now.")
@click.option("--types", type=Types(), default=None, help="Of these types only.")
@json_option
def replay(
    endpoint_id: int,
    delivery_id: int | None,
    since: datetime | None,
    until: datetime | None,
    types: list[WebhookType] | None,
    as_json: bool,
) -> None:
    """Send one message, or what happened in a span of time, once more: under the same ids, whether it arrived or not.

    Prints how many. What is on its way already is left alone.
    """
    if (delivery_id is None) == (since is None):
        raise click.UsageError("Give --delivery, or --since.")
    if delivery_id is not None:
        if log.detail(delivery_id).endpoint_id != endpoint_id:
            raise NotFound("no_such_delivery")
        count = int(log.replay(delivery_id, OPERATOR, now()))
    else:
        begin, end = (each.replace(tzinfo=UTC) if each else now() for each in (since, until))
        count = log.replay_range(endpoint_id, begin, end, OPERATOR, now(), types=types or ())
    text = f"{count} on the way again." if count else "There is none, or it is on its way already."
    answer(as_json, {"replayed": count, "changed": bool(count)}, [text])


@webhooks.command()
@ENDPOINT
@click.option("--before", type=ROW, help="Those before this number: the next part of the list.")
@json_option
def deliveries(endpoint_id: int, before: int | None, as_json: bool) -> None:
    """List what was sent, the newest 20 first: number, moment, type, state, and what was answered."""
    endpoints.get(endpoint_id)
    found = log.deliveries(endpoint_id, before)
    document = {"deliveries": [_delivery(each) for each in found.lines], "next": found.older}
    answer(as_json, document, [_line(each) for each in found.lines] or ["Nothing was sent."])


@webhooks.command()
@ENDPOINT
@json_option
def rotate(endpoint_id: int, as_json: bool) -> None:
    """Make another secret, which is shown this once; the one of before signs along for a day."""
    secret = endpoints.rotate(endpoint_id, OPERATOR, now(), secret_key=current_app.config["SETTINGS"].secret_key)
    answer(as_json, {"id": endpoint_id, "secret": secret}, ["The new secret:", secret])


@webhooks.command("on")
@ENDPOINT
@json_option
def switch_on(endpoint_id: int, as_json: bool) -> None:
    """Try an address again that was switched off; it gets what waits for it."""
    try:
        endpoints.switch_on(endpoint_id, OPERATOR, now())
        changed = True
    except AlreadyDone:
        changed = False
    text = f"Webhook {endpoint_id} is switched on." if changed else f"Webhook {endpoint_id} was on already."
    answer(as_json, {"id": endpoint_id, "changed": changed}, [text])


@webhooks.command()
@ENDPOINT
@json_option
def remove(endpoint_id: int, as_json: bool) -> None:
    """Tell an address nothing more, not even what waits for it."""
    try:
        endpoints.remove(endpoint_id, OPERATOR, now())
        changed = True
    except AlreadyDone:
        changed = False
    text = f"Webhook {endpoint_id} is removed." if changed else f"Webhook {endpoint_id} was removed already."
    answer(as_json, {"id": endpoint_id, "changed": changed}, [text])


def _document(endpoint: WebhookEndpoint) -> dict[str, Any]:
    names = ("id", "url", "types", "failing_since", "former_until", "created")
    return {name: getattr(endpoint, name) for name in names} | {"state": _state(endpoint)}


def _state(endpoint: WebhookEndpoint) -> str:
    if endpoint.off_because:
        return endpoint.off_because.value
    return "failing" if endpoint.failing_since else "on"


def _delivery(line: DeliveryLine) -> dict[str, Any]:
    names = (
        "id", "message_id", "type", "sequence", "created", "attempts", "next_try_at", "delivered_at", "tried_at",
        "status", "milliseconds", "said",
    )  # fmt: skip
    return {name: getattr(line, name) for name in names} | {"state": line.state.value}


def _line(line: DeliveryLine) -> str:
    answered = "" if line.milliseconds is None else f"  {line.status or line.said} after {line.milliseconds} ms"
    return f"{line.id}  {line.created:%Y-%m-%d %H:%M}  {line.type}  {line.state.value}{answered}"
