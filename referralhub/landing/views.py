"""The home page, and the links that members share."""

from contextlib import suppress
from functools import partial

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from redis import RedisError
from werkzeug.wrappers import Response as BaseResponse

from referralhub import languages
from referralhub.branding.lettering import can_write
from referralhub.branding.shown import brand
from referralhub.browsers import opens_a_page
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.landing import destination
from referralhub.landing.callers import Caller, caller
from referralhub.landing.destination import lead_to
from referralhub.landing.picture import draw
from referralhub.response_headers import FOR_EVERYBODY
from referralhub.services.accounts import avatars
from referralhub.services.brand import in_force
from referralhub.services.ledger import leaderboard
from referralhub.services.ledger.ranking import Period
from referralhub.services.links import live_codes, own_codes, visits
from referralhub.services.links.visits import channel_of
from referralhub.services.program import rules
from referralhub.services.referrals import attribution, invitation_progress, invitations
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import codes
from referralhub.sessions import contents
from referralhub.sessions.interface import REDIS_FAILED, Arrival, interface, open_now
from referralhub.words import offers
from referralhub.words.error_pages import PAGES
from referralhub.words.language import translated

bp = Blueprint("landing", __name__)


@bp.get("/")
def home() -> str | BaseResponse:
    """Explain the program to a visitor; a member is sent to the dashboard."""
    if contents.is_signed_in():
        return redirect(url_for("dashboard.home"))
    return render_template(
        "landing/home.html",
        program=rules.current(),
        board=leaderboard.read(current_app.extensions["redis"], Period.ALL, now(), limit=3),
    )


@bp.get("/privacy")
def privacy() -> str:
    """Say in plain words what is kept, and for how long."""
    return render_template("landing/privacy.html")


@bp.get("/<code:code>/")
@limiter.exempt
def follow(code: str) -> BaseResponse:
    """Remember whose link this is and go on to the form for a friend. A program gets a preview of it."""
    code = codes.normal(code)
    who = caller(request.environ)
    if who is Caller.PREFETCH:
        return Response(status=403)  # browsers keep good answers alone, so that the person's own click comes here too
    if who is not Caller.PERSON:
        return _preview(code, who)
    if request.method == "HEAD":
        if not codes.may_be_drawn(code) and attribution.find_by_code(code) is None:
            abort(404)
        return lead_to(brand.destination or url_for("auth.signup"))
    invitation_id = (
        invitations.read_token(request.args["i"], current_app.config["SECRET_KEY"]) if "i" in request.args else None
    )
    visit = FollowedLink(code, channel_of(request.args.get("via", "")), now(), invitation_id)
    if REDIS_FAILED in request.environ:
        return _carry(visit)
    try:
        return _arrive(visit)
    except RedisError:
        return _carry(visit)


@bp.get("/<code:code>/picture.png")
def picture(code: str) -> BaseResponse:
    """Draw the picture that goes with a shared link."""
    referrer = attribution.find_by_code(code)
    if referrer is None:
        abort(404)
    program = rules.current()
    avatar = avatars.find(referrer.avatar) if program.personal_landing and referrer.avatar else None
    with languages.speaking(languages.of_browser()):  # whoever is signed in: it is kept for others, too
        name = referrer.name if can_write(referrer.name) else _("A friend")
        drawn = draw(name, _("invites you"), offers.on_picture(program.terms), brand.name, brand.accent, avatar)
    headers = FOR_EVERYBODY | {"Cache-Control": "public, max-age=3600", "Vary": "Accept-Language"}
    return Response(drawn, mimetype="image/png", headers=headers)


def _arrive(visit: FollowedLink) -> BaseResponse:
    sessions = interface()
    counted = visit.invitation_id is None or opens_a_page()
    arrive = partial(sessions.arrive, visit, sessions.sid_in(request), counted)
    arrived = arrive()
    if arrived.arrival is Arrival.UNKNOWN:
        referrer = attribution.find_by_code(visit.code)
        if referrer is None:
            open_now()
            _check_was_a_link(visit.code)
            flash(_("That link isn't active. Ask your friend for a new one, or join without it."))
            return redirect(url_for("landing.home"))
        live_codes.learn(current_app.extensions["redis"], visit.code, referrer.code)
        arrived = arrive()
    if arrived.arrival is Arrival.MEMBER:
        open_now()
        flash(_("You already have an account, so a friend's link changes nothing for you."))
        return redirect(url_for("dashboard.home"))
    if visit.invitation_id is not None and counted:
        invitation_progress.note_visited(visit.invitation_id, arrived.link.code, visit.visited_at)
    response = lead_to(destination.after(sessions, arrived, request.script_root, visit.visited_at))
    # Each time, so that it lasts as long as what it leads to.
    response.headers["Set-Cookie"] = sessions.cookie(arrived.sid, request.script_root)
    return response


def _carry(visit: FollowedLink) -> BaseResponse:
    """Put the visit into the address, as Redis cannot keep it."""
    referrer = attribution.find_by_code(visit.code)
    if referrer is None:
        _check_was_a_link(visit.code)
        return redirect(url_for("landing.home"))
    ours, secret_key = visit._replace(code=referrer.code), current_app.config["SECRET_KEY"]
    return lead_to(destination.address(request.script_root, ours, secret_key, in_force.brand(), without_session=True))


def _check_was_a_link(code: str) -> None:
    """Find nothing at a word that is nobody's code and never was: a page that there is not, or somebody who probes."""
    if not codes.may_be_drawn(code) and not own_codes.is_taken(code):
        abort(404)


def _preview(code: str, who: Caller) -> BaseResponse:
    """Show a page made for looking at: no session, no credit; crawlers are counted as such."""
    referrer = attribution.find_by_code(code)
    if referrer is None:
        title = translated(PAGES[404][0])
        return Response(render_template("errors/bare.html", status=404, title=title, advice=""), 404)
    if who is Caller.CRAWLER and request.method == "GET":
        channel = channel_of(request.args.get("via", ""))
        with suppress(RedisError):  # the preview is worth more than the count of who looked at it
            visits.count(current_app.extensions["redis"], referrer.code, channel, "bots", now())
    return Response(render_template("landing/preview.html", referrer=referrer, code=code, program=rules.current()))
