"""The home page, and the links that members share."""

from contextlib import suppress

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, session, url_for
from redis import RedisError
from werkzeug.wrappers import Response as BaseResponse

from referralhub import attribution, sessions
from referralhub.attribution import Arrival
from referralhub.clock import now
from referralhub.landing.callers import Caller, caller, opens_a_page
from referralhub.landing.picture import draw
from referralhub.models import Channel
from referralhub.services import invitations, leaderboard, programs, referrals, visits
from referralhub.services.leaderboard import Period
from referralhub.services.programs import format_amount
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


@bp.get("/privacy")
def privacy() -> str:
    """Say in plain words what is kept, and for how long."""
    return render_template("landing/privacy.html")


@bp.get("/<code:code>/")
def follow(code: str) -> BaseResponse:
    """Remember whose link this is and go on to the signup form. Whoever is not a person gets a preview of it."""
    code = code.lower()
    who = caller()
    if who is Caller.PREFETCH:
        return Response(status=503, headers={"Retry-After": "0"})  # so that the person's own click comes here too
    if who is not Caller.PERSON:
        return _preview(code, who)
    if request.method == "HEAD":
        return _to_signup()
    invitation_id = (
        invitations.read_token(request.args["i"], current_app.config["SECRET_KEY"]) if "i" in request.args else None
    )
    visit = Attribution(code, _channel(request.args.get("via", "")), now(), invitation_id)
    try:
        return _arrive(visit)
    except RedisError:
        if referrals.find_by_code(code) is None:
            return redirect(url_for("landing.home"))
        return redirect(url_for("auth.signup", visit=attribution.seal(visit)))


@bp.get("/<code:code>/picture.png")
def picture(code: str) -> BaseResponse:
    """Draw the picture that goes with a shared link."""
    referrer = referrals.find_by_code(code)
    if referrer is None:
        abort(404)
    program = programs.current()
    gift = (
        f"and gives you {format_amount(program.friend_amount, program.unit)} to start" if program.friend_amount else ""
    )
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(draw(referrer.name, gift), mimetype="image/png", headers=headers)


def _arrive(visit: Attribution) -> BaseResponse:
    counted = visit.invitation_id is None or opens_a_page()
    arrival, sid = attribution.arrive(visit, counted)
    if arrival is Arrival.UNKNOWN:
        referrer = referrals.find_by_code(visit.code)
        if referrer is None:
            sessions.open_now()
            flash("That link isn't active. Ask your friend for a new one, or join without it.")
            return redirect(url_for("landing.home"))
        attribution.learn(visit.code, referrer.profile_id)
        arrival, sid = attribution.arrive(visit, counted)
    if arrival is Arrival.MEMBER:
        sessions.open_now()
        flash("You already have an account, so a friend's link changes nothing for you.")
        return redirect(url_for("dashboard.home"))
    if visit.invitation_id is not None and counted:
        invitations.note_visited(visit.invitation_id, visit.code, visit.visited_at)
    response = _to_signup()
    sessions.give_cookie(response, sid)  # each time, so that it lasts as long as what it leads to
    return response


def _preview(code: str, who: Caller) -> BaseResponse:
    """Show a page made for looking at: no session, no credit; crawlers are counted as such."""
    referrer = referrals.find_by_code(code)
    if referrer is None:
        return Response(render_template("errors/bare.html", status=404, title="There is nothing here", advice=""), 404)
    if who is Caller.CRAWLER and request.method == "GET":
        channel = _channel(request.args.get("via", ""))
        with suppress(RedisError):  # the preview is worth more than the count of who looked at it
            visits.count(current_app.extensions["redis"], referrer.profile_id, channel, "bots", now())
    return Response(render_template("landing/preview.html", referrer=referrer, code=code, program=programs.current()))


def _to_signup() -> BaseResponse:
    return Response(status=302, headers={"Location": "/signup"})


def _channel(via: str) -> Channel:
    try:
        return Channel(via.lower()) if via else Channel.LINK
    except ValueError:
        return Channel.LINK
