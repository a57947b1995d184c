"""The Nu HTML checker, which the W3C runs, on everything that a browser is given to read as HTML."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from audit import tools
from audit.pages import Page

AROUND = '<!DOCTYPE html>\n<html lang="en"><head><title>A part</title></head><body>\n{}\n</body></html>\n'


def errors(pages: Iterable[Page]) -> list[str]:
    """Return what is wrong, each once, and how many have it. A part is looked at inside an empty page."""
    by_content: dict[str, Page] = {}
    for page in pages:
        by_content.setdefault(AROUND.format(page.html) if page.is_part else page.html, page)
    with TemporaryDirectory() as folder:
        named = {}
        for number, (content, page) in enumerate(by_content.items()):
            file = Path(folder, f"{number:04}.html")
            file.write_text(content, encoding="utf-8")
            named[file.name] = page
        messages = _check(folder)
    found: dict[str, list[str]] = {}
    for message in messages:
        if message["type"] != "info":
            where = named[message["url"].rpartition("/")[2]]
            extract = " ".join(message.get("extract", "").split())
            found.setdefault(message["message"], []).append(f"{where}: {extract}")
    return [f"{what} ({len(where)} times, first on {where[0]})" for what, where in found.items()]


def _check(folder: str) -> list[dict[str, str]]:
    """Run it once for all: it starts slowly."""
    jar = tools.module("vnu-jar/build/dist/vnu.jar")
    command: list[str | Path] = [
        tools.java(),
        "-Xss4m",
        "-jar",
        jar,
        "--format",
        "json",
        "--stdout",
        "--exit-zero-always",
        folder,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    messages: list[dict[str, str]] = json.loads(done.stdout)["messages"]
    return messages
