"""The rules of the program, as people say them."""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from referralhub.models import CONFIRMED_ADDRESS, Touch, Unit, ledger_unit
from referralhub.words.amounts import UNITS, format_amount, format_number, format_share, unit_name
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
    "destination": N_("A link leads to"),
    "friend_coupon": N_("Coupon for the friend"),
    "qualifies_on": N_("What earns"),
    "least_amount": N_("From an amount of"),
    "condition": N_("Only with"),
    "referrer_share": N_("Who refers gets of the amount"),
    "friend_share": N_("The friend gets of the amount"),
    "earning_events": N_("How many of a friend's events earn"),
    "earning_months": N_("For how long they do"),
    "referral_cap": N_("One friend brings at most"),
    "monthly_cap": N_("One member earns in a month at most"),
    "handed_over": N_("Your product hands rewards over"),
    "paid_customer_cost": N_("A customer won by advertising costs"),
    "thousand_units_cost": N_("1,000 units cost"),
}
PRODUCT = (  # rules that only matter where a product of one's own is connected
    "destination", "friend_coupon", "qualifies_on", "least_amount", "condition", "referrer_share", "friend_share",
    "earning_events", "earning_months", "referral_cap", "monthly_cap", "handed_over",
)  # fmt: skip
WITHOUT = {  # what it means that there is none
    "member_cap": N_("no limit"),
    "referral_cap": N_("no limit"),
    "monthly_cap": N_("no limit"),
    "least_amount": N_("any amount"),
    "destination": N_("our signup page"),
    "friend_coupon": N_("none"),
    "earning_events": N_("all of them"),
    "earning_months": N_("without end"),
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
    return {key: _said(key, value, unit_of(key, rules)) for key, value in rules.items()}


def unit_of(key: str, rules: dict[str, Any]) -> str:
    """Return what an amount is counted in: what referring earns by a share is money, and so are its limits."""
    if key == "least_amount" or key.endswith("_cost") or (key.endswith("_cap") and rules["referrer_share"]):
        currency: str = rules["currency"]
        return currency
    return ledger_unit(rules["unit"], rules["currency"])


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """Return what differs; with the unit everything that is counted in it does, though its number may not."""
    before, after = in_words(old), in_words(new)
    return [
        Difference(key, translated(LABELS[key]), before[key], after[key])
        for key in LABELS
        if (old[key], before[key]) != (new[key], after[key])
    ]


def plain(value: str | int | bool) -> str:
    """Write a value of a condition, as programs do."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _said(key: str, value: Any, unit: str) -> str:  # noqa: PLR0911 - one line for each kind of rule
    match value:
        case None:
            return translated(WITHOUT[key]) if key in WITHOUT else _("not known")
        case bool():
            return _("on") if value else _("off")
        case Unit():
            return translated(UNITS[value])
        case Touch():
            return _("the first one") if value is Touch.FIRST else _("the last one")
        case str():
            return _text(key, value)
        case list():
            return ", ".join(_step(step, unit) for step in value) or _("none")
        case dict():
            return ", ".join(f"{name} = {plain(each)}" for name, each in value.items()) or _("none")
        case int():
            return _figure(key, value, unit)
    return str(value)


def _text(key: str, value: str) -> str:
    match key:
        case "currency":
            return f"{value}: {unit_name(value)}"
        case "qualifies_on":
            confirmed = value == CONFIRMED_ADDRESS
            return _("a confirmed address") if confirmed else _("an event of your product: %(type)s", type=value)
    return value


def _figure(key: str, value: int, unit: str) -> str:  # noqa: PLR0911 - one line for each kind of figure
    match key:
        case "late_code_days" if not value:
            return _("off")
        case "hold_days":
            return ngettext("after %(num)d day", "after %(num)d days", value) if value else _("at once")
        case "window_days" | "late_code_days":
            return ngettext("%(num)d day", "%(num)d days", value)
        case "earning_months":
            return ngettext("%(num)d month", "%(num)d months", value)
        case "earning_events":
            return _("the first one") if value == 1 else _("the first %(number)s", number=format_number(value))
        case "referrer_share" | "friend_share":
            return format_share(value)
    return format_amount(value, unit)


def _step(step: dict[str, Any], unit: str) -> str:
    if "name" in step:
        return _("%(tier)s from %(number)s", tier=step["name"], number=format_number(step["at"]))
    friends = ngettext("%(number)s friend", "%(number)s friends", step["at"], number=format_number(step["at"]))
    return friends + (f" ({format_amount(step['bonus'], unit)})" if step.get("bonus") else "")
