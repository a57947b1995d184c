"""The home page, and the links that members share."""

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from referralhub import attribution
from referralhub.clock import now
from referralhub.models import Channel
from referralhub.services import invitations, leaderboard, programs, referrals, visits
from referralhub.services.leaderboard import Period
from referralhub.services.referrals import Attribution

bp = Blueprint("landing", __name__)


@bp.get("/")
def home() -> str | BaseResponse:
    """Explain the program to a visitor; a member is sent to the dashboard."""
    if "_user_id" in session:
        return redirect(url_for("dashboard.home"))
    return render_template(
        "landing/home.html",
        program=programs.current(),
        board=leaderboard.read(current_app.extensions["redis"], Period.ALL, now(), limit=3),
    )


@bp.get("/<code:code>/")
def follow(code: str) -> BaseResponse:
    """Remember whose link this is and go on to the signup form."""
    code = code.lower()
    referrer = referrals.find_by_code(code)
    if referrer is None:
        flash("That link isn't active. Ask your friend for a new one, or join without it.")
        return redirect(url_for("landing.home"))
    if "_user_id" in session:
        flash("You already have an account, so a friend's link changes nothing for you.")
        return redirect(url_for("dashboard.home"))
    invitation_id = invitations.read_token(request.args.get("i", ""), current_app.config["SECRET_KEY"])
    visit = Attribution(code, _channel(request.args.get("via", "")), now(), invitation_id)
    new_visitor = attribution.remember(visit)
    if invitation_id is None or _opened_by_a_person():
        visits.count(referrer.profile_id, visit.channel, new_visitor, visit.visited_at)
        if invitation_id is not None:
            invitations.note_visited(invitation_id, referrer.profile_id, visit.visited_at)
    return Response(status=302, headers={"Location": url_for("auth.signup")})


def _opened_by_a_person() -> bool:
    """Whether a browser says that this is a page being opened; what scans mails for bad links does not say so."""
    wanted = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    return all(request.headers.get(name) == value for name, value in wanted.items())


def _channel(via: str) -> Channel:
    try:
        return Channel(via.lower())
    except ValueError:
        return Channel.LINK
