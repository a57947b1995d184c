"""The dashboard and its live parts, and the leaderboard."""

import hashlib
from datetime import timedelta

from flask import Blueprint, Response, current_app, make_response, render_template, request, session
from flask_login import current_user, login_required

from referralhub import htmx
from referralhub.branding.shown import brand
from referralhub.browsers import request_origin
from referralhub.clock import now
from referralhub.dashboard.forms import AppealForm
from referralhub.dashboard.sharing import share_links
from referralhub.kept_answers import keep
from referralhub.models import ReferralState
from referralhub.services.accounts import sign_ins
from referralhub.services.ledger import leaderboard
from referralhub.services.ledger.ranking import Period
from referralhub.services.recourse import late_codes
from referralhub.services.referrals import figures, member_list, visits
from referralhub.services.referrals.member_list import ReferralPage
from referralhub.services.referrals.statistics import Statistics
from referralhub.services.shared.figure_changes import AT_MOST, LEADERBOARD
from referralhub.services.shared.parts import LARGEST
from referralhub.urls import public_url

bp = Blueprint("dashboard", __name__)

WORDS_OF_TIME = timedelta(minutes=1)  # for which "a minute ago" may stand


@bp.get("/dashboard/")
@login_required
def home() -> Response:
    """Show the link, the figures, the newest referrals and the leaderboard. Three queries at most."""
    redis, profile, at = current_app.extensions["redis"], current_user.profile, now()
    visits.book(redis, profile.code, at)
    found = figures.read(redis, profile.id, at)
    if sign_ins.note_seen(current_user, request_origin(), at):
        session.modified = True  # a member who comes back stays signed in
    board = leaderboard.read(redis, Period.MONTH, at, profile.id, limit=5)
    code_until = late_codes.deadline(profile, found.statistics.late_code_days, at)
    page = render_template(
        "dashboard/home.html",
        stats=found.statistics,
        stats_tag=_tag(found.statistics),
        recent=found.recent,
        board=board,
        code_until=code_until,
        link=member_link(profile.shown_code),
        shares=share_links(member_link(profile.shown_code), found.statistics, brand),
    )
    until = min(
        found.until, board.until, sign_ins.due(current_user.sign_in), at + WORDS_OF_TIME, code_until or found.until
    )
    unless = visits.key(profile.code)  # there are visits to be booked
    return keep(make_response(page), profile.id, LEADERBOARD, until=until, unless=unless)


@bp.get("/dashboard/stats")
@login_required
def stats_fragment() -> Response:
    """Return the figures alone. Two queries at most."""
    profile_id = current_user.profile.id
    found = figures.read(current_app.extensions["redis"], profile_id, now())
    tag = _tag(found.statistics)
    fragment = make_response(render_template("dashboard/_stats.html", stats=found.statistics, stats_tag=tag))
    return keep(htmx.tagged(fragment, tag, event=htmx.STATS_CHANGED), profile_id, until=found.until)


@bp.get("/dashboard/recent")
@login_required
def recent_fragment() -> str:
    """Return the newest referrals alone."""
    found = figures.read(current_app.extensions["redis"], current_user.profile.id, now())
    return render_template("dashboard/_recent.html", recent=found.recent)


@bp.get("/dashboard/referrals")
@login_required
def show_referrals() -> Response:
    """Show each friend, how far the referral has come, and why."""
    try:
        state = ReferralState(request.args["state"]) if request.args.get("state") else None
    except ValueError:
        state = None
    return referrals_page(member_list.page_of(current_user.profile.id, state, part_after()), AppealForm(), state)


def referrals_page(found: ReferralPage, form: AppealForm, state: ReferralState | None = None) -> Response:
    """Show a part of the referrals; `form` stands at the first of them where it has errors."""
    page = htmx.page_or_fragment(
        "dashboard/referrals.html",
        "dashboard/_referrals.html",
        found=found,
        state=state,
        states=ReferralState,
        form=form,
    )
    page.status_code = 422 if form.errors else 200
    return page


@bp.get("/leaderboard")
def show_leaderboard() -> Response:
    """Show who brought the most friends, and the member's own place."""
    try:
        period = Period(request.args.get("period", Period.ALL))
    except ValueError:
        period = Period.ALL
    own, at = current_user.profile.id if current_user.is_authenticated else None, now()
    small = request.args.get("size") == "small"
    board = leaderboard.read(current_app.extensions["redis"], period, at, own, limit=5 if small else 20)
    page = htmx.page_or_fragment("dashboard/leaderboard.html", "dashboard/_leaderboard.html", board=board, small=small)
    return keep(page, LEADERBOARD, *([own] if own else []), until=min(board.until, at + AT_MOST))


def part_after(name: str = "after") -> int | None:
    """Return behind which row the part of a list begins that was asked for; None, the first, for what is no id."""
    after = request.args.get(name, type=int)
    return after if after is not None and 0 < after <= LARGEST else None


def member_link(code: str) -> str:
    """Return the absolute address that a member shares."""
    return public_url("landing.follow", code=code)


def _tag(stats: Statistics) -> str:
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]
