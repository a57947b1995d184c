"""The dashboard and its live parts, and the leaderboard."""

import hashlib
from datetime import datetime, timedelta

from flask import Blueprint, Response, current_app, make_response, render_template, request, session
from flask_login import current_user, login_required

from referralhub import htmx
from referralhub.branding.shown import brand
from referralhub.browsers import request_origin
from referralhub.clock import local_now, now
from referralhub.dashboard.forms import AppealForm
from referralhub.dashboard.sharing import share_links
from referralhub.kept_answers import keep
from referralhub.models import ReferralState
from referralhub.services.accounts import sign_ins
from referralhub.services.ledger import leaderboard
from referralhub.services.ledger.ranking import Leaderboard, Period
from referralhub.services.links import visits
from referralhub.services.recourse import late_codes
from referralhub.services.referrals import figures, member_list
from referralhub.services.referrals.figures import Figures
from referralhub.services.referrals.member_list import ReferralPage
from referralhub.services.referrals.next_step import NextStep, next_step
from referralhub.services.shared.figure_changes import AT_MOST, LEADERBOARD
from referralhub.services.shared.parts import LARGEST
from referralhub.urls import public_url

bp = Blueprint("dashboard", __name__)

WORDS_OF_TIME = timedelta(minutes=1)  # for which "a minute ago" may stand


@bp.get("/dashboard/")
@login_required
def home() -> Response:
    """Show the link, the figures and their story, the newest referrals and the leaderboard. Three queries at most."""
    redis, profile, at = current_app.extensions["redis"], current_user.profile, now()
    visits.book(redis, profile.code, at)
    found = own_figures()
    if sign_ins.note_seen(current_user, request_origin(), at):
        session.modified = True  # a member who comes back stays signed in
    board = leaderboard.read(redis, Period.MONTH, at, profile.id, limit=5)
    until = min(found.until, board.until, sign_ins.due(current_user.sign_in), at + WORDS_OF_TIME)
    until = min(until, _code_until(found) or until)
    unless = visits.key(profile.code)  # there are visits to be booked
    return keep(make_response(page(found, board)), profile.id, LEADERBOARD, until=until, unless=unless)


def page(found: Figures, board: Leaderboard, **card: object) -> str:
    """Render the dashboard; `card` is what the link card is shown with beside the usual."""
    shown = _figures_shown(found) | _lately_shown(found) | link_card(found) | card
    return render_template(
        "dashboard/home.html", **shown, board=board, step=_step(found), code_until=_code_until(found)
    )


def link_card(found: Figures, own: str | None = None) -> dict[str, object]:
    """Return what the card with the link shows; `own` is the member's text if it has just been changed."""
    profile, stats = current_user.profile, found.statistics
    link = member_link(profile.shown_code)
    return {
        "link": link,
        "shares": share_links(link, stats, brand, profile.share_text if own is None else own),
        "stats": stats,
    }


def own_figures() -> Figures:
    """Read the member's figures, with days in the program's time zone."""
    return figures.read(current_app.extensions["redis"], current_user.profile.id, local_now())


@bp.get("/dashboard/stats")
@login_required
def stats_fragment() -> Response:
    """Return the figures alone. Two queries at most."""
    found = own_figures()
    shown = _figures_shown(found)
    fragment = make_response(render_template("dashboard/_stats.html", **shown))
    tagged = htmx.tagged(fragment, str(shown["stats_tag"]), event=htmx.STATS_CHANGED)
    return keep(tagged, current_user.profile.id, until=found.until)


@bp.get("/dashboard/recent")
@login_required
def recent_fragment() -> str:
    """Return what happened lately, the newest referrals and the channels alone."""
    return render_template("dashboard/_recent.html", **_lately_shown(own_figures()))


@bp.get("/dashboard/next")
@login_required
def next_fragment() -> str:
    """Return what to do next alone."""
    found = own_figures()
    return render_template("dashboard/_next.html", stats=found.statistics, step=_step(found))


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
    shown = htmx.page_or_fragment("dashboard/leaderboard.html", "dashboard/_leaderboard.html", board=board, small=small)
    return keep(shown, LEADERBOARD, *([own] if own else []), until=min(board.until, at + AT_MOST))


def part_after(name: str = "after") -> int | None:
    """Return behind which row the part of a list begins that was asked for; None, the first, for what is no id."""
    after = request.args.get(name, type=int)
    return after if after is not None and 0 < after <= LARGEST else None


def member_link(code: str) -> str:
    """Return the absolute address that a member shares."""
    return public_url("landing.follow", code=code)


def _figures_shown(found: Figures) -> dict[str, object]:
    """Return what is shown of the figures themselves. Their tag is another when any of it, or of their story, is."""
    tag = hashlib.sha256(repr((found.statistics, found.story)).encode()).hexdigest()[:16]
    return {"stats": found.statistics, "history": found.story.history, "stats_tag": tag}


def _lately_shown(found: Figures) -> dict[str, object]:
    story = found.story
    return {
        "activity": story.activity,
        "recent": found.recent,
        "channels": story.channels,
        "total": sum(each.confirmed for each in story.channels),
    }


def _code_until(found: Figures) -> datetime | None:
    """Return until when the member can enter the code of who invited them; None if they cannot."""
    return late_codes.deadline(current_user.profile, found.statistics.late_code_days, now())


def _step(found: Figures) -> NextStep | None:
    """Choose what is suggested to the member."""
    stats = found.statistics
    return next_step(
        found.story.prospects,
        stats.standing,
        has_confirmed=not current_user.must_confirm,
        has_shared=bool(stats.visits or stats.total_referrals or stats.pending),
    )
