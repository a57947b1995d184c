"""The brand: what it is, what it would look like, and how it came to be so."""

from typing import Any

from flask import flash, redirect, url_for
from flask_admin import expose
from flask_babel import gettext as _

from referralhub import htmx
from referralhub.admin import links
from referralhub.admin.access import AdminPage, Answer, actor
from referralhub.admin.brand.forms import BrandForm, LogoForm
from referralhub.clock import now
from referralhub.forms import show_error
from referralhub.services.brand import versions
from referralhub.services.brand.logos import MOST
from referralhub.services.shared.errors import StaleRules
from referralhub.words.brand import differences, removed_in_words
from referralhub.words.language import N_, translated

NOTHING = N_("This is in force already. Nothing was changed.")


class BrandPage(AdminPage):
    """What the program is called, and how it looks."""

    about = N_("What the program is called, and how it looks, on every page, in every mail and where links are shared.")

    @expose("/")
    def index(self) -> Answer:
        """Show the brand in force in a form, how it looks, and every version there has been."""
        return self._page()

    @expose("/preview", methods=["POST"])
    def preview(self) -> Answer:
        """Show how what was typed would look: htmx asks for the sample alone. Nothing is written."""
        form = BrandForm()
        values = form.values()
        if values is not None and htmx.wants_fragment():
            return self.render("admin/_brand_sample.html", sample=values), 200
        return self._page(form, sample=values)

    @expose("/", methods=["POST"])
    def put_in_force(self) -> Answer:
        """Make a new version of what was typed, if the one that was looked at is still in force."""
        form = BrandForm()
        values = form.values()
        if values is None:
            return self._page(form)
        try:
            brand, new = versions.put_in_force(values, now(), actor(), made_from=form.made_from)
        except StaleRules as error:
            show_error(error, form)
            form.version.data = str(error.version)  # who sends it again has been told
            return self._page(form, sample=values)
        return self._back(_("Version %(version)s is in force.", version=brand.version) if new else translated(NOTHING))

    @expose("/logo", methods=["POST"])
    def put_up_logo(self) -> Answer:
        """Make a new version with what is left of an uploaded picture."""
        form = LogoForm()
        picture = form.picture()
        if picture is None:
            return self._page(logo_form=form)
        brand, new = versions.put_in_force({"logo": picture}, now(), actor())
        told = (
            _("Version %(version)s is in force, with this logo.", version=brand.version) if new else translated(NOTHING)
        )
        return self._back(f"{told} {removed_in_words(picture.removed)}".strip())

    @expose("/logo/remove", methods=["POST"])
    def take_down_logo(self) -> Answer:
        """Make a new version without a logo."""
        brand, new = versions.put_in_force({"logo": None}, now(), actor())
        return self._back(
            _("Version %(version)s is in force, without a logo.", version=brand.version) if new else translated(NOTHING)
        )

    def _back(self, words: str) -> Answer:
        flash(words)
        return redirect(url_for(".index"), 303)

    def _page(
        self, form: BrandForm | None = None, sample: dict[str, Any] | None = None, logo_form: LogoForm | None = None
    ) -> tuple[str, int]:
        history = versions.history()
        in_force = versions.values_of(history[0].brand)
        version = history[0].brand.version
        wrong = any(each is not None and each.errors for each in (form, logo_form))
        page = self.render(
            "admin/brand.html",
            version=version,
            form=form or BrandForm.of(in_force, version),
            logo_form=logo_form or LogoForm(formdata=None),
            most=MOST // 1024,
            sample=sample or in_force,
            history=[(each.brand, each.line, _changed(each)) for each in history],
            member=links.member,
        )
        return page, 422 if wrong else 200


def _changed(version: versions.Version) -> list[Any]:
    if version.before is None:
        return []
    return differences(versions.values_of(version.before), versions.values_of(version.brand))
