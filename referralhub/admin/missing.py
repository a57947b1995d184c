"""Referrals that members miss and their friends agree to: they wait for a decision beside those that were held."""

from typing import ClassVar

from flask import flash, redirect, url_for
from flask_admin import expose
from flask_babel import gettext as _

from referralhub.admin.access import AdminPage, Answer, actor, verification
from referralhub.admin.forms import ReasonForm
from referralhub.clock import local_now, now
from referralhub.forms import show_error, text_of
from referralhub.models import Reason
from referralhub.services.recourse import decisions
from referralhub.services.shared.errors import AlreadyDone, Conflict


class MissingReferrals(AdminPage):
    """The pages about claims, which are a part of the review."""

    decisions: ClassVar = {"confirm": decisions.confirm, "reject": decisions.reject}

    @expose("/missing/")
    def missing(self) -> str:
        """Show the claims that wait."""
        return self.render("admin/missing.html", queue=decisions.queue(), shown=decisions.SHOWN)

    @expose("/missing/<row:row_id>/")
    def claim(self, row_id: int) -> Answer:
        """Show one claim with what speaks for and against it."""
        return self._claim(row_id, ReasonForm())

    @expose("/missing/<row:row_id>/<any(confirm, reject):decision>", methods=["POST"])
    def decide_claim(self, row_id: int, decision: str) -> Answer:
        """Confirm or reject it, for a reason that both members read."""
        form = ReasonForm()
        if form.validate_on_submit():
            options = verification() if decision == "confirm" else {}
            try:
                self.decisions[decision](row_id, Reason.stated(text_of(form.reason)), actor(), now(), **options)
            except AlreadyDone:
                flash(_("That was done before."))
            except Conflict as error:
                show_error(error, form)
                return self._claim(row_id, form)
            else:
                flash(_("Done. Both members get a mail with the reason."))
            return redirect(url_for(".claim", row_id=row_id), 303)
        return self._claim(row_id, form)

    def _claim(self, row_id: int, form: ReasonForm) -> tuple[str, int]:
        page = self.render("admin/missing_claim.html", detail=decisions.of_claim(row_id, local_now()), form=form)
        return page, 422 if form.errors else 200
