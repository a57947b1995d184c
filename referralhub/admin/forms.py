"""What admins type."""

import re

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp, ValidationError

from referralhub.admin import amounts
from referralhub.forms import code_shape, no_control_characters, pasted_code, strip, text_of
from referralhub.services.accounts.administration import SAID
from referralhub.services.shared import currencies


def reason_field(label: str = _l("Reason"), hint_required: str = _l("Say why; it is kept for good.")) -> StringField:
    """Why something is done: kept in the audit log, and read by the members it is about."""
    return StringField(
        label,
        [DataRequired(hint_required), Length(max=SAID, message=_l("Use at most %(most)s characters.", most=SAID)),
         no_control_characters],
        filters=[strip],
    )  # fmt: skip


def key_field() -> HiddenField:
    """Name this very form, so that sending it twice does things once."""
    return HiddenField(validators=[InputRequired(), Regexp(r"[\w-]{8,60}\Z")])


def known_unit(_form: object, field: Field) -> None:
    """Refuse what amounts cannot be counted in."""
    if not currencies.is_unit(text_of(field)):
        raise ValidationError(_("Use one of the units."))


class VersionForm(FlaskForm):
    """A form that changes something kept in versions, and was made from one of them."""

    version = HiddenField()

    @property
    def made_from(self) -> int:
        """The version that the form was made from; 0, which never was one, for what is no number."""
        number = text_of(self.version)
        return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0


class PanelForm(FlaskForm):
    """One of several forms on a page, told apart by a prefix. The token is checked for the whole application."""

    class Meta:
        """Let the token have its usual name; the template writes it."""

        csrf = False


class ReasonForm(PanelForm):
    """A reason alone."""

    reason = reason_field()


class AdjustForm(PanelForm):
    """An amount to give or take, in the unit that the form was shown for."""

    amount = StringField(_l("Amount"), [InputRequired(_l("Enter an amount."))], filters=[strip])
    unit = HiddenField(validators=[InputRequired(), known_unit])
    reason = reason_field()
    key = key_field()

    def validate_amount(self, field: StringField) -> None:
        """Refuse what is no amount, or nothing at all."""
        if currencies.is_unit(text_of(self.unit)):
            amounts.amount(text_of(field).removeprefix("-"), text_of(self.unit), least=1)

    @property
    def signed(self) -> int:
        """Return the amount, below zero where it is taken."""
        typed = text_of(self.amount)
        found = amounts.amount(typed.removeprefix("-"), text_of(self.unit))
        return -found if typed.startswith("-") else found


class CorrectForm(PanelForm):
    """Whose friend a member really is."""

    code = StringField(
        _l("Code of the member who brought them"),
        [
            InputRequired(_l("Enter a code.")),
            code_shape,
        ],
        filters=[pasted_code],
    )
    reason = reason_field()
