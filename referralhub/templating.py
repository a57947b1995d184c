"""What templates can call: words for what they show, and addresses of static files that never go stale."""

from typing import Any

from flask import Flask
from flask_login import current_user

from referralhub.config import Settings
from referralhub.models import Badge
from referralhub.static_files import digest
from referralhub.urls import here, public_url
from referralhub.words import fraud, referrals
from referralhub.words.amounts import format_amount
from referralhub.words.dates import ago, day, span


def init_app(app: Flask) -> None:
    """Register filters and globals, and fingerprint static files."""
    settings: Settings = app.config["SETTINGS"]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        ago=ago, amount=format_amount, day=day, span=span, **fraud.FILTERS, **referrals.FILTERS
    )
    app.jinja_env.globals.update(
        # A proxy: pages that do not look at it load no session and no user.
        current_user=current_user,
        badges=list(Badge),
        base_url=settings.base_url,
        here=here,
        public_url=public_url,
        development=settings.development,
    )

    @app.url_defaults
    def fingerprint(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["v"] = digest(f"{app.static_folder}/{values['filename']}")
