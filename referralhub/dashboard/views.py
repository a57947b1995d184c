"""The dashboard and its live parts, and the leaderboard."""

import hashlib

from flask import Blueprint, Response, current_app, make_response, render_template, request, session
from flask_login import current_user, login_required
from werkzeug.wrappers import Response as BaseResponse

from referralhub import htmx
from referralhub.browsers import request_origin
from referralhub.clock import now
from referralhub.dashboard.fast_path import SEEN
from referralhub.dashboard.sharing import share_links
from referralhub.models import ReferralState
from referralhub.services.accounts import sign_ins
from referralhub.services.ledger import leaderboard
from referralhub.services.ledger.leaderboard import Period
from referralhub.services.referrals import figures, member_list, visits
from referralhub.services.referrals.statistics import Statistics
from referralhub.services.shared.parts import LARGEST
from referralhub.urls import public_url

bp = Blueprint("dashboard", __name__)


@bp.get("/dashboard/")
@login_required
def home() -> str:
    """Show the link, the figures, the newest referrals and the leaderboard."""
    visits.book(current_app.extensions["redis"], current_user.profile.code, now())
    stats = figures.read(current_app.extensions["redis"], current_user.profile.id, now()).statistics
    if sign_ins.note_seen(current_user, request_origin(), now()):
        session.modified = True  # a member who comes back stays signed in
    profile = current_user.profile
    return render_template(
        "dashboard/home.html",
        stats=stats,
        stats_tag=_tag(stats),
        recent=member_list.recent(profile.id),
        board=leaderboard.read(current_app.extensions["redis"], Period.MONTH, now(), profile.id, limit=5),
        link=member_link(profile.code),
        shares=share_links(member_link(profile.code), stats),
    )


@bp.get("/dashboard/stats")
@login_required
def stats_fragment() -> BaseResponse:
    """Return the figures alone; 304 when the asker has these already. Three queries at most."""
    redis, profile_id = current_app.extensions["redis"], current_user.profile.id
    found = figures.read(redis, profile_id, now())
    tag = _tag(found.statistics)
    fragment = render_template("dashboard/_stats.html", stats=found.statistics, stats_tag=tag)
    if request.environ.get(SEEN) == found.versions:
        figures.keep_answer(redis, profile_id, found, current_user.sign_in.id, tag, fragment.encode())
    return htmx.unchanged(tag) or htmx.tagged(make_response(fragment), tag, event=htmx.STATS_CHANGED)


@bp.get("/dashboard/recent")
@login_required
def recent_fragment() -> str:
    """Return the newest referrals alone."""
    return render_template("dashboard/_recent.html", recent=member_list.recent(current_user.profile.id))


@bp.get("/dashboard/referrals")
@login_required
def show_referrals() -> Response:
    """Show each friend, how far the referral has come, and why."""
    try:
        state = ReferralState(request.args["state"]) if request.args.get("state") else None
    except ValueError:
        state = None
    found = member_list.page_of(current_user.profile.id, state, part_after())
    return htmx.page_or_fragment(
        "dashboard/referrals.html", "dashboard/_referrals.html", found=found, state=state, states=ReferralState
    )


@bp.get("/leaderboard")
def show_leaderboard() -> Response:
    """Show who brought the most friends, and the member's own place."""
    try:
        period = Period(request.args.get("period", Period.ALL))
    except ValueError:
        period = Period.ALL
    profile_id = current_user.profile.id if current_user.is_authenticated else None
    small = request.args.get("size") == "small"
    board = leaderboard.read(current_app.extensions["redis"], period, now(), profile_id, limit=5 if small else 20)
    return htmx.page_or_fragment("dashboard/leaderboard.html", "dashboard/_leaderboard.html", board=board, small=small)


def part_after(name: str = "after") -> int | None:
    """Return behind which row the part of a list begins that was asked for; None, the first, for what is no id."""
    after = request.args.get(name, type=int)
    return after if after is not None and 0 < after <= LARGEST else None


def member_link(code: str) -> str:
    """Return the absolute address that a member shares."""
    return public_url("landing.follow", code=code)


def _tag(stats: Statistics) -> str:
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]
