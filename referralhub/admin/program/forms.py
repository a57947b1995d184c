"""The form with every rule of the program, each as one types it."""

import json
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
from referralhub.models import Touch, Unit
from referralhub.services.program.rules import DEFAULT, LONGEST_EARNING, LONGEST_HOLD, LONGEST_NAME, SHARES
from referralhub.services.shared import currencies
from referralhub.words.program import LABELS, PRODUCT, unit_of

MOST_STEPS = 30
CAPS = ("member_cap", "referral_cap", "monthly_cap")
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


def conditions(text: str) -> dict[str, str | int | bool]:
    """Read conditions, one on each line: `plan = pro`; a value can be a number or true, too. Raises ValidationError."""
    found: dict[str, str | int | bool] = {}
    for line in _lines(text):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (name and equals and value) or has_control_characters(line):
            raise ValidationError(_("“%(line)s” is no condition. Write “plan = pro”.", line=line[:20]))
        found[name] = _value(value)
    return found


def typed(rules: dict[str, Any]) -> dict[str, Any]:
    """Return rules as they stand in the fields of the form."""
    unit = unit_of("referrer_amount", rules)
    as_they_are = ("name", "currency", "timezone", "email_invitations", "personal_landing", "qualifies_on")
    fields = {key: rules[key] for key in (*as_they_are, "handed_over")}
    optional = ("destination", "friend_coupon", "earning_events", "earning_months")
    fields |= {key: "" if rules[key] is None else str(rules[key]) for key in optional}
    figures = ("referrer_amount", "friend_amount", "least_amount", *CAPS)
    fields |= {key: amounts.typed(rules[key], unit_of(key, rules)) for key in figures}
    fields |= {key: amounts.typed_share(rules[key]) for key in SHARES}
    fields |= {key: str(rules[key]) for key in ("window_days", "hold_days", "late_code_days")}
    fields |= {key: rules[key].value for key in ("unit", "touch")}
    fields["condition"] = "\n".join(f"{name} = {_typed_value(value)}" for name, value in rules["condition"].items())
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
    destination = StringField(label("destination"), filters=[strip])
    friend_coupon = StringField(label("friend_coupon"), [no_control_characters], filters=[strip])
    qualifies_on = StringField(label("qualifies_on"), [InputRequired(_l("Say what earns."))], filters=[strip])
    least_amount = StringField(label("least_amount"), filters=[strip])
    condition = TextAreaField(label("condition"))
    referrer_share = StringField(label("referrer_share"), filters=[strip])
    friend_share = StringField(label("friend_share"), filters=[strip])
    earning_events = StringField(label("earning_events"), filters=[strip])
    earning_months = StringField(_l("Months after the signup in which they do"), filters=[strip])
    referral_cap = StringField(label("referral_cap"), filters=[strip])
    monthly_cap = StringField(label("monthly_cap"), filters=[strip])
    handed_over = BooleanField(label("handed_over"))

    @classmethod
    def of(cls, rules: dict[str, Any], version: int) -> "RulesForm":
        """Make the form with these rules filled in, to be compared with that version."""
        return cls(formdata=None, version=str(version), **typed(rules))

    @property
    def chosen_unit(self) -> str:
        """The unit in which the amounts are typed; points where it is none, which its own field says."""
        unit = self.currency.data if self.unit.data == Unit.MONEY else self.unit.data
        return unit if currencies.is_unit(unit or "") else Unit.POINTS.value

    @property
    def earned_unit(self) -> str:
        """The unit in which limits are typed: what referring earns by a share is money."""
        return self.chosen_currency if text_of(self.referrer_share).strip("0. %") else self.chosen_unit

    @property
    def chosen_currency(self) -> str:
        """The currency of events; any one where it is none, which its own field says."""
        return self.currency.data if self.currency.data in currencies.codes() else currencies.DOLLARS

    @property
    def has_product(self) -> bool:
        """Whether anything is typed that is for a product of one's own, or wrong there."""
        plain = typed(DEFAULT)
        return any(self[key].errors or (self[key].data or "") != (plain[key] or "") for key in PRODUCT)

    def validate_referrer_amount(self, field: Field) -> None:
        """Refuse what is no amount."""
        amounts.amount(field.data, self.chosen_unit)

    validate_friend_amount = validate_referrer_amount

    def validate_member_cap(self, field: Field) -> None:
        """Refuse what is no amount; empty is no limit."""
        if field.data:
            amounts.amount(field.data, self.earned_unit)

    validate_referral_cap = validate_monthly_cap = validate_member_cap

    def validate_least_amount(self, field: Field) -> None:
        """Refuse what is no amount of the currency; empty is any."""
        if field.data:
            amounts.amount(field.data, self.chosen_currency)

    def validate_referrer_share(self, field: Field) -> None:
        """Refuse what is no share; empty is none."""
        if field.data:
            amounts.share(field.data)

    validate_friend_share = validate_referrer_share

    def validate_earning_events(self, field: Field) -> None:
        """Refuse what is no number of events; empty is all of them."""
        if field.data:
            amounts.whole(field.data, 1)

    def validate_earning_months(self, field: Field) -> None:
        """Refuse what is no number of months; empty is without end."""
        if field.data:
            amounts.whole(field.data, 1, LONGEST_EARNING)

    def validate_condition(self, field: Field) -> None:
        """Refuse what are no conditions."""
        conditions(text_of(field))

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
            "window_days": amounts.whole(text_of(self.window_days)),
            "touch": Touch(self.touch.data),
            "hold_days": amounts.whole(text_of(self.hold_days)),
            "late_code_days": amounts.whole(text_of(self.late_code_days)),
            "tiers": tiers(text_of(self.tiers)),
            "milestones": milestones(text_of(self.milestones), unit),
            "timezone": text_of(self.timezone),
            "email_invitations": self.email_invitations.data,
            "personal_landing": self.personal_landing.data,
            **self._product(),
        }

    def _product(self) -> dict[str, Any]:
        least, events, months = map(text_of, (self.least_amount, self.earning_events, self.earning_months))
        caps, shares = ({key: text_of(self[key]) for key in keys} for keys in (CAPS, SHARES))
        return {
            "destination": self.destination.data or None,
            "friend_coupon": self.friend_coupon.data or None,
            "qualifies_on": text_of(self.qualifies_on),
            "least_amount": amounts.amount(least, self.chosen_currency) if least else None,
            "condition": conditions(text_of(self.condition)),
            "earning_events": amounts.whole(events) if events else None,
            "earning_months": amounts.whole(months) if months else None,
            "handed_over": self.handed_over.data,
            **{key: amounts.amount(text, self.earned_unit) if text else None for key, text in caps.items()},
            **{key: amounts.share(text) if text else 0 for key, text in shares.items()},
        }


def _value(text: str) -> str | int | bool:
    """Read what JSON has for a text, a number or a switch, and any other text as it stands."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, str | int) else text


def _typed_value(value: str | int | bool) -> str:
    return value if isinstance(value, str) and _value(value) == value else json.dumps(value, ensure_ascii=False)


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_STEPS:
        raise ValidationError(_("Use at most %(most)s lines.", most=MOST_STEPS))
    return lines
