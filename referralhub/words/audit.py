"""What a line of the audit log changed, and why, in words."""

from collections.abc import Mapping
from typing import Any

from referralhub.models import AuditLine
from referralhub.words.referrals import REASONS


def change_in_words(line: AuditLine) -> str:
    """Return what was before and what is after: "stock: 5 → 8", or only what is where nothing was."""
    # Sorted, since PostgreSQL keeps no order.
    return ", ".join(_changed(key, line.before, line.after) for key in sorted({**line.before, **line.after}))


def audit_reason(text: str, values: Mapping[str, Any]) -> str:
    """Return the reason of a line in the audit log: what a person wrote, or words for the system's code."""
    return REASONS[text].format_map(values) if text in REASONS else text


def _changed(key: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    name = key.replace("_", " ")
    if key not in before:
        return f"{name} {_said(after[key])}"
    return f"{name}: {_said(before[key])} → {_said(after[key]) if key in after else 'gone'}"


def _said(value: Any) -> str:
    if value in (None, "", [], {}):
        return "none"
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return "; ".join(_said(each) for each in value)
        case dict():
            return " ".join(f"{key} {_said(each)}" for key, each in value.items())
        case _:
            return str(value)
