"""Moving everything to another database."""

from pathlib import Path
from typing import Any

import click
from flask import current_app
from redis import RedisError

from referralhub.cli.output import EXIT_CODES, answer, by_itself, json_option, progress
from referralhub.clock import now
from referralhub.services.ledger import leaderboard
from referralhub.services.operations import archive as service
from referralhub.services.operations.archive import Manifest
from referralhub.services.shared.errors import AlreadyDone
from referralhub.words.errors import say

file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
there = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command("export", epilog=EXIT_CODES)
@file
@json_option
@by_itself
def export(file: Path, as_json: bool) -> None:
    """Write everything in the database into FILE, for `flask import` into another one.

    The file holds addresses and password hashes: nobody but its owner may read it. The service may go on; what is
    written is the database at one moment. The format is described in docs/archive.md.
    """
    with progress(service.count(), "Writing") as bar:
        manifest = service.save(file, bar.update)
    answer(as_json, _document(manifest, True), [f"{file}: {_rows(manifest):,} rows of {len(manifest.tables)} tables."])


@click.command("import", epilog=EXIT_CODES)
@there
@json_option
@by_itself
def import_(file: Path, as_json: bool) -> None:
    """Fill an empty, migrated database with everything in FILE, which `flask export` has written.

    All of it comes, or nothing. It needs the SECRET_KEY of before: hashes of addresses were made with it. A second time
    nothing is changed. The leaderboard in Redis is written anew.
    """
    manifest = service.manifest_of(file)
    try:
        with progress(_rows(manifest), "Reading") as bar:
            service.restore(file, bar.update)
        changed, text = True, [f"{_rows(manifest):,} rows of {len(manifest.tables)} tables are here now."]
    except AlreadyDone as error:
        changed, text = False, [f"{say(error)} Nothing was changed."]
    try:
        leaderboard.rebuild(current_app.extensions["redis"], now())
    except RedisError:
        text.append("Redis does not answer: run `flask leaderboard rebuild` when it does.")
    answer(as_json, _document(manifest, changed), text)


def _document(manifest: Manifest, changed: bool) -> dict[str, Any]:
    tables = {name: content.rows for name, content in manifest.tables.items()}
    return {"revision": manifest.revision, "tables": tables, "changed": changed}


def _rows(manifest: Manifest) -> int:
    return sum(content.rows for content in manifest.tables.values())
