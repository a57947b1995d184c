"""The form with every part of the brand, and the one for its logo."""

from typing import Any

from flask_babel import lazy_gettext
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import EmailField, StringField, URLField
from wtforms.fields import ColorField
from wtforms.validators import InputRequired

from referralhub.admin.forms import VersionForm
from referralhub.forms import no_control_characters, show_error, strip
from referralhub.services.brand import logos, versions
from referralhub.services.shared.errors import BadSetting
from referralhub.words.brand import LABELS


def _label(key: str) -> str:
    return lazy_gettext(LABELS[key])


class BrandForm(VersionForm):
    """Every part of the brand but the logo; nothing typed is the default of what can be left out."""

    name = StringField(_label("name"), [no_control_characters], filters=[strip])
    accent = ColorField(_label("accent"))
    headline = StringField(_label("headline"), [no_control_characters], filters=[strip])
    support_email = EmailField(_label("support_email"), filters=[strip])
    sender_name = StringField(_label("sender_name"), [no_control_characters], filters=[strip])
    terms_url = URLField(_label("terms_url"), filters=[strip])
    privacy_url = URLField(_label("privacy_url"), filters=[strip])

    @classmethod
    def of(cls, values: dict[str, Any], version: int) -> "BrandForm":
        """Make the form with these values filled in, to be compared with that version."""
        return cls(formdata=None, version=str(version), **values)

    def values(self) -> dict[str, Any] | None:
        """Return what was typed, in its normal form; None where a field says what is wrong."""
        if not self.validate_on_submit():
            return None
        found = {}
        for field in self:
            if field.name in LABELS:
                try:
                    found[field.name] = versions.check(field.name, field.data)
                except BadSetting as error:
                    show_error(error, self)
        return None if self.errors else found


class LogoForm(FlaskForm):
    """A file to be the logo."""

    logo = FileField(_label("logo"), [InputRequired(_l("Choose a file."))])

    def picture(self) -> logos.Picture | None:
        """Return the picture in the file; None where the field says what is wrong with it."""
        if not self.validate_on_submit():
            return None
        try:
            return logos.clean(self.logo.data.read(logos.MOST + 1) if self.logo.data else b"")
        except BadSetting as error:
            show_error(error, self)
            return None
