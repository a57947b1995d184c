"""Keys for other programs, in the panel."""

from datetime import timedelta

from flask import flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from referralhub import outcome, test_program
from referralhub.admin.access import AdminPage, Answer, actor
from referralhub.clock import now
from referralhub.forms import no_control_characters, show_error, strip, text_of
from referralhub.models import ONLY_PRODUCT, Scope
from referralhub.services.integration import keys
from referralhub.services.shared.errors import AlreadyDone, DomainError
from referralhub.words.language import N_, translated

SCOPES = {
    Scope.READ: N_("Read members and their figures"),
    Scope.EVENTS: N_("Tell what customers did"),
    Scope.MANAGE: N_("Make and change members"),
}


class KeyForm(FlaskForm):
    """A key to be made."""

    name = StringField(_l("Name"), [InputRequired(_l("Enter a name.")), no_control_characters], filters=[strip])
    scopes = SelectMultipleField(
        _l("What it is good for"),
        choices=lambda: [(scope.value, translated(text)) for scope, text in SCOPES.items()],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    product = StringField(_l("Product"), [no_control_characters], filters=[strip])
    days = IntegerField(_l("Days until it ends"), [Optional(), NumberRange(1, 3650)])
    for_tests = BooleanField(_l("For tests"))


class ApiKeys(AdminPage):
    """Which programs may use the API, and for what."""

    about = N_("With a key another program uses the API. It is shown once, and kept so that nobody can read it.")

    @expose("/")
    def show(self) -> Answer:
        """List the keys, and show the form for another one."""
        return self._page(KeyForm())

    @expose("/", methods=["POST"])
    def create(self) -> Answer:
        """Make a key, and show it this once."""
        form = KeyForm()
        if form.validate_on_submit():
            end = now() + timedelta(days=form.days.data) if form.days.data else None
            scopes = [Scope(each) for each in form.scopes.data or []]
            try:
                product = text_of(form.product) or ONLY_PRODUCT
                _key, secret = test_program.create_key(
                    text_of(form.name), scopes, actor(), now(),
                    product=product, expires_at=end, for_tests=form.for_tests.data,
                )  # fmt: skip
            except DomainError as error:
                show_error(error, form)
            else:
                outcome.note(_("The key is made: %(key)s", key=secret))  # nobody could find it out later
                return self._page(KeyForm(formdata=None), secret)
        return self._page(form)

    @expose("/<row:row_id>/revoke", methods=["POST"])
    def revoke(self, row_id: int) -> Answer:
        """Withdraw a key; with `?test` it is the test program's with that number."""
        try:
            test_program.revoke_key(row_id, actor(), now(), for_tests="test" in request.args)
            flash(_("The key is worth nothing from now on."))
        except AlreadyDone:
            flash(_("This key was withdrawn before."))
        return redirect(url_for(".show"), 303)

    def _page(self, form: KeyForm, secret: str = "") -> tuple[str, int]:
        both = {"keys": keys.every(), "test_keys": test_program.keys_beside(), "mount": test_program.MOUNT}
        page = self.render("admin/api_keys.html", form=form, secret=secret, scopes=SCOPES, now=now(), **both)
        return page, 422 if form.errors else 200
