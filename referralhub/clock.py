"""The one place where the time is read; tests put another clock into `app.config["CLOCK"]`."""

from datetime import UTC, datetime

from flask import current_app


def system_clock() -> datetime:
    """Give the machine's time in UTC."""
    return datetime.now(UTC)


def now() -> datetime:
    """Give the application's time, aware and in UTC."""
    moment: datetime = current_app.config["CLOCK"]()
    return moment
