"""The people below a member, and the link as a picture for the people around."""

import io

import segno
from flask import Response, render_template
from flask_login import current_user, login_required

from referralhub.branding.shown import brand
from referralhub.clock import now
from referralhub.dashboard.views import bp, member_link
from referralhub.models import Channel
from referralhub.services.referrals import network


@bp.get("/dashboard/network")
@login_required
def show_network() -> str:
    """Show how many people joined below the member, step by step."""
    return render_template("dashboard/network.html", network=network.below(current_user.profile.id, now()))


@bp.get("/dashboard/qr.svg")
@login_required
def qr_code() -> Response:
    """Draw the member's link as a QR code, for posters and for the phone across the table."""
    link = f"{member_link(current_user.profile.shown_code)}?via={Channel.QR.value}"
    out = io.BytesIO()
    segno.make(link, error="m").save(out, kind="svg", scale=8, border=4, light="#fff", xmldecl=False, title=brand.name)
    return Response(out.getvalue(), mimetype="image/svg+xml")
