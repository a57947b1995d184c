"""What templates can call: amounts, dates as people say them, and addresses of static files that never go stale."""

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask_login import current_user

from referralhub.clock import now
from referralhub.config import Settings
from referralhub.services.programs import format_amount

YEAR = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    """Register filters and globals, and fingerprint static files."""
    settings: Settings = app.config["SETTINGS"]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(ago=ago, amount=format_amount)
    app.jinja_env.globals.update(
        # A proxy: pages that do not look at it load no session and no user.
        current_user=current_user,
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
    return f"{moment.day} {moment:%B}" + ("" if moment.year == current.year else f" {moment.year}")
