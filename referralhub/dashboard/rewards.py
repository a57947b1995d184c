"""The ledger as a member reads it, and the perks."""

import secrets

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response as BaseResponse

from referralhub import htmx
from referralhub.clock import now
from referralhub.dashboard.views import bp, page_number
from referralhub.services import perks, programs, rewards
from referralhub.services.errors import CannotRedeem


@bp.get("/dashboard/rewards")
@login_required
def show_rewards() -> Response:
    """Show balances, perks, and every entry with its reason."""
    profile_id, page = current_user.profile.id, page_number()
    lines, more = rewards.lines(profile_id, page)
    if htmx.wants_fragment():
        return make_response(render_template("dashboard/_ledger.html", lines=lines, page=page, more=more))
    return make_response(
        render_template(
            "dashboard/rewards.html",
            balances=rewards.balances(profile_id, programs.current().unit, now()),
            lines=lines,
            page=page,
            more=more,
            today=now(),
            offers=perks.catalogue(profile_id),
            claims=perks.claims(profile_id),
            count=current_user.profile.referral_count,
            form_key=secrets.token_urlsafe(16),
        )
    )


@bp.post("/dashboard/perks/<int:perk_id>/redeem")
@login_required
def redeem(perk_id: int) -> BaseResponse:
    """Claim a perk, once for each form that was shown."""
    key = request.form.get("key", "")[:64]
    if not key.isascii() or not key.isprintable() or not key:
        key = secrets.token_urlsafe(16)
    try:
        perks.redeem(current_user.profile.id, perk_id, key, now())
    except CannotRedeem as error:
        current_app.logger.info("perk %s: %s", perk_id, error)
        return Response(
            render_template("errors/error.html", status=409, title="That didn't work", advice=str(error)), 409
        )
    flash("It's yours. You find it below, under “What you claimed”.")
    return redirect(url_for("dashboard.show_rewards"), 303)
