"""Webhooks in the panel: whom to tell, and what came of it."""

import secrets
from datetime import datetime
from typing import Any, cast

from flask import current_app, flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateTimeLocalField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from referralhub import outcome
from referralhub.admin.access import AdminPage, Answer, actor
from referralhub.admin.forms import key_field
from referralhub.clock import local_now, now
from referralhub.forms import no_control_characters, show_error, strip, text_of
from referralhub.models import WebhookType
from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError
from referralhub.services.shared.parts import LARGEST
from referralhub.services.webhooks import endpoints, log
from referralhub.services.webhooks.addresses import LONGEST
from referralhub.words.errors import say
from referralhub.words.language import N_


def _types_field() -> SelectMultipleField:
    return SelectMultipleField(
        _l("What it is told of"),
        choices=lambda: [(each.value, each.value) for each in endpoints.TYPES],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


class EndpointForm(FlaskForm):
    """An address to be told."""

    url = StringField(
        _l("Address"),
        [InputRequired(_l("Enter an address.")), Length(max=LONGEST), no_control_characters],
        filters=[strip],
    )
    types = _types_field()


class TypesForm(FlaskForm):
    """What an address is told of."""

    types = _types_field()


class KeyForm(FlaskForm):
    """Something that is done once for each form."""

    key = key_field()


class RemoveForm(FlaskForm):
    """Removing an address."""

    sure = BooleanField(_l("Tell this address nothing more"), [InputRequired(_l("Tick this to remove it."))])


class MomentField(DateTimeLocalField):
    """A moment, by the clocks of the program's time zone."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read it. Raises ValueError."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("Enter a moment.")) from None

    @property
    def moment(self) -> datetime:
        """The moment in that zone."""
        return cast(datetime, self.data).replace(tzinfo=local_now().tzinfo)


class ReplayForm(FlaskForm):
    """Sending again what happened in a span of time."""

    since = MomentField(_l("From"), [InputRequired(_l("Enter a moment."))])
    until = MomentField(_l("Until"), [InputRequired(_l("Enter a moment."))])
    type = SelectField(
        _l("Type"), choices=lambda: [("", _("all"))] + [(each.value, each.value) for each in endpoints.TYPES]
    )


class Webhooks(AdminPage):
    """Whom to tell of what happens."""

    about = N_(
        "Other programs are told of what happens, signed so that they know it comes from here, again and again until "
        "they say that it arrived."
    )

    @expose("/")
    def index(self) -> Answer:
        """List the addresses, and show the form for another one."""
        return self._page(EndpointForm())

    @expose("/", methods=["POST"])
    def create(self) -> Answer:
        """Tell an address from now on, and show its secret this once."""
        form = EndpointForm()
        if form.validate_on_submit():
            try:
                made, secret = endpoints.add(text_of(form.url), _chosen(form.types.data), actor(), now(), **_settings())
            except AlreadyDone as error:
                flash(say(error))
                return redirect(url_for(".index"), 303)
            except DomainError as error:
                show_error(error, form)
            else:
                outcome.note(_("The address is told from now on. Its secret: %(secret)s", secret=secret))
                return self._endpoint(made.id, secret=secret)
        return self._page(form)

    @expose("/<row:row_id>/")
    def show(self, row_id: int) -> Answer:
        """Show one address with its log."""
        return self._endpoint(row_id)

    @expose("/<row:row_id>/types", methods=["POST"])
    def choose_types(self, row_id: int) -> Answer:
        """Tell it of other types."""
        form = TypesForm()
        if not form.validate_on_submit():
            return self._endpoint(row_id, types_form=form)
        try:
            endpoints.choose_types(row_id, _chosen(form.types.data), actor(), now())
            flash(_("Saved."))
        except AlreadyDone as error:
            flash(say(error))
        return redirect(url_for(".show", row_id=row_id), 303)

    @expose("/<row:row_id>/rotate", methods=["POST"])
    def rotate(self, row_id: int) -> Answer:
        """Give it another secret, and show that this once."""
        form = KeyForm()
        if not form.validate_on_submit():
            return self._endpoint(row_id, key_form=form)
        secret_key = current_app.config["SETTINGS"].secret_key
        secret = endpoints.rotate(row_id, actor(), now(), secret_key=secret_key, key=text_of(form.key))
        outcome.note(_("The new secret: %(secret)s", secret=secret))
        return self._endpoint(row_id, secret=secret)

    @expose("/<row:row_id>/test", methods=["POST"])
    def test(self, row_id: int) -> Answer:
        """Send it a message that says nothing."""
        form = KeyForm()
        if not form.validate_on_submit():
            return self._endpoint(row_id, key_form=form)
        try:
            endpoints.test(row_id, actor(), now(), key=text_of(form.key))
            flash(_("A test is on its way. The log below says what is answered."))
        except Conflict as error:
            flash(say(error))
        return redirect(url_for(".show", row_id=row_id), 303)

    @expose("/<row:row_id>/on", methods=["POST"])
    def switch_on(self, row_id: int) -> Answer:
        """Try it again after it was switched off."""
        try:
            endpoints.switch_on(row_id, actor(), now())
            flash(_("The address is switched on, and gets what waits for it."))
        except AlreadyDone as error:
            flash(say(error))
        return redirect(url_for(".show", row_id=row_id), 303)

    @expose("/<row:row_id>/remove", methods=["POST"])
    def remove(self, row_id: int) -> Answer:
        """Tell it nothing more."""
        form = RemoveForm()
        if not form.validate_on_submit():
            return self._endpoint(row_id, remove_form=form)
        try:
            endpoints.remove(row_id, actor(), now())
            flash(_("The address is told nothing more."))
        except AlreadyDone as error:
            flash(say(error))
        return redirect(url_for(".index"), 303)

    @expose("/<row:row_id>/replay", methods=["POST"])
    def replay_range(self, row_id: int) -> Answer:
        """Send it again what happened in a span of time."""
        form = ReplayForm()
        if not form.validate_on_submit():
            return self._endpoint(row_id, replay_form=form)
        types = [WebhookType(form.type.data)] if form.type.data else []
        sent = log.replay_range(row_id, form.since.moment, form.until.moment, actor(), now(), types=types)
        flash(
            ngettext("%(num)d is on the way again.", "%(num)d are on the way again.", sent)
            if sent
            else _("There is nothing of that time, or it is on its way.")
        )
        return redirect(url_for(".show", row_id=row_id), 303)

    @expose("/deliveries/<row:row_id>/")
    def delivery(self, row_id: int) -> str:
        """Show what was sent, and each answer."""
        found = log.detail(row_id)
        return self.render("admin/webhook_delivery.html", detail=found, endpoint=endpoints.get(found.endpoint_id))

    @expose("/deliveries/<row:row_id>/again", methods=["POST"])
    def replay(self, row_id: int) -> Answer:
        """Send one again."""
        sent = log.replay(row_id, actor(), now())
        flash(_("It is on its way again.") if sent else _("It is on its way already, or the address is switched off."))
        return redirect(url_for(".delivery", row_id=row_id), 303)

    def _page(self, form: EndpointForm) -> tuple[str, int]:
        page = self.render("admin/webhooks.html", form=form, lines=endpoints.every())
        return page, 422 if form.errors else 200

    def _endpoint(self, row_id: int, secret: str = "", **forms: FlaskForm) -> tuple[str, int]:
        found = endpoints.get(row_id)
        after = request.args.get("after", "")
        part = log.deliveries(row_id, int(after) if after.isdecimal() and int(after[:11]) <= LARGEST else None)
        own: dict[str, Any] = {
            "types_form": lambda: TypesForm(formdata=None, types=found.types),
            "remove_form": lambda: RemoveForm(formdata=None),
            "replay_form": lambda: ReplayForm(formdata=None),
        }
        shown = {name: forms.get(name) or make() for name, make in own.items()}
        page = self.render(
            "admin/webhook.html", endpoint=found, part=part, secret=secret, key=secrets.token_urlsafe(12), now=now(),
            **shown,
        )  # fmt: skip
        return page, 422 if any(form.errors for form in forms.values()) else 200


def _chosen(data: list[str] | None) -> list[WebhookType]:
    return [WebhookType(each) for each in data or []]


def _settings() -> dict[str, Any]:
    settings = current_app.config["SETTINGS"]
    return {"secret_key": settings.secret_key, "private": settings.webhook_private_addresses}
