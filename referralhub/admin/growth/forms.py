"""What admins type on the growth page: a span of days, and what things cost."""

import re
from datetime import date, datetime
from typing import Any

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, StringField
from wtforms.validators import ValidationError
from wtforms.widgets import DateInput

from referralhub.admin import amounts
from referralhub.admin.forms import PanelForm
from referralhub.forms import strip, text_of
from referralhub.models import Program
from referralhub.services.growth import ranges
from referralhub.services.growth.ranges import MOST_YEARS, YEARS, DateRange
from referralhub.services.program.rules import COSTS


class RangeForm(PanelForm):
    """The days to look at, in the address; a day that is not there is that of the usual range."""

    first = StringField(_l("From"), name="from", widget=DateInput(), filters=[strip])
    last = StringField(_l("To, with that day"), name="to", widget=DateInput(), filters=[strip])

    @classmethod
    def asked(cls, now: datetime) -> tuple["RangeForm", DateRange]:
        """Return the form as it was sent, and the days that it means: the usual ones where something is wrong."""
        usual = ranges.usual(now)
        form = cls(formdata=request.args, first=usual.first.isoformat(), last=usual.last.isoformat())
        form.first.data = form.first.data or usual.first.isoformat()
        form.last.data = form.last.data or usual.last.isoformat()
        return form, DateRange(_day(form.first.data), _day(form.last.data), usual.zone) if form.validate() else usual

    def validate_first(self, field: Field) -> None:
        """Refuse what is no date."""
        _day(field.data)

    def validate_last(self, field: Field) -> None:
        """Refuse what is no date, or ends before it begins, or is too long."""
        last = _day(field.data)
        try:
            first = _day(text_of(self.first))
        except ValidationError:
            return  # which its own field says
        if last < first:
            raise ValidationError(_("This is before the first day."))
        if (last.year - MOST_YEARS, last.month, last.day) >= (first.year, first.month, first.day):
            raise ValidationError(_("Choose at most %(most)s years.", most=MOST_YEARS))

    @property
    def address(self) -> dict[str, Any]:
        """The days as they stand in an address; nothing while something is wrong with them."""
        return {} if self.errors or not request.args else {"from": self.first.data, "to": self.last.data}


class CostsForm(FlaskForm):
    """What growth is compared with, in the program's currency; empty is not known."""

    currency: str

    paid_customer_cost = StringField(_l("A customer won by advertising costs"), filters=[strip])
    thousand_units_cost = StringField(_l("1,000 points or megabytes cost you"), filters=[strip])

    @classmethod
    def of(cls, program: Program) -> "CostsForm":
        """Make the form with the costs in force filled in."""
        costs = {name: amounts.typed(getattr(program, name), program.currency) for name in COSTS}
        return cls(formdata=None, **costs)

    @classmethod
    def sent(cls, currency: str) -> "CostsForm":
        """Return the form as it was sent, with amounts in that currency."""
        form = cls()
        form.currency = currency
        return form

    def validate_paid_customer_cost(self, field: Field) -> None:
        """Refuse what is no amount."""
        self._amount(field.data)

    validate_thousand_units_cost = validate_paid_customer_cost

    def costs(self) -> dict[str, Any]:
        """Return what was typed, in the smallest unit of the currency."""
        return {name: self._amount(self[name].data) for name in COSTS}

    def _amount(self, text: str | None) -> int | None:
        return amounts.amount(text, self.currency) if text else None


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        raise ValidationError(
            _("Use a date such as 2026-01-31, from %(first)s to %(last)s.", first=YEARS[0], last=YEARS[-1])
        )
    return day
