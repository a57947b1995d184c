"""What a line of the audit log is about, what it changed, and why, in words."""

from enum import StrEnum
from typing import Any

from flask_babel import gettext as _

from referralhub.models import AuditLine, ClaimState, Reason, ReferralState, RewardState, Role, Touch, Unit
from referralhub.services.referrals.transitions import REASON_VALUES
from referralhub.services.shared.currencies import is_unit, typed_unit
from referralhub.words.amounts import format_amount, format_number, unit_name
from referralhub.words.language import N_, translated
from referralhub.words.names import called
from referralhub.words.referrals import REASONS, reason

SUBJECTS = {
    "member": N_("member"),
    "referral": N_("referral"),
    "program": N_("program"),
    "perk": N_("perk"),
    "claim": N_("claim"),
    "referral_claim": N_("claim of a referral"),
    "message": N_("message"),
    "customers": N_("customers"),
    "text": N_("text"),
    "api_key": N_("key"),
    "events": N_("events"),
    "reward": N_("reward"),
    "webhook": N_("webhook"),
    "test_key": N_("test key"),
    "test_program": N_("test program"),
}
KEYS = {  # what is changed; in steps of the program, what they have
    "accepted": N_("accepted"),
    "amount": N_("amount"),
    "api_key": N_("key"),
    "at": N_("at"),
    "avatar": N_("picture"),
    "balance": N_("balance"),
    "body": N_("body"),
    "bonus": N_("bonus"),
    "condition": N_("condition"),
    "changed": N_("changed"),
    "coupons": N_("coupons"),
    "currency": N_("currency"),
    "destination": N_("destination"),
    "earlier": N_("earlier"),
    "earning_events": N_("earning events"),
    "earning_months": N_("earning months"),
    "email_invitations": N_("email invitations"),
    "friend_amount": N_("friend amount"),
    "friend_coupon": N_("friend coupon"),
    "friend_share": N_("friend share"),
    "greeting": N_("greeting"),
    "handed_over": N_("handed over"),
    "hold_days": N_("hold days"),
    "identity": N_("identity"),
    "is_active": N_("is active"),
    "is_admin": N_("is admin"),
    "kept": N_("kept"),
    "language": N_("language"),
    "late_code_days": N_("late code days"),
    "least_amount": N_("least amount"),
    "mailed": N_("mailed"),
    "member_cap": N_("member cap"),
    "messages": N_("messages"),
    "milestones": N_("milestones"),
    "monthly_cap": N_("monthly cap"),
    "name": N_("name"),
    "new": N_("new"),
    "paid_customer_cost": N_("paid customer cost"),
    "perk": N_("perk"),
    "personal_landing": N_("personal landing"),
    "pieces": N_("pieces"),
    "price": N_("price"),
    "product": N_("product"),
    "qualifies_on": N_("qualifies on"),
    "recovery_codes": N_("recovery codes"),
    "referral_cap": N_("referral cap"),
    "reference": N_("reference"),
    "referrer": N_("referrer"),
    "referrer_amount": N_("referrer amount"),
    "refused": N_("refused"),
    "referrer_share": N_("referrer share"),
    "state": N_("state"),
    "stock": N_("stock"),
    "subject": N_("subject"),
    "text": N_("text"),
    "thousand_units_cost": N_("thousand units cost"),
    "tiers": N_("tiers"),
    "timezone": N_("timezone"),
    "touch": N_("touch"),
    "two_factor": N_("two factor"),
    "types": N_("types"),
    "unit": N_("unit"),
    "used": N_("used"),
    "unlocked_at": N_("unlocked at"),
    "url": N_("address"),
    "window_days": N_("window days"),
}
SHOWN = 200  # characters of a value
AMOUNTS = ("amount", "balance", "price")  # which are in the unit that stands beside them
# Whose values are stored; a claim of a referral has a state, too, and of what both can be they are called the same.
ENUMS: dict[str, tuple[type[StrEnum], ...]] = {"state": (ReferralState, ClaimState, RewardState), "touch": (Touch,)}


def subject_in_words(line: AuditLine) -> str:
    """Return what a line is about: "member 3", or only the kind of thing where it is no single one."""
    subject = translated(SUBJECTS.get(line.subject, line.subject))
    return f"{subject} {line.subject_id}" if line.subject_id is not None else subject


def change_in_words(line: AuditLine) -> str:
    """Return what was before and what is after: "stock: 5 → 8", or only what is where nothing was."""
    # Sorted, since PostgreSQL keeps no order.
    keys = {*line.before, *line.after} - {REASON_VALUES}
    before, after = (_with_units(values) for values in (line.before, line.after))
    return ", ".join(_changed(key, before, after) for key in sorted(keys))


def audit_reason(line: AuditLine) -> str:
    """Return the reason of a line in the audit log: what a person wrote, or words for the system's code."""
    if line.role is Role.SYSTEM and line.reason in REASONS:
        return reason(Reason(line.reason, line.after.get(REASON_VALUES, {})))
    return line.reason


def _with_units(values: dict[str, Any]) -> dict[str, Any]:
    """Return what a line has on one side, its amounts in the unit that stands beside them."""
    unit = typed_unit(str(values.get("unit")))  # older lines have dollars by their former name
    if not is_unit(unit):
        return values
    written = {key: format_amount(values[key], unit) for key in AMOUNTS if isinstance(values.get(key), int)}
    return values | written


def _changed(key: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    name = _name(key)
    if key not in before:
        return f"{name} {_said(after[key], key)}"
    return f"{name}: {_said(before[key], key)} → {_said(after[key], key) if key in after else _('gone')}"


def _name(key: str) -> str:
    return translated(KEYS[key]) if key in KEYS else key.replace("_", " ")  # a line of long ago may have others


def _unit(value: str) -> str:
    unit = typed_unit(value)  # older lines have dollars by their former name
    return unit_name(unit) if is_unit(unit) else called(Unit(value)) if value in set(Unit) else value


def _said(value: Any, key: str) -> str:  # noqa: PLR0911 - one line for each kind of value
    if value in (None, "", [], {}):
        return _("none")
    match value:
        case bool():
            return _("yes") if value else _("no")
        case int():
            return format_number(value)
        case list():
            return "; ".join(_said(each, key) for each in value)
        case dict():
            return " ".join(f"{_name(name)} {_said(each, name)}" for name, each in value.items())
        case str() if key == "unit":
            return _unit(value)
        case str() if kinds := [kind for kind in ENUMS.get(key, ()) if value in set(kind)]:
            return called(kinds[0](value))
        case str() if len(value) > SHOWN:
            return f"{value[:SHOWN]}…"
        case _:
            return str(value)
