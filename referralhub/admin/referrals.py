"""Referrals: all of them, one in detail, and those that wait for a decision."""

from typing import ClassVar

from flask import flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import selectinload

from referralhub.admin.access import Answer, actor, verification
from referralhub.admin.filters import Choice, Day
from referralhub.admin.forms import ReasonForm
from referralhub.admin.lists import ListPage
from referralhub.admin.missing import MissingReferrals
from referralhub.admin.search import of_member
from referralhub.clock import now
from referralhub.forms import show_error, text_of
from referralhub.models import Channel, Profile, Reason, Referral, ReferralState
from referralhub.services.recourse import decisions
from referralhub.services.referrals import detail, lifecycle, review
from referralhub.services.shared.errors import AlreadyDone, Conflict
from referralhub.words.errors import say
from referralhub.words.language import N_


class Referrals(ListPage):
    """Who brought whom."""

    about = N_("Who brought whom, how far that has come, and why.")
    details_endpoint = "admin_referrals.show"
    columns = {
        "id": N_("Number"),
        "friend.user.called": N_("Friend"),
        "referrer.user.called": N_("Brought by"),
        "state": N_("State"),
        "channel": N_("Channel"),
        "score": N_("Points of suspicion"),
        "created": N_("Joined"),
        "decided_at": N_("Decided"),
    }
    column_searchable_list = (*of_member("friend.user"), *of_member("referrer.user"))
    column_sortable_list = ("id", "score", "created", "decided_at")
    column_filters = (
        Choice(Referral.state, N_("State"), of=ReferralState),
        Choice(Referral.channel, N_("Channel"), of=Channel),
        Day(Referral.created, N_("Joined since")),
        Day(Referral.created, N_("Joined until"), until=True),
    )
    load = (
        selectinload(Referral.referrer).selectinload(Profile.user),
        selectinload(Referral.friend).selectinload(Profile.user),
    )
    steps: ClassVar = {
        "hold": (ReferralState.PENDING, lifecycle.hold),
        "release": (ReferralState.HELD, lifecycle.release),
        "reject": (ReferralState.HELD, lifecycle.reject),
        "reverse": (ReferralState.CONFIRMED, lifecycle.reverse),
    }

    @expose("/<row:row_id>/")
    def show(self, row_id: int) -> Answer:
        """Show one referral with its trail, its verdict and what it gave."""
        return self._page(row_id, ReasonForm())

    @expose("/<row:row_id>/<any(hold, release, reject, reverse):step>", methods=["POST"])
    def decide(self, row_id: int, step: str) -> Answer:
        """Take a step with it, for a reason."""
        form = ReasonForm()
        if form.validate_on_submit():
            try:
                options = verification() if step == "release" else {}
                self.steps[step][1](row_id, actor(), Reason.stated(text_of(form.reason)), now(), **options)
            except AlreadyDone:
                flash(_("That was done before: the trail says when, and by whom."))
                return redirect(url_for(".show", row_id=row_id), 303)
            except Conflict as error:
                show_error(error, form)
            else:
                flash(_("Done. It is in the referral's trail, for both members to read."))
                return redirect(url_for(".show", row_id=row_id), 303)
        return self._page(row_id, form)

    def _page(self, row_id: int, form: ReasonForm) -> tuple[str, int]:
        found = detail.of_referral(row_id)
        steps = [step for step, (state, _) in self.steps.items() if state is found.referral.state]
        page = self.render("admin/referral.html", detail=found, form=form, steps=steps)
        return page, 422 if form.errors else 200


class Review(MissingReferrals):
    """What waits for a decision."""

    about = N_(
        "Held by the fraud rules or by one of you. The friend has the account already; only the credit waits. "
        "After 30 days cases under 60 points confirm themselves."
    )

    @expose("/")
    def index(self) -> Answer:
        """Show the cases, those that look alike together."""
        return self._page(ReasonForm())

    @expose("/", methods=["POST"])
    def decide(self) -> Answer:
        """Confirm or reject the cases that were ticked, for one reason."""
        form = ReasonForm()
        ids = [int(each) for each in request.form.getlist("case") if each.isdecimal() and len(each) < 10]
        step = request.form.get("step")
        if form.validate_on_submit():
            if ids and step in ("confirm", "reject"):
                result = review.decide(
                    ids, step == "confirm", Reason.stated(text_of(form.reason)), actor(), now(), **verification()
                )
                flash(_said(result, confirmed=step == "confirm"))
                return redirect(url_for(".index"), 303)
            form.form_errors.append(_("Tick one or more cases, and choose “Confirm” or “Reject”."))
        return self._page(form, ids)

    def _page(self, form: ReasonForm, ticked: list[int] | None = None) -> tuple[str, int]:
        page = self.render(
            "admin/review.html",
            queue=review.queue(),
            missing=decisions.count(),
            form=form,
            ticked=ticked or [],
            shown=review.SHOWN,
        )
        return page, 422 if form.errors else 200


def _said(result: review.Decided, confirmed: bool) -> str:
    cases = (
        ngettext("%(num)d case confirmed.", "%(num)d cases confirmed.", result.done)
        if confirmed
        else ngettext("%(num)d case rejected.", "%(num)d cases rejected.", result.done)
    )
    refused = (_("Referral %(number)s: %(why)s", number=number, why=say(error)) for number, error in result.refused)
    return " ".join([cases, *refused])
