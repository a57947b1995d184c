"""Members, and what an admin can do for one."""

import secrets
from typing import Any, ClassVar

from flask import current_app, flash, redirect, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from markupsafe import Markup, escape
from sqlalchemy.orm import joinedload, selectinload

from referralhub.admin.access import Answer, actor
from referralhub.admin.filters import Choice, Day
from referralhub.admin.forms import AdjustForm, CorrectForm, ReasonForm
from referralhub.admin.lists import ListPage, in_its_unit
from referralhub.admin.search import of_member
from referralhub.clock import now
from referralhub.forms import show_error, text_of
from referralhub.models import Profile, RewardEntry, RewardKind, User
from referralhub.services.accounts import administration
from referralhub.services.links import live_codes
from referralhub.services.program import rules
from referralhub.services.recourse import corrections
from referralhub.services.shared import codes
from referralhub.services.shared.errors import AlreadyDone, Conflict
from referralhub.words.amounts import unit_name
from referralhub.words.errors import by_field
from referralhub.words.language import N_
from referralhub.words.referrals import member_name


class Members(ListPage):
    """Everybody who has an account, or had one."""

    about = N_("Everybody who has an account. Who deleted theirs stays as a former member, so that totals stay right.")
    details_endpoint = "admin_members.show"
    columns = {
        "id": N_("Number"),
        "username": N_("User name"),
        "email": N_("E-mail"),
        "profile.shown_code": N_("Code"),
        "profile.referral_count": N_("Referrals"),
        "verified_at": N_("Confirmed"),
        "is_active": N_("Active"),
        "is_admin": N_("Admin"),
        "last_seen_at": N_("Last seen"),
        "created": N_("Joined"),
        "display_name": N_("Name"),
        "external.external_id": N_("Customer"),
    }
    csv_only = ("display_name", "external.external_id")
    column_searchable_list = (*of_member(), "email", "profile.code", "profile.own_codes.code")
    column_sortable_list = ("id", "username", "profile.referral_count", "last_seen_at", "created")
    column_filters = (
        Choice(User.is_active, N_("Active")),
        Choice(User.is_admin, N_("Admin")),
        Day(User.created, N_("Joined since")),
        Day(User.created, N_("Joined until"), until=True),
    )
    load = (selectinload(User.profile).undefer(Profile.shown_code), joinedload(User.external))

    def shown(self, row: User, column: str) -> Any:
        """Return a cell as people read it; under the name stands what else the member is called."""
        if column != "username":
            return super().shown(row, column)
        number = row.external.external_id if row.external else ""
        others = [name for name in (member_name(row.display_name), number) if name not in ("", row.called)]
        below = (Markup('<br><small class="muted">{}</small>').format(each) for each in others)
        return Markup().join([escape(row.called), *below])

    @expose("/<row:row_id>/")
    def show(self, row_id: int) -> Answer:
        """Show one member, and what can be done."""
        return self._page(row_id)

    @expose("/<row:row_id>/active", methods=["POST"])
    def switch_off(self, row_id: int) -> Answer:
        """Switch the account off, and sign it out everywhere."""
        return self._switch(row_id, active=False)

    @expose("/<row:row_id>/active/again", methods=["POST"])
    def switch_on(self, row_id: int) -> Answer:
        """Switch the account on again."""
        return self._switch(row_id, active=True)

    @expose("/<row:row_id>/profile", methods=["POST"])
    def clear_profile(self, row_id: int) -> Answer:
        """Remove what the member shows to strangers beside the name."""
        form = ReasonForm(prefix="profile-")
        if not form.validate_on_submit():
            return self._page(row_id, profile=form)
        done = administration.clear_profile(row_id, text_of(form.reason), actor(), now())
        flash(_("Picture and greeting are gone.") if done else _("That was done before."))
        return redirect(url_for(".show", row_id=row_id), 303)

    @expose("/<row:row_id>/verification", methods=["POST"])
    def resend(self, row_id: int) -> Answer:
        """Mail the link that confirms the address once more."""
        sent = administration.resend_verification(row_id, actor(), now())
        flash(
            _("The mail is on its way.")
            if sent
            else _("Nothing was sent: it is confirmed, or a mail went out just now.")
        )
        return redirect(url_for(".show", row_id=row_id), 303)

    @expose("/<row:row_id>/adjust", methods=["POST"])
    def adjust(self, row_id: int) -> Answer:
        """Give an amount, or take it."""
        form = AdjustForm(prefix="adjust-")
        if not form.validate_on_submit():
            return self._page(row_id, adjust=form)
        unit = text_of(form.unit)
        done = administration.adjust(row_id, form.signed, unit, text_of(form.reason), text_of(form.key), actor(), now())
        flash(_("The ledger has a new line.") if done else _("That was done before."))
        return redirect(url_for(".show", row_id=row_id), 303)

    @expose("/<row:row_id>/referrer", methods=["POST"])
    def correct(self, row_id: int) -> Answer:
        """Let the credit for this member go to somebody else."""
        form = CorrectForm(prefix="correct-")
        if form.validate_on_submit():
            try:
                code = codes.normal(text_of(form.code))
                corrections.correct_referrer(row_id, code, text_of(form.reason), actor(), now())
            except AlreadyDone:
                flash(_("That was done before."))
                return redirect(url_for(".show", row_id=row_id), 303)
            except Conflict as error:
                form.code.errors = list(by_field(error).values())
            else:
                flash(_("The credit has moved. Both members see it in their ledger."))
                return redirect(url_for(".show", row_id=row_id), 303)
        return self._page(row_id, correct=form)

    def _switch(self, row_id: int, active: bool) -> Answer:
        form = ReasonForm(prefix="active-")
        if form.validate_on_submit():
            try:
                administration.set_active(row_id, active, text_of(form.reason), actor(), now())
                found = administration.page_of(row_id, now())
            except Conflict as error:
                show_error(error, form)
            else:
                live_codes.unlearn(current_app.extensions["redis"], found.codes)
                flash(_("The account is on again.") if active else _("The account is off, and signed out everywhere."))
                return redirect(url_for(".show", row_id=row_id), 303)
        return self._page(row_id, active=form)

    def _page(self, row_id: int, **forms: FlaskForm) -> tuple[str, int]:
        found = administration.page_of(row_id, now())
        # Fresh ones take nothing from the form that was sent, which was another one.
        unit = rules.current().ledger_unit
        usual: dict[str, Any] = {
            "active": ReasonForm(formdata=None, prefix="active-"),
            "adjust": AdjustForm(formdata=None, prefix="adjust-", key=secrets.token_urlsafe(16), unit=unit),
            "correct": CorrectForm(formdata=None, prefix="correct-"),
            "profile": ReasonForm(formdata=None, prefix="profile-"),
        }
        page = self.render(
            "admin/member.html",
            found=found,
            forms=usual | forms,
            unit=unit_name(unit),
        )
        return page, 422 if any(form.errors for form in forms.values()) else 200


class Rewards(ListPage):
    """The ledger."""

    about = N_("Every amount that was given or taken. Nothing here is ever changed; a member's page has “Adjust”.")
    columns = {
        "id": N_("Number"),
        "profile.user.called": N_("Member"),
        "kind": N_("Kind"),
        "amount": N_("Amount"),
        "balance": N_("Balance"),
        "unit": N_("Unit"),
        "referral_id": N_("Referral"),
        "note": N_("Note"),
        "available_at": N_("Can be spent from"),
        "created": N_("Written"),
    }
    column_formatters: ClassVar = {"amount": in_its_unit, "balance": in_its_unit}
    column_searchable_list = (*of_member("profile.user"), "note")
    column_sortable_list = ("id", "amount", "created")
    column_filters = (
        Choice(RewardEntry.kind, N_("Kind"), of=RewardKind),
        Day(RewardEntry.created, N_("Written since")),
        Day(RewardEntry.created, N_("Written until"), until=True),
    )
    load = (selectinload(RewardEntry.profile).selectinload(Profile.user),)

    def details_url(self, row: RewardEntry) -> str:
        """Lead to the member."""
        return url_for("admin_members.show", row_id=row.profile.user_id)
