"""The one place where the time is read; tests put another clock into `app.config["CLOCK"]`."""

from datetime import UTC, datetime

from flask import current_app


def system_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)


def now() -> datetime:
    """Return the application's time, aware and in UTC."""
    moment: datetime = current_app.config["CLOCK"]()
    return moment
