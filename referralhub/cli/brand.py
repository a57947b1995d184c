"""The brand on the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from referralhub.cli.output import Commands, answer, json_option
from referralhub.clock import now
from referralhub.models import Brand
from referralhub.services.brand import logos, versions
from referralhub.words.brand import removed_in_words

commands = Commands("brand", help="What the program is called, and how it looks. Every change is a new version.")


@commands.command("show")
@json_option
def show(as_json: bool) -> None:
    """Print the brand in force, with its version. A logo is shown by what names it."""
    brand = versions.current()
    answer(as_json, _values(brand), _lines(brand))


@commands.command("set")
@click.argument("key")
@click.argument("value")
@json_option
def set_value(key: str, value: str, as_json: bool) -> None:
    """Change one part of the brand, and print what is in force then.

    There are name, accent (such as #e5342b), support_email, terms_url, privacy_url, sender_name, headline, and logo: a
    PNG or SVG file. "none", or nothing, clears any but the name. A value that is in force already makes no new version.
    """
    picture = _picture(value) if key == "logo" and value.lower() not in {"", "none"} else None
    brand, changed = versions.put_in_force({key: picture or value}, now())
    note = [] if changed else ["This is in force already. Nothing was changed."]
    removed = picture.removed if picture else ()
    told = [removed_in_words(removed)] if removed else []
    answer(as_json, _values(brand) | {"changed": changed, "removed": removed}, [*note, *told, *_lines(brand)])


def _picture(file: str) -> logos.Picture:
    try:
        with Path(file).open("rb") as content:
            return logos.clean(content.read(logos.MOST + 1))
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror or type(error).__name__}") from None


def _values(brand: Brand) -> dict[str, Any]:
    return {"version": brand.version} | versions.values_of(brand)


def _lines(brand: Brand) -> Iterator[str]:
    for key, value in _values(brand).items():
        yield f"{key:14} {'none' if value is None else value}"
