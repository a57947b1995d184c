"""The ledger as a member reads it, and the perks."""

import secrets

from flask import Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response as BaseResponse

from referralhub import htmx
from referralhub.clock import now
from referralhub.dashboard.views import bp, part_after
from referralhub.services.fulfilment import lists
from referralhub.services.ledger import entries
from referralhub.services.perks import catalogue, claims
from referralhub.services.program import rules


@bp.get("/dashboard/rewards")
@login_required
def show_rewards() -> Response:
    """Show balances, perks, and every entry with its reason."""
    profile_id = current_user.profile.id
    return htmx.page_or_fragment(
        "dashboard/rewards.html",
        "dashboard/_ledger.html",
        balances=entries.balances(profile_id, rules.current().ledger_unit, now()),
        ledger=entries.lines(profile_id, part_after()),
        handed_over=lists.of_member(profile_id, part_after("handed_over_after")),
        offers=catalogue.offers(profile_id),
        claims=claims.claims_of(profile_id, part_after("claims_after")),
        count=current_user.profile.referral_count,
        form_key=secrets.token_urlsafe(16),
    )


@bp.post("/dashboard/perks/<row:perk_id>/redeem")
@login_required
def redeem(perk_id: int) -> BaseResponse:
    """Claim a perk, once for each form that was shown."""
    key = request.form.get("key", "")[:64]
    if not key.isascii() or not key.isprintable() or not key:
        key = secrets.token_urlsafe(16)
    claims.redeem(current_user.profile.id, perk_id, key, now())
    flash(_("It's yours. You find it below, under “What you claimed”."))
    return redirect(url_for("dashboard.show_rewards"), 303)
