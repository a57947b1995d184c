"""An appeal against a rejection, at the referral that it is about."""

from flask import flash, redirect, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from referralhub.clock import now
from referralhub.dashboard.forms import AppealForm
from referralhub.dashboard.views import bp, referrals_page
from referralhub.extensions import limiter
from referralhub.forms import text_of
from referralhub.services.recourse import appeals
from referralhub.services.referrals import member_list
from referralhub.services.shared.errors import AlreadyDone
from referralhub.words.errors import say


@bp.post("/dashboard/referrals/<row:referral_id>/appeal")
@login_required
@limiter.limit("10 per minute; 60 per hour")
def appeal(referral_id: int) -> Response:
    """Bring a rejected referral before an admin once more; with something wrong, its part of the list is shown."""
    form = AppealForm()
    if not form.validate_on_submit():
        return referrals_page(member_list.page_from(current_user.profile.id, referral_id), form)
    try:
        appeals.file(referral_id, current_user.profile.id, text_of(form.words), now())
    except AlreadyDone as error:
        flash(say(error))
    else:
        flash(_("Your appeal is noted. Somebody looks at this referral once more, and reads what you wrote."))
    return redirect(url_for("dashboard.show_referrals"), 303)
