"""Keys for other programs, on the command line."""

from datetime import datetime, timedelta
from typing import Any

import click

from referralhub import test_program
from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import ONLY_PRODUCT, ApiKey, Scope
from referralhub.services.integration import keys
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone

api_keys = Commands("api-keys", help="Keys with which other programs use the API.")


TEST_ID = "test-"  # what the number of a test key begins with here: its program counts by itself


class KeyId(click.ParamType[tuple[bool, int]]):
    """Which key: whether it is one of the test program, and its number there."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[bool, int]:
        """Read it. Fails for what is none."""
        number = value.removeprefix(TEST_ID)
        if not (number.isascii() and number.isdigit()):
            self.fail("Take it from `api-keys list`, such as 3 or test-3.", param, ctx)
        return number != value, int(number)


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
@click.option("--test", "for_tests", is_flag=True, help="For the test program, which counts nowhere.")
@json_option
def create(name: str, scopes: list[Scope], product: str, days: int | None, for_tests: bool, as_json: bool) -> None:
    """Make a key. It is shown this once: nobody can find it out later.

    The first test key makes the test program, with the rules that are in force.
    """
    end = now() + timedelta(days=days) if days else None
    key, secret = test_program.create_key(
        name, scopes, OPERATOR, now(), product=product, expires_at=end, for_tests=for_tests
    )
    document = _document(key, for_tests) | {"key": secret}
    answer(as_json, document, [f"{_called(key, for_tests)}, “{key.name}”, good for {', '.join(key.scopes)}:", secret])


@api_keys.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the keys, the newest first, and then the test keys."""
    found = [*((key, False) for key in keys.every()), *((key, True) for key in test_program.keys_beside())]
    lines = [
        f"{_id(key, for_tests)}  {key.beginning}…  {key.name}  {','.join(key.scopes)}  {_state(key, now())}"
        for key, for_tests in found
    ]
    answer(as_json, {"keys": [_document(*each) for each in found]}, lines or ["There are no keys."])


@api_keys.command()
@click.argument("key_id", type=KeyId())
@json_option
def revoke(key_id: tuple[bool, int], as_json: bool) -> None:
    """Let a key be worth nothing from now on; KEY_ID is as `list` says it."""
    for_tests, number = key_id
    try:
        test_program.revoke_key(number, OPERATOR, now(), for_tests=for_tests)
        changed = True
    except AlreadyDone:
        changed = False
    text = "is worth nothing from now on." if changed else "was withdrawn before."
    shown = f"{TEST_ID}{number}" if for_tests else number
    answer(as_json, {"id": shown, "revoked": True, "changed": changed}, [f"Key {shown} {text}"])


def _id(key: ApiKey, for_tests: bool) -> int | str:
    return f"{TEST_ID}{key.id}" if for_tests else key.id


def _called(key: ApiKey, for_tests: bool) -> str:
    return f"Test key {_id(key, True)}" if for_tests else f"Key {key.id}"


def _document(key: ApiKey, for_tests: bool) -> dict[str, Any]:
    names = ("name", "product", "beginning", "scopes", "created", "expires_at", "last_used_at", "revoked_at")
    return {"id": _id(key, for_tests), "test": for_tests} | {name: getattr(key, name) for name in names}


def _state(key: ApiKey, at: datetime) -> str:
    if key.revoked_at:
        return f"withdrawn {key.revoked_at:%Y-%m-%d}"
    if key.expires_at and key.expires_at <= at:
        return f"over since {key.expires_at:%Y-%m-%d}"
    return f"last used {key.last_used_at:%Y-%m-%d}" if key.last_used_at else "never used"
