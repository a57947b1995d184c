"""Moments and spans of time as people say them."""

from datetime import date, datetime, timedelta
from math import ceil

from babel.dates import format_date, format_skeleton
from flask_babel import gettext as _
from flask_babel import ngettext

from referralhub.clock import local_now, now, zone
from referralhub.words.language import locale


def ago(moment: datetime) -> str:
    """Return how long ago a moment was, as people do: "just now", "5 min ago", "yesterday", "3 May"."""
    current = now()
    seconds = int((current - moment).total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return ngettext("%(num)d min ago", "%(num)d min ago", seconds // 60)
    if seconds < 24 * 3600:
        return ngettext("%(num)d h ago", "%(num)d h ago", seconds // 3600)
    if seconds < 48 * 3600:
        return _("yesterday")
    if seconds < 7 * 24 * 3600:
        return ngettext("%(num)d day ago", "%(num)d days ago", seconds // (24 * 3600))
    return day(moment)


def day(moment: date) -> str:
    """Name a day as people do: "3 May", with the year only when it is another one; a moment's is that of the zone."""
    found = moment.astimezone(zone()) if isinstance(moment, datetime) else moment
    return _written(found, "MMMMd" if found.year == local_now().year else "yMMMMd")


def minute(moment: datetime) -> str:
    """Write a moment for tables: "2026-05-03 17:20", by the clocks of the program's time zone."""
    return f"{moment.astimezone(zone()):%Y-%m-%d %H:%M}"


def month(moment: date) -> str:
    """Name a month with its year: "May 2026"."""
    return _written(moment, "yMMMM")


def short_month(moment: date) -> str:
    """Name a month with its year where there is little room: "Sep 2026"."""
    return format_skeleton("yMMM", moment, locale=locale())


def month_name(moment: date, short: bool = False) -> str:
    """Name a month alone: "September", or "Sep"."""
    return format_date(moment, "LLL" if short else "LLLL", locale=locale())


def span(length: timedelta) -> str:
    """Return how long something took: "40 s", "12 min", "2 h", "3 days"."""
    seconds = int(length.total_seconds())
    if seconds >= 2 * 24 * 3600:
        return ngettext("%(num)d day", "%(num)d days", seconds // (24 * 3600))
    if seconds >= 2 * 3600:
        return ngettext("%(num)d h", "%(num)d h", seconds // 3600)
    if seconds >= 120:
        return ngettext("%(num)d min", "%(num)d min", seconds // 60)
    return ngettext("%(num)d s", "%(num)d s", seconds)


def waiting(seconds: int) -> str:
    """Return how long somebody has to wait, in whole words: "5 seconds", "2 minutes"."""
    if seconds < 120:
        return ngettext("%(num)d second", "%(num)d seconds", seconds)
    return ngettext("%(num)d minute", "%(num)d minutes", ceil(seconds / 60))


def _written(moment: date, skeleton: str) -> str:
    # In the English that we write the day comes first, as it does not in CLDR's "en".
    english = {"MMMMd": "d MMMM", "yMMMMd": "d MMMM y", "yMMMM": "MMMM y"}
    if locale().language == "en":
        return format_date(moment, english[skeleton], locale=locale())
    return format_skeleton(skeleton, moment, locale=locale())
