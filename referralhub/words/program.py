"""The rules of the program, as people say them."""

from dataclasses import dataclass
from typing import Any

from referralhub.models import Touch, Unit
from referralhub.words.amounts import UNITS, format_amount, format_number

LABELS = {
    "name": "Name",
    "unit": "Rewards are counted in",
    "referrer_amount": "Who refers gets",
    "friend_amount": "The friend gets",
    "member_cap": "One member earns at most",
    "window_days": "A followed link counts for",
    "touch": "Of several links counts",
    "hold_days": "A reward can be spent",
    "tiers": "Tiers",
    "milestones": "Milestones",
    "email_invitations": "Invitations by mail",
    "personal_landing": "Signup page in the referrer's name",
    "paid_customer_cost": "A customer won by advertising costs",
    "thousand_units_cost": "1,000 units cost",
}
AMOUNTS = ("referrer_amount", "friend_amount", "member_cap")


@dataclass(frozen=True)
class Difference:
    """One rule as it was and as it becomes, in words."""

    key: str
    label: str
    old: str
    new: str


def in_words(rules: dict[str, Any]) -> dict[str, str]:
    """Return what each rule is, by its name."""
    return {key: _said(key, value, rules["unit"]) for key, value in rules.items()}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Return what differs; with the unit everything that is counted in it does, though its number may not."""
    before, after = in_words(old), in_words(new)
    return [
        Difference(key, LABELS[key], before[key], after[key])
        for key in LABELS
        if (old[key], before[key]) != (new[key], after[key])
    ]


def _said(key: str, value: Any, unit: Unit) -> str:  # noqa: PLR0911 - one line for each kind of rule
    match value:
        case None:
            return "no limit" if key == "member_cap" else "not known"
        case bool():
            return "on" if value else "off"
        case Unit():
            return UNITS[value]
        case Touch():
            return "the first one" if value is Touch.FIRST else "the last one"
        case list():
            return ", ".join(_step(step, unit) for step in value) or "none"
        case int():
            return _figure(key, value, unit)
    return str(value)


def _figure(key: str, value: int, unit: Unit) -> str:
    if key in AMOUNTS:
        return format_amount(value, unit)
    if not key.endswith("_days"):
        return format_amount(value, Unit.US_CENTS)
    days = f"{value} day{'' if value == 1 else 's'}"
    if key == "hold_days":
        return f"after {days}" if value else "at once"
    return days


def _step(step: dict[str, Any], unit: Unit) -> str:
    if "name" in step:
        return f"{step['name']} from {format_number(step['at'])}"
    friends = f"{format_number(step['at'])} friend{'' if step['at'] == 1 else 's'}"
    return friends + (f" ({format_amount(step['bonus'], unit)})" if step.get("bonus") else "")
