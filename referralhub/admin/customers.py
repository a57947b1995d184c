"""Existing customers in the panel."""

from flask import flash, redirect, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import SubmitField
from wtforms.validators import InputRequired

from referralhub.admin.access import AdminPage, Answer, actor
from referralhub.clock import local_now, now
from referralhub.forms import show_error
from referralhub.services.referrals import customers
from referralhub.services.referrals.customers import Known, Loaded, Wrong
from referralhub.services.shared.errors import BadFile
from referralhub.words.customers import LINES, said
from referralhub.words.language import N_, translated

SHOWN = 100  # lines that are wrong


class ListForm(FlaskForm):
    """A list to be loaded, or only looked at."""

    file = FileField(_l("The list"), [InputRequired(_l("Choose a file."))])
    check = SubmitField(_l("Only check it"))

    def lines(self) -> list[Known | Wrong]:
        """Return what was sent, line by line. Raises BadFile."""
        text = self.file.data.read().decode("utf-8", "surrogateescape") if self.file.data else ""
        return list(customers.read(text.splitlines(keepends=True), local_now().date()))


class Customers(AdminPage):
    """Who was a customer before a friend could bring them."""

    about = N_("Whom nobody has to bring: a referral of theirs says “already a customer” and earns nothing.")

    @expose("/")
    def show(self) -> Answer:
        """Say how many are known, and show the form."""
        return self._page(ListForm(), [])

    @expose("/", methods=["POST"])
    def load(self) -> Answer:
        """Load a list, unless a line of it is wrong or it was only to be checked."""
        form, wrong, checked = ListForm(), [], None
        if form.validate_on_submit():
            try:
                lines = form.lines()
                wrong = [line for line in lines if isinstance(line, Wrong)]
                if not form.check.data:
                    customers.refuse(len(wrong))
                loaded = customers.load(lines, actor(), now(), dry_run=bool(form.check.data))
            except BadFile as error:
                show_error(error, form)
            else:
                if not form.check.data:
                    flash(_("Loaded: %(what)s", what=said(loaded)))
                    return redirect(url_for(".show"), 303)
                checked = loaded
        return self._page(form, wrong, checked)

    def _page(self, form: ListForm, wrong: list[Wrong], checked: Loaded | None = None) -> Answer:
        page: str = self.render(
            "admin/customers.html",
            form=form,
            known=customers.count(),
            wrong=[(line.number, translated(LINES[line.code])) for line in wrong[:SHOWN]],
            more=max(0, len(wrong) - SHOWN),
            checked=said(checked) if checked else "",
        )
        return page, 422 if form.errors else 200
