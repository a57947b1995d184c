"""The brand, as people say it."""

from typing import Any

from referralhub.words.program import Difference

LABELS = {
    "name": "Name",
    "accent": "Accent colour",
    "support_email": "Support address",
    "terms_url": "Terms",
    "privacy_url": "Privacy",
    "sender_name": "Sender of mail",
    "headline": "Headline of the home page",
    "logo": "Logo",
}


def in_words(values: dict[str, Any]) -> dict[str, str]:
    """Return what each value is, by its name; a logo by the beginning of what names it."""
    return {key: _said(key, value) for key, value in values.items()}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Return what differs between two versions."""
    return [
        Difference(key, label, _said(key, old[key]), _said(key, new[key]))
        for key, label in LABELS.items()
        if old[key] != new[key]
    ]


def removed_in_words(removed: tuple[str, ...]) -> str:
    """Say what was taken out of an uploaded file; "" where nothing was."""
    return f"Taken out of the file: {', '.join(removed)}." if removed else ""


def _said(key: str, value: Any) -> str:
    if value is None:
        return "none"
    return f"picture {value[:8]}" if key == "logo" else str(value)
