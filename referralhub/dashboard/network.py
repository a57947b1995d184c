"""The people below a member, branch by branch, and the link as a picture for the people around."""

import io

import segno
from flask import Response, current_app, request
from flask_login import current_user, login_required

from referralhub import htmx
from referralhub.branding.shown import brand
from referralhub.clock import now
from referralhub.dashboard.network_picture import lay_out
from referralhub.dashboard.views import bp, member_link
from referralhub.models import Channel
from referralhub.services.referrals import network
from referralhub.services.referrals.network import Branch, Mark
from referralhub.services.shared.errors import NotFound
from referralhub.services.shared.sealing import Unreadable, seal, unseal


@bp.get("/dashboard/network")
@login_required
def show_network() -> Response:
    """Show how many people joined below the member, step by step, and the member's friends."""
    profile_id = current_user.profile.id
    found = network.friends(profile_id, _mark_after())
    if htmx.wants_fragment():
        return _answer(found)
    overview = network.overview(current_app.extensions["redis"], profile_id, now())
    return _answer(found, count=overview.count, picture=lay_out(overview))


@bp.get("/dashboard/network/<branch>")
@login_required
def show_branch(branch: str) -> Response:
    """Show whom somebody in the member's network brought."""
    numbers = _unsealed("branch", branch)
    if not numbers:
        raise NotFound
    return _answer(network.branch(current_user.profile.id, numbers[0], _mark_after()))


@bp.get("/dashboard/qr.svg")
@login_required
def qr_code() -> Response:
    """Draw the member's link as a QR code, for posters and for the phone across the table."""
    link = f"{member_link(current_user.profile.shown_code)}?via={Channel.QR.value}"
    out = io.BytesIO()
    segno.make(link, error="m").save(out, kind="svg", scale=8, border=4, light="#fff", xmldecl=False, title=brand.name)
    return Response(out.getvalue(), mimetype="image/svg+xml")


def branch_token(profile_id: int) -> str:
    """Return what stands for a member in an address: their number would tell how many there are, and since when."""
    return _sealed("branch", profile_id)


def _answer(found: Branch, **overview: object) -> Response:
    page = "dashboard/network_branch.html" if found.path else "dashboard/network.html"
    after = found.next and _sealed("after", found.next.confirmed, found.next.id)
    part = {"after": found.after, "older": after}
    return htmx.page_or_fragment(
        page, "dashboard/_branch.html", branch=found, part=part, branch_token=branch_token, **overview
    )


def _mark_after() -> Mark | None:
    """Return behind which line the part of a branch begins that was asked for; None, the first, for anything else."""
    numbers = _unsealed("after", request.args.get("after", ""))
    return Mark(*numbers) if numbers else None


def _sealed(kind: str, *numbers: int) -> str:
    return seal(" ".join(map(str, [kind, *numbers])), current_app.config["SECRET_KEY"])


def _unsealed(kind: str, token: str) -> list[int]:
    """Return the numbers that were sealed for this; none if somebody made the token up."""
    try:
        found, *numbers = unseal(token, current_app.config["SECRET_KEY"]).split()
    except Unreadable:
        return []
    return list(map(int, numbers)) if found == kind else []
