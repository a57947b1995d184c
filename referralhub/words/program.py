"""The rules of the program, as people say them."""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from referralhub.models import Touch, Unit, ledger_unit
from referralhub.words.amounts import UNITS, format_amount, format_number, unit_name
from referralhub.words.language import N_, translated

LABELS = {
    "name": N_("Name"),
    "unit": N_("Rewards are counted in"),
    "currency": N_("Currency of money and costs"),
    "referrer_amount": N_("Who refers gets"),
    "friend_amount": N_("The friend gets"),
    "member_cap": N_("One member earns at most"),
    "window_days": N_("A followed link counts for"),
    "touch": N_("Of several links counts"),
    "hold_days": N_("A reward can be spent"),
    "tiers": N_("Tiers"),
    "milestones": N_("Milestones"),
    "timezone": N_("Days begin at midnight in"),
    "email_invitations": N_("Invitations by mail"),
    "personal_landing": N_("Page in the referrer's name"),
    "late_code_days": N_("A code can be entered later"),
    "paid_customer_cost": N_("A customer won by advertising costs"),
    "thousand_units_cost": N_("1,000 units cost"),
}


@dataclass(frozen=True)
class Difference:
    """One rule as it was and as it becomes, in words."""

    key: str
    label: str
    old: str
    new: str


def in_words(rules: dict[str, Any]) -> dict[str, str]:
    """Return what each rule is, by its name."""
    unit = ledger_unit(rules["unit"], rules["currency"])
    return {
        key: _said(key, value, rules["currency"] if key.endswith("_cost") else unit) for key, value in rules.items()
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Return what differs; with the unit everything that is counted in it does, though its number may not."""
    before, after = in_words(old), in_words(new)
    return [
        Difference(key, translated(LABELS[key]), before[key], after[key])
        for key in LABELS
        if (old[key], before[key]) != (new[key], after[key])
    ]


def _said(key: str, value: Any, unit: str) -> str:  # noqa: PLR0911 - one line for each kind of rule
    match value:
        case None:
            return _("no limit") if key == "member_cap" else _("not known")
        case bool():
            return _("on") if value else _("off")
        case Unit():
            return translated(UNITS[value])
        case str() if key == "currency":
            return f"{value}: {unit_name(value)}"
        case Touch():
            return _("the first one") if value is Touch.FIRST else _("the last one")
        case list():
            return ", ".join(_step(step, unit) for step in value) or _("none")
        case int():
            return _figure(key, value, unit)
    return str(value)


def _figure(key: str, value: int, unit: str) -> str:
    if not key.endswith("_days"):
        return format_amount(value, unit)
    if key == "late_code_days" and not value:
        return _("off")
    if key == "hold_days":
        return ngettext("after %(num)d day", "after %(num)d days", value) if value else _("at once")
    return ngettext("%(num)d day", "%(num)d days", value)


def _step(step: dict[str, Any], unit: str) -> str:
    if "name" in step:
        return _("%(tier)s from %(number)s", tier=step["name"], number=format_number(step["at"]))
    friends = ngettext("%(number)s friend", "%(number)s friends", step["at"], number=format_number(step["at"]))
    return friends + (f" ({format_amount(step['bonus'], unit)})" if step.get("bonus") else "")
