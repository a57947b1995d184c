"""The perk catalogue: adding to it, and looking after what is in it."""

import secrets
from typing import Any, ClassVar

from flask import flash, redirect, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from referralhub.admin import amounts, links
from referralhub.admin.access import Answer, actor
from referralhub.admin.filters import Choice
from referralhub.admin.lists import ListPage
from referralhub.admin.perks.forms import CouponsForm, PerkForm, StockForm
from referralhub.clock import now
from referralhub.forms import show_error, text_of
from referralhub.models import Fulfilment, Perk
from referralhub.services.perks import catalogue
from referralhub.services.shared.errors import BadPerk, DomainError
from referralhub.words.amounts import format_amount, format_number
from referralhub.words.audit import change_in_words
from referralhub.words.language import N_, translated

REPEATED = N_("That form was sent before. Nothing was added a second time.")


def terms(perk: Perk) -> str:
    """Return what a perk takes."""
    if perk.price is not None:
        return format_amount(perk.price, perk.unit)
    number = perk.unlocked_at or 0
    return ngettext(
        "unlocked by %(number)s referral", "unlocked by %(number)s referrals", number, number=format_number(number)
    )


class Perks(ListPage):
    """Everything that members can claim."""

    list_template = "admin/perks.html"
    about = N_("What members can claim: bought with what they earned, or unlocked by the number of their friends.")
    details_endpoint = "admin_perks.show"
    columns = {
        "id": N_("Number"),
        "name": N_("Perk"),
        "price": N_("Takes"),
        "left": N_("Left"),
        "claimed": N_("Claimed"),
        "fulfilment": N_("Handed over"),
        "is_active": N_("Offered"),
        "created": N_("Added"),
    }
    column_searchable_list = ("name", "description")
    column_sortable_list = ("id", "name", "created")
    column_filters = (
        Choice(Perk.is_active, N_("Offered")),
        Choice(Perk.fulfilment, N_("Handed over"), of=Fulfilment),
    )
    column_formatters: ClassVar = {
        "price": lambda _view, _context, perk, _name: terms(perk),
        "left": lambda _view, _context, perk, _name: _("no limit") if perk.left is None else perk.left,
    }
    load = catalogue.COUNTS

    @expose("/new")
    def new(self) -> Answer:
        """Show the form for one more perk."""
        return self._form(PerkForm(key=secrets.token_urlsafe(16)))

    @expose("/new", methods=["POST"])
    def add(self) -> Answer:
        """Put a perk into the catalogue."""
        form = PerkForm()
        if form.validate_on_submit():
            try:
                name, summary = text_of(form.name), text_of(form.summary)
                perk_id = catalogue.add(name, summary, now(), **form.terms(), actor=actor())
            except DomainError as error:
                show_error(error, form)
            else:
                flash(_("%(perk)s is in the catalogue.", perk=form.name.data))
                return redirect(url_for(".show", row_id=perk_id), 303)
        return self._form(form)

    @expose("/<row:row_id>/")
    def show(self, row_id: int) -> Answer:
        """Show one perk, and what can be done with it."""
        return self._page(row_id)

    @expose("/<row:row_id>/off", methods=["POST"])
    def switch_off(self, row_id: int) -> Answer:
        """Stop offering it."""
        return self._switch(row_id, active=False)

    @expose("/<row:row_id>/on", methods=["POST"])
    def switch_on(self, row_id: int) -> Answer:
        """Offer it again."""
        return self._switch(row_id, active=True)

    @expose("/<row:row_id>/stock", methods=["POST"])
    def add_stock(self, row_id: int) -> Answer:
        """Put more pieces in stock."""
        form = StockForm()
        if form.validate_on_submit():
            try:
                pieces = amounts.whole(text_of(form.pieces), 1)
                done = catalogue.add_stock(row_id, pieces, text_of(form.key), actor(), now())
            except BadPerk as error:
                show_error(error, form)
            else:
                flash(_("%(pieces)s more in stock.", pieces=form.pieces.data) if done else translated(REPEATED))
                return redirect(url_for(".show", row_id=row_id), 303)
        return self._page(row_id, stock=form)

    @expose("/<row:row_id>/coupons", methods=["POST"])
    def add_coupons(self, row_id: int) -> Answer:
        """Put more codes into the pool."""
        form = CouponsForm()
        if form.validate_on_submit():
            codes = form.codes()
            try:
                done = catalogue.add_coupons(row_id, codes, text_of(form.key), actor(), now())
            except BadPerk as error:
                show_error(error, form)
            else:
                added = ngettext("%(num)d more coupon in the pool.", "%(num)d more coupons in the pool.", len(codes))
                flash(added if done else translated(REPEATED))
                return redirect(url_for(".show", row_id=row_id), 303)
        return self._page(row_id, coupons=form)

    def _switch(self, row_id: int, active: bool) -> Response:
        if catalogue.set_active(row_id, active, actor(), now()):
            flash(
                _("Members can claim it again.") if active else _("It is not offered any more. What was claimed stays.")
            )
        else:
            flash(_("It was offered already.") if active else _("It was switched off already."))
        return redirect(url_for(".show", row_id=row_id), 303)

    def _form(self, form: PerkForm) -> tuple[str, int]:
        return self.render("admin/perk_new.html", form=form), 422 if form.errors else 200

    def _page(self, row_id: int, **forms: FlaskForm) -> tuple[str, int]:
        detail = catalogue.detail(row_id)
        key = secrets.token_urlsafe(16)
        # Fresh ones take nothing from the form that was sent, which was another one.
        usual: dict[str, Any] = {
            "stock": StockForm(formdata=None, key=key),
            "coupons": CouponsForm(formdata=None, key=key),
        }
        page = self.render(
            "admin/perk.html",
            detail=detail,
            perk=detail.perk,
            terms=terms(detail.perk),
            member=links.member,
            change=change_in_words,
            **usual | forms,
        )
        return page, 422 if any(form.errors for form in forms.values()) else 200
