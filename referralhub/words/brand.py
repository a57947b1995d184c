"""The brand, as people say it."""

from typing import Any

from flask_babel import gettext as _

from referralhub.words.language import N_, translated
from referralhub.words.program import Difference

LABELS = {
    "name": N_("Name"),
    "accent": N_("Accent colour"),
    "support_email": N_("Support address"),
    "terms_url": N_("Terms"),
    "privacy_url": N_("Privacy"),
    "sender_name": N_("Sender of mail"),
    "headline": N_("Headline of the home page"),
    "logo": N_("Logo"),
}


def in_words(values: dict[str, Any]) -> dict[str, str]:
    """Return what each value is, by its name; a logo by the beginning of what names it."""
    return {key: _said(key, value) for key, value in values.items()}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Return what differs between two versions."""
    return [
        Difference(key, translated(label), _said(key, old[key]), _said(key, new[key]))
        for key, label in LABELS.items()
        if old[key] != new[key]
    ]


def removed_in_words(removed: tuple[str, ...]) -> str:
    """Say what was taken out of an uploaded file; "" where nothing was."""
    return _("Taken out of the file: %(what)s.", what=", ".join(removed)) if removed else ""


def _said(key: str, value: Any) -> str:
    if value is None:
        return _("none")
    return _("picture %(name)s", name=value[:8]) if key == "logo" else str(value)
