"""The form with every rule of the program, each as one types it."""

import re
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, Field, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from referralhub.admin import amounts
from referralhub.admin.forms import VersionForm
from referralhub.config import SESSION_DAYS
from referralhub.forms import has_control_characters, no_control_characters, strip, text_of
from referralhub.models import Touch, Unit, ledger_unit
from referralhub.services.program.rules import LONGEST_HOLD, LONGEST_NAME
from referralhub.services.shared import currencies
from referralhub.words.program import LABELS

MOST_STEPS = 30
TIER = re.compile(r"(?P<at>[0-9,]+)\s+(?P<name>\S.*)")
MILESTONE = re.compile(r"(?P<at>[0-9,]+)(?:\s*=\s*(?P<bonus>\S.*))?")


def label(key: str) -> str:
    """Return what a rule is called."""
    return lazy_gettext(LABELS[key])


def tiers(text: str) -> list[dict[str, Any]]:
    """Read tiers, one on each line: `10 Silver`. Raises ValidationError."""
    steps = []
    for line in _lines(text):
        found = TIER.fullmatch(line)
        if not found or len(found["name"]) > LONGEST_NAME or has_control_characters(line):
            raise ValidationError(
                _("“%(line)s” is no tier. Write where it begins and its name, such as “10 Silver”.", line=line[:20])
            )
        steps.append({"name": found["name"], "at": amounts.whole(found["at"])})
    return steps


def milestones(text: str, unit: str) -> list[dict[str, Any]]:
    """Read milestones, one on each line: `10 = 50` with its bonus, or `10` alone. Raises ValidationError."""
    steps: list[dict[str, Any]] = []
    for line in _lines(text):
        found = MILESTONE.fullmatch(line)
        if not found:
            raise ValidationError(
                _("“%(line)s” is no milestone. Write “10 = 50”, or “10” where there is no bonus.", line=line[:20])
            )
        step = {"at": amounts.whole(found["at"], 1)}
        steps.append(step | {"bonus": amounts.amount(found["bonus"], unit)} if found["bonus"] else step)
    return steps


def typed(rules: dict[str, Any]) -> dict[str, Any]:
    """Return rules as they stand in the fields of the form."""
    unit = ledger_unit(rules["unit"], rules["currency"])
    fields = {key: rules[key] for key in ("name", "currency", "timezone", "email_invitations", "personal_landing")}
    fields |= {key: amounts.typed(rules[key], unit) for key in ("referrer_amount", "friend_amount", "member_cap")}
    fields |= {key: str(rules[key]) for key in ("window_days", "hold_days", "late_code_days")}
    fields |= {key: rules[key].value for key in ("unit", "touch")}
    fields["tiers"] = "\n".join(f"{step['at']} {step['name']}" for step in rules["tiers"])
    fields["milestones"] = "\n".join(
        f"{step['at']} = {amounts.typed(step['bonus'], unit)}" if "bonus" in step else str(step["at"])
        for step in rules["milestones"]
    )
    return fields


def touch_choices() -> dict[str, str]:
    """Return which links can count, each with its words."""
    return {Touch.LAST.value: _("the last one"), Touch.FIRST.value: _("the first one")}


