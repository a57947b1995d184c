"""What templates can call: amounts, dates as people say them, and addresses of static files that never go stale."""

import hashlib
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask_login import current_user

from referralhub.clock import now
from referralhub.config import Settings
from referralhub.models import Badge
from referralhub.services.program.rules import format_amount

YEAR = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    """Register filters and globals, and fingerprint static files."""
    settings: Settings = app.config["SETTINGS"]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(ago=ago, amount=format_amount, day=day, span=span)
    app.jinja_env.globals.update(
        # A proxy: pages that do not look at it load no session and no user.
        current_user=current_user,
        badges=list(Badge),
        base_url=settings.base_url,
        development=settings.development,
    )
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR

    @app.url_defaults
    def fingerprint(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["v"] = _digest(Path(str(app.static_folder)) / values["filename"])


@cache
def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else "missing"


def ago(moment: datetime) -> str:
    """Say how long ago a moment was, as people do: "just now", "5 min ago", "yesterday", "3 May"."""
    current = now()
    seconds = (current - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 24 * 3600:
        return f"{int(seconds // 3600)} h ago"
    if seconds < 48 * 3600:
        return "yesterday"
    if seconds < 7 * 24 * 3600:
        return f"{int(seconds // (24 * 3600))} days ago"
    return day(moment)


def day(moment: datetime) -> str:
    """Name a day as people do: "3 May", with the year only when it is another one."""
    return f"{moment.day} {moment:%B}" + ("" if moment.year == now().year else f" {moment.year}")


def span(length: timedelta) -> str:
    """Say how long something took: "40 s", "12 min", "2 h", "3 days"."""
    seconds = int(length.total_seconds())
    for size, unit in ((2 * 24 * 3600, "days"), (2 * 3600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'days': 24 * 3600, 'h': 3600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"
