"""Keys for other programs, on the command line."""

from datetime import datetime, timedelta
from typing import Any

import click

from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import ONLY_PRODUCT, ApiKey, Scope
from referralhub.services.integration import keys
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone

api_keys = Commands("api-keys", help="Keys with which other programs use the API.")


class Scopes(click.ParamType[list[Scope]]):
    """What a key is good for, with commas in between."""

    name = "scopes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Scope]:
        """Read it. Fails for what is no scope."""
        try:
            return [Scope(each.strip()) for each in value.split(",")]
        except ValueError:
            self.fail(f"Choose of {', '.join(Scope)}.", param, ctx)


@api_keys.command()
@click.option("--name", required=True, help="What it is for, such as “shop”.")
@click.option("--scope", "scopes", type=Scopes(), required=True, help=f"One or more of {','.join(Scope)}.")
@click.option(
    "--product", default=ONLY_PRODUCT, show_default=True, help="Whose events it tells: each product numbers its own."
)
@click.option("--days", type=click.IntRange(1, 3650), help="After so many days it is worth nothing; else it stays.")
@json_option
def create(name: str, scopes: list[Scope], product: str, days: int | None, as_json: bool) -> None:
    """Make a key. It is shown this once: nobody can find it out later."""
    end = now() + timedelta(days=days) if days else None
    key, secret = keys.create(name, scopes, OPERATOR, now(), product=product, expires_at=end)
    document = _document(key) | {"key": secret}
    answer(as_json, document, [f"Key {key.id}, “{key.name}”, good for {', '.join(key.scopes)}:", secret])


@api_keys.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the keys, the newest first."""
    found = keys.every()
    lines = [
        f"{key.id}  {key.beginning}…  {key.name}  {','.join(key.scopes)}  {_state(key, now())}" for key in found
    ]  # fmt: skip
    answer(as_json, {"keys": [_document(key) for key in found]}, lines or ["There are no keys."])


@api_keys.command()
@click.argument("key_id", type=int)
@json_option
def revoke(key_id: int, as_json: bool) -> None:
    """Let a key be worth nothing from now on."""
    try:
        keys.revoke(key_id, OPERATOR, now())
        changed = True
    except AlreadyDone:
        changed = False
    text = "is worth nothing from now on." if changed else "was withdrawn before."
    answer(as_json, {"id": key_id, "revoked": True, "changed": changed}, [f"Key {key_id} {text}"])


def _document(key: ApiKey) -> dict[str, Any]:
    names = ("id", "name", "product", "beginning", "scopes", "created", "expires_at", "last_used_at", "revoked_at")
    return {name: getattr(key, name) for name in names}


def _state(key: ApiKey, at: datetime) -> str:
    if key.revoked_at:
        return f"withdrawn {key.revoked_at:%Y-%m-%d}"
    if key.expires_at and key.expires_at <= at:
        return f"over since {key.expires_at:%Y-%m-%d}"
    return f"last used {key.last_used_at:%Y-%m-%d}" if key.last_used_at else "never used"
