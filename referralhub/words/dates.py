"""Moments and spans of time as people say them."""

from datetime import datetime, timedelta

from babel.dates import format_date

from referralhub.clock import now
from referralhub.words.language import ENGLISH


def ago(moment: datetime) -> str:
    """Return how long ago a moment was, as people do: "just now", "5 min ago", "yesterday", "3 May"."""
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
    return format_date(moment, "d MMMM" if moment.year == now().year else "d MMMM y", locale=ENGLISH)


def span(length: timedelta) -> str:
    """Return how long something took: "40 s", "12 min", "2 h", "3 days"."""
    seconds = int(length.total_seconds())
    for size, unit in ((2 * 24 * 3600, "days"), (2 * 3600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'days': 24 * 3600, 'h': 3600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"
