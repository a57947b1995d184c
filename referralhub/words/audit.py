"""What a line of the audit log changed, and why, in words."""

from typing import Any

from referralhub.models import AuditLine, Reason, Role
from referralhub.services.referrals.lifecycle import REASON_VALUES
from referralhub.words.amounts import format_number
from referralhub.words.referrals import REASONS, reason


def change_in_words(line: AuditLine) -> str:
    """Return what was before and what is after: "stock: 5 → 8", or only what is where nothing was."""
    # Sorted, since PostgreSQL keeps no order.
    keys = {*line.before, *line.after} - {REASON_VALUES}
    return ", ".join(_changed(key, line.before, line.after) for key in sorted(keys))


def audit_reason(line: AuditLine) -> str:
    """Return the reason of a line in the audit log: what a person wrote, or words for the system's code."""
    if line.role is Role.SYSTEM and line.reason in REASONS:
        return reason(Reason(line.reason, line.after.get(REASON_VALUES, {})))
    return line.reason


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
            return format_number(value)
        case list():
            return "; ".join(_said(each) for each in value)
        case dict():
            return " ".join(f"{key} {_said(each)}" for key, each in value.items())
        case _:
            return str(value)
