"""The one place where the time is read; tests put another clock into `app.config["CLOCK"]`."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import current_app, g


def system_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)


def now() -> datetime:
    """Return the application's time, aware and in UTC."""
    moment: datetime = current_app.config["CLOCK"]()
    return moment


def local_now() -> datetime:
    """Return the application's time in the program's time zone, for what goes by days there.

    Not for reckoning with hours: Python takes a day of 25 hours for one of 24 where both moments are of one zone.
    """
    return now().astimezone(zone())


def zone() -> ZoneInfo:
    """Return the program's time zone. It is read along with who is signed in, else asked for once: one query."""
    if "zone" not in g:
        use_zone(current_app.config["ZONE"]())
    found: ZoneInfo = g.zone
    return found


def use_zone(name: str) -> None:
    """Take this time zone for the request, command or job at work."""
    g.zone = ZoneInfo(name)
