"""Rewards that are handed over: which are due, and what became of them, one by one, in bulk, or by a file."""

from typing import Any, ClassVar

from flask import flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from sqlalchemy.orm import selectinload, undefer
from wtforms import StringField, SubmitField
from wtforms.validators import InputRequired, Length

from referralhub.admin import links
from referralhub.admin.access import Answer, actor
from referralhub.admin.filters import Choice, Day
from referralhub.admin.forms import PanelForm
from referralhub.admin.lists import ListPage, in_its_unit
from referralhub.admin.search import of_member
from referralhub.clock import now
from referralhub.forms import no_control_characters, show_error, strip, text_of
from referralhub.models import Profile, Reward, RewardState
from referralhub.services.fulfilment import decisions, files, lists
from referralhub.services.fulfilment.decisions import LONGEST_REASON, LONGEST_REFERENCE, Decided
from referralhub.services.fulfilment.files import Loaded
from referralhub.services.shared.errors import BadFile, DomainError
from referralhub.urls import local_path
from referralhub.words.errors import say
from referralhub.words.fulfilment import withdrawn_reason
from referralhub.words.language import N_

SHOWN = 100  # lines of a file that are wrong


def words_field(label: str, most: int) -> StringField:
    """Take words that are kept with a reward."""
    too_long = Length(max=most, message=_l("Use at most %(most)s characters.", most=most))
    return StringField(label, [too_long, no_control_characters], filters=[strip])


class DecideForm(PanelForm):
    """What became of the rewards that were ticked."""

    reference = words_field(_l("Reference"), LONGEST_REFERENCE)
    reason = words_field(_l("Reason"), LONGEST_REASON)


class FileForm(FlaskForm):
    """A file that says what became of rewards, to be loaded or only looked at."""

    file = FileField(_l("The file"), [InputRequired(_l("Choose a file."))])
    check = SubmitField(_l("Only check it"))


class HandingOver(ListPage):
    """All rewards that were or are to be handed over."""

    list_template = "admin/rewards_due.html"
    about = N_("What your product or one of you hands over, and what became of it. A member sees each of these states.")
    columns = {
        "id": N_("Number"),
        "state": N_("State"),
        "profile.user.called": N_("Member"),
        "external_id": N_("Customer"),
        "amount": N_("Amount"),
        "unit": N_("Unit"),
        "entry.kind": N_("Kind"),
        "reference": N_("Reference"),
        "reason": N_("Reason"),
        "created": N_("Due since"),
        "changed": N_("Changed"),
    }
    csv_names: ClassVar = {"profile.user.called": "member", "entry.kind": "kind", "created": "since"}  # else the same
    column_formatters: ClassVar = {"amount": in_its_unit}
    column_searchable_list = (*of_member("profile.user"), "reference")
    column_sortable_list = ("id", "amount", "created", "changed")
    column_filters = (
        Choice(Reward.state, N_("State"), of=RewardState),
        Day(Reward.created, N_("Due from")),
        Day(Reward.created, N_("Due until"), until=True),
    )
    load = (
        selectinload(Reward.profile).selectinload(Profile.user),
        selectinload(Reward.entry),
        undefer(Reward.external_id),
    )

    def shown(self, row: Reward, column: str) -> Any:
        """Return a cell as people read it, with a link to the member."""
        if column == "reason" and row.state is RewardState.WITHDRAWN:
            return withdrawn_reason(row.reason)
        words = super().shown(row, column)
        return links.member(row.profile.user_id, words) if column == "profile.user.called" else words

    def csv_heading(self, column: str) -> str:
        """Return the name by which the column is known where the file comes back."""
        return str(self.csv_names.get(column, column))

    def render(self, template: str, **values: Any) -> str:
        """Show the form below the list, empty unless it was just refused, and how much there is to do."""
        if template == self.list_template:
            values = {"form": DecideForm(formdata=None), "ticked": [], "waiting": lists.waiting()} | values
        page: str = super().render(template, **values)
        return page

    @expose("/decide", methods=["POST"])
    def decide(self) -> Answer:
        """Note what became of the rewards that were ticked."""
        form = DecideForm()
        ids = [int(each) for each in request.form.getlist("reward") if each.isdecimal() and len(each) < 10]
        if form.validate_on_submit():
            try:
                step, state = _step(form, request.form.get("step", ""))
                if ids:
                    flash(_said(decisions.decide(ids, step, actor(), now()), state))
                    return redirect(local_path(request.form.get("next") or url_for(".index_view")), 303)
                form.form_errors.append(_("Tick one or more rewards."))
            except DomainError as error:
                show_error(error, form)
        self._template_args.update(form=form, ticked=ids)
        return self.index_view(), 422

    @expose("/file")
    def show_file(self) -> Answer:
        """Show the form for a file."""
        return self._file_page(FileForm())

    @expose("/file", methods=["POST"])
    def load_file(self) -> Answer:
        """Do what a file says, unless a line of it is wrong or it was only to be checked."""
        form, found = FileForm(), None
        if form.validate_on_submit():
            try:
                text = form.file.data.read().decode("utf-8", "surrogateescape") if form.file.data else ""
                lines = files.read(text.splitlines(keepends=True))
                found = files.load(lines, actor(), now(), dry_run=bool(form.check.data))
                if not form.check.data:
                    files.refuse(len(found.mistakes))
                    flash(_changed(found.changed))
                    return redirect(url_for(".index_view"), 303)
            except BadFile as error:
                show_error(error, form)
        return self._file_page(form, found)

    def _file_page(self, form: FileForm, found: Loaded | None = None) -> tuple[str, int]:
        mistakes = found.mistakes if found else []
        page = self.render(
            "admin/rewards_file.html",
            form=form,
            columns=", ".join((*files.COLUMNS, *files.WORDS)),
            most=files.MOST,
            found=found,
            wrong=[(line.number, say(line.error)) for line in mistakes[:SHOWN]],
            more=max(0, len(mistakes) - SHOWN),
        )
        return page, 422 if form.errors else 200


def _step(form: DecideForm, name: str) -> tuple[decisions.Step, RewardState]:
    """Return what is to be done. Raises DomainError."""
    match name:
        case RewardState.FULFILLED:
            return decisions.fulfilling(text_of(form.reference)), RewardState.FULFILLED
        case RewardState.FAILED if not text_of(form.reason):
            raise DomainError("reason_missing", "reason")
        case RewardState.FAILED:
            return decisions.failing(text_of(form.reason)), RewardState.FAILED
        case RewardState.DUE:
            return decisions.retrying, RewardState.DUE
    raise DomainError("reward_state_unknown")


def _said(result: Decided, state: RewardState) -> str:
    match state:
        case RewardState.FULFILLED:
            done = ngettext("%(num)d reward was handed over.", "%(num)d rewards were handed over.", result.done)
        case RewardState.FAILED:
            done = ngettext("%(num)d reward is kept as failed.", "%(num)d rewards are kept as failed.", result.done)
        case _:
            done = ngettext("%(num)d reward is due again.", "%(num)d rewards are due again.", result.done)
    refused = (_("Reward %(number)s: %(why)s", number=number, why=say(error)) for number, error in result.refused)
    return " ".join([done, *refused])


def _changed(number: int) -> str:
    return ngettext("%(num)d reward was changed.", "%(num)d rewards were changed.", number)