class RulesForm(VersionForm):
    """Every rule but those that only growth is reckoned with."""

    name = StringField(
        label("name"),
        [
            DataRequired(_l("Give it a name.")),
            Length(max=LONGEST_NAME, message=_l("Use at most %(most)s characters.", most=LONGEST_NAME)),
            no_control_characters,
        ],
        filters=[strip],
    )
    unit = SelectField(label("unit"), choices=amounts.program_unit_choices)
    currency = SelectField(label("currency"), choices=amounts.currency_choices)
    referrer_amount = StringField(label("referrer_amount"), [InputRequired(_l("Enter an amount; it may be 0."))])
    friend_amount = StringField(label("friend_amount"), [InputRequired(_l("Enter an amount; it may be 0."))])
    member_cap = StringField(label("member_cap"), filters=[strip])
    window_days = StringField(
        _l("Days for which a followed link counts"), [InputRequired(_l("Enter a number of days."))]
    )
    touch = SelectField(label("touch"), choices=touch_choices)
    late_code_days = StringField(
        _l("Days after signing up in which a code can still be entered"),
        [InputRequired(_l("Enter a number of days; it may be 0."))],
    )
    hold_days = StringField(
        _l("Days until a reward can be spent"), [InputRequired(_l("Enter a number of days; it may be 0."))]
    )
    tiers = TextAreaField(label("tiers"), [InputRequired(_l("Enter at least one tier, such as “0 Bronze”."))])
    milestones = TextAreaField(label("milestones"))
    timezone = StringField(label("timezone"), [InputRequired(_l("Enter a time zone, such as UTC."))], filters=[strip])
    email_invitations = BooleanField(_l("Members can invite by mail"))
    personal_landing = BooleanField(_l("Links lead to a page in the referrer's name"))

    @classmethod
    def of(cls, rules: dict[str, Any], version: int) -> "RulesForm":
        """Make the form with these rules filled in, to be compared with that version."""
        return cls(formdata=None, version=str(version), **typed(rules))

    @property
    def chosen_unit(self) -> str:
        """The unit in which the amounts are typed; points where it is none, which its own field says."""
        unit = self.currency.data if self.unit.data == Unit.MONEY else self.unit.data
        return unit if currencies.is_unit(unit or "") else Unit.POINTS.value

    def validate_referrer_amount(self, field: Field) -> None:
        """Refuse what is no amount."""
        amounts.amount(field.data, self.chosen_unit)

    validate_friend_amount = validate_referrer_amount

    def validate_member_cap(self, field: Field) -> None:
        """Refuse what is no amount; empty is no limit."""
        if field.data:
            amounts.amount(field.data, self.chosen_unit)

    def validate_window_days(self, field: Field) -> None:
        """Refuse longer than a visitor is remembered."""
        amounts.whole(field.data, 1, SESSION_DAYS)

    def validate_late_code_days(self, field: Field) -> None:
        """Refuse what is no number of days, or longer than what the fraud rules judge by is kept."""
        amounts.whole(field.data, 0, SESSION_DAYS)

    def validate_hold_days(self, field: Field) -> None:
        """Refuse what is no number of days."""
        amounts.whole(field.data, 0, LONGEST_HOLD)

    def validate_tiers(self, field: Field) -> None:
        """Refuse what are no tiers."""
        tiers(field.data)

    def validate_milestones(self, field: Field) -> None:
        """Refuse what are no milestones."""
        milestones(text_of(field), self.chosen_unit)

    def rules(self) -> dict[str, Any]:
        """Return the rules that were typed."""
        unit = self.chosen_unit
        return {
            "name": self.name.data,
            "unit": Unit(self.unit.data),
            "currency": self.currency.data,
            "referrer_amount": amounts.amount(text_of(self.referrer_amount), unit),
            "friend_amount": amounts.amount(text_of(self.friend_amount), unit),
            "member_cap": amounts.amount(self.member_cap.data, unit) if self.member_cap.data else None,
            "window_days": amounts.whole(text_of(self.window_days)),
            "touch": Touch(self.touch.data),
            "hold_days": amounts.whole(text_of(self.hold_days)),
            "late_code_days": amounts.whole(text_of(self.late_code_days)),
            "tiers": tiers(text_of(self.tiers)),
            "milestones": milestones(text_of(self.milestones), unit),
            "timezone": text_of(self.timezone),
            "email_invitations": self.email_invitations.data,
            "personal_landing": self.personal_landing.data,
        }


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_STEPS:
        raise ValidationError(_("Use at most %(most)s lines.", most=MOST_STEPS))
    return lines
