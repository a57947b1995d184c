"""What admins type about perks."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from referralhub.admin import amounts
from referralhub.admin.forms import key_field
from referralhub.forms import has_control_characters, no_control_characters, strip, text_of
from referralhub.services.shared import currencies
from referralhub.words.amounts import format_number

MOST_CODES = 5000  # in one form
LONGEST_CODE = 80


def coupon_codes(text: str) -> list[str]:
    """Read codes, one on each line. Raises ValidationError for what cannot be one."""
    codes = [line.strip() for line in text.splitlines() if line.strip()]
    if len(codes) > MOST_CODES:
        raise ValidationError(
            _(
                "These are %(number)s codes. Add at most %(most)s at once.",
                number=format_number(len(codes)),
                most=format_number(MOST_CODES),
            )
        )
    for code in codes:
        if len(code) > LONGEST_CODE:
            raise ValidationError(
                _("“%(code)s…” is too long: a code has at most %(most)s characters.", code=code[:20], most=LONGEST_CODE)
            )
        if has_control_characters(code):
            raise ValidationError(_("One of the codes contains an invisible control character."))
    return codes


class PerkForm(FlaskForm):
    """One more perk: bought at a price or unlocked by a number of referrals, counted in pieces or in coupons."""

    name = StringField(
        _l("Name"),
        [
            DataRequired(_l("Give it a name.")),
            Length(max=80, message=_l("Use at most 80 characters.")),
            no_control_characters,
        ],
        filters=[strip],
    )
    summary = StringField(  # `description` is the name of a meta element
        _l("Description"),
        [Length(max=500, message=_l("Use at most 500 characters.")), no_control_characters],
        filters=[strip],
    )
    price = StringField(_l("Price"), [Optional()], filters=[strip])
    unit = SelectField(_l("Unit of the price"), choices=amounts.unit_choices)
    unlocked_at = StringField(_l("Or unlocked at"), [Optional()], filters=[strip])
    stock = StringField(_l("Pieces"), [Optional()], filters=[strip])
    coupons = TextAreaField(_l("Or coupon codes"), [Optional()])
    key = key_field()

    def validate_price(self, field: Field) -> None:
        """Refuse what is no amount of that unit."""
        if self.unlocked_at.data:
            raise ValidationError(_("A perk is either bought or unlocked. Leave one of the two empty."))
        if currencies.is_unit(text_of(self.unit)):
            amounts.amount(field.data, self.unit.data, least=1)

    def validate_unlocked_at(self, field: Field) -> None:
        """Refuse what is no number of referrals."""
        amounts.whole(field.data, 1)

    def validate_stock(self, field: Field) -> None:
        """Refuse what is no number of pieces."""
        amounts.whole(field.data)

    def validate_coupons(self, field: Field) -> None:
        """Refuse what are no codes."""
        if self.stock.data and coupon_codes(field.data):
            raise ValidationError(_("Coupons are their own stock. Leave one of the two empty."))
        coupon_codes(field.data)

    def validate(self, extra_validators: Any = None) -> bool:
        """Look at each field, and whether there is a price or a mark at all."""
        fine: bool = super().validate(extra_validators)
        if not self.price.data and not self.unlocked_at.data:
            self.price.errors = [_("Give it a price, or say how many referrals unlock it.")]
            return False
        return fine

    def terms(self) -> dict[str, Any]:
        """Return what was typed as plain values."""
        unit = text_of(self.unit)
        return {
            "price": amounts.amount(self.price.data, unit) if self.price.data else None,
            "unit": unit,
            "unlocked_at": amounts.whole(self.unlocked_at.data) if self.unlocked_at.data else None,
            "stock": amounts.whole(self.stock.data) if self.stock.data else None,
            "coupons": coupon_codes(text_of(self.coupons)) or None,
            "key": self.key.data,
        }


class StockForm(FlaskForm):
    """More pieces."""

    pieces = StringField(_l("How many more"), [DataRequired(_l("Enter a whole number."))], filters=[strip])
    key = key_field()

    def validate_pieces(self, field: Field) -> None:
        """Refuse what is no number of pieces."""
        amounts.whole(field.data, 1)


class CouponsForm(FlaskForm):
    """More coupons."""

    coupons = TextAreaField(_l("Coupon codes"))
    key = key_field()

    def validate_coupons(self, field: Field) -> None:
        """Refuse what are no codes."""
        if not coupon_codes(text_of(field)):
            raise ValidationError(_("Paste the codes, one on each line."))

    def codes(self) -> list[str]:
        """Return the codes."""
        return coupon_codes(text_of(self.coupons))
