"""Signing up, in and out, and confirming an address."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_required, login_user, logout_user
from werkzeug.wrappers import Response

from referralhub import htmx
from referralhub.auth.forms import LoginForm, SignupForm
from referralhub.auth.limits import account, account_at_address, known_browser
from referralhub.browsers import browser_name, request_origin
from referralhub.clock import now
from referralhub.extensions import csrf, limiter, login_manager
from referralhub.forms import show_error, text_of
from referralhub.models import Channel, User
from referralhub.security import sent_from_elsewhere
from referralhub.services.accounts import authentication, credentials, sign_ins
from referralhub.services.accounts.signup import sign_up
from referralhub.services.fraud.signals import FormTiming
from referralhub.services.program import rules
from referralhub.services.referrals import attribution, visit_tokens
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import codes
from referralhub.services.shared.errors import BadLink, DomainError
from referralhub.sessions import contents
from referralhub.sessions.interface import renew
from referralhub.urls import here, local_path
from referralhub.words.errors import say

bp = Blueprint("auth", __name__)

FORM_LIMIT = "20 per minute; 200 per hour"  # for one client address; forms are what robots like


def load_user(sign_in_id: str) -> User | None:
    """Return the member whose sign-in a session names, unless that was ended or the account switched off."""
    return sign_ins.member(int(sign_in_id))


@login_manager.unauthorized_handler
def ask_to_sign_in() -> Response:
    """Send to the sign-in form, and from there back to where they wanted to go."""
    wanted = url_for("dashboard.home") if htmx.wants_fragment() or request.method == "POST" else here()
    return htmx.go_to(url_for("auth.login", next=wanted))


@bp.route("/signup", methods=["GET", "POST"])
@csrf.exempt  # asked for inside: a friend who came while there was no session has no token of one
@limiter.limit(lambda: current_app.config["SETTINGS"].signup_limit, methods=["POST"])
def signup() -> Response | str | tuple[str, int]:
    """Make an account; the friend whose link led here is shown, and remembered with it."""
    if current_user.is_authenticated:
        return redirect(url_for("dashboard.home"))
    form = SignupForm(visit=request.args.get("visit", ""), meta={"csrf": not _came_without_session()})
    if request.method == "POST" and form.meta.csrf:
        csrf.protect()
    if form.validate_on_submit():
        try:
            user = sign_up(
                text_of(form.username),
                text_of(form.email),
                text_of(form.password),
                _followed_link(form),
                now(),
                form_timing=_form_timing(form),
                verification_required=current_app.config["SETTINGS"].require_email_verification,
            )
        except DomainError as error:
            show_error(error, form)
        else:
            contents.forget_links()
            sign_in(user)
            return redirect(url_for("dashboard.home"), 303)
    contents.note_signup_opened(now())
    return render_template(
        "auth/signup.html",
        form=form,
        referrer=attribution.choose(_visits(form), now())[1],
        program=rules.current(),
    ), 422 if form.errors else 200


@bp.route("/login", methods=["GET", "POST"])
@limiter.limit("60 per minute; 600 per hour", methods=["POST"])
@limiter.limit("10 per 5 minutes; 40 per hour", key_func=account_at_address, methods=["POST"])
@limiter.limit("100 per hour", key_func=account, exempt_when=known_browser, methods=["POST"])
def login() -> Response | tuple[str, int]:
    """Sign in with user name or address."""
    wanted = local_path(request.args.get("next", ""))
    if current_user.is_authenticated:
        return redirect(wanted)
    form = LoginForm()
    if form.validate_on_submit():
        try:
            user = authentication.authenticate(text_of(form.username), text_of(form.password))
        except DomainError as error:
            show_error(error, form)
        else:
            sign_in(user, remember=form.remember.data)
            return redirect(wanted, 303)
    return render_template("auth/login.html", form=form), 422 if form.errors else 200


@bp.post("/logout")
def logout() -> Response:
    """End the sign-in in the database, and the session here and in Redis."""
    if current_user.is_authenticated:
        sign_ins.end_one(current_user.id, current_user.sign_in.id)
    logout_user()
    renew()
    contents.clear_but_members()
    return redirect(url_for("landing.home"), 303)


@bp.get("/verify/<token>")
def verify(token: str) -> str:
    """Show one button: mail scanners follow links, and must not confirm anything by it."""
    return render_template("auth/verify.html", token=token)


@bp.post("/verify/<token>")
@limiter.limit(FORM_LIMIT)
def confirm_address(token: str) -> Response | tuple[str, int]:
    """Confirm the address that the token was sent to."""
    try:
        first = credentials.verify_address(token, now())
    except BadLink as error:
        return render_template(
            "auth/verify.html", token=None, problem=f"{say(error)} Sign in and ask for a new one."
        ), 400
    flash("Your address is confirmed. Welcome aboard." if first else "Your address was confirmed before. All is well.")
    return redirect(url_for("dashboard.home" if current_user.is_authenticated else "auth.login"), 303)


@bp.post("/verify/resend")
@login_required
@limiter.limit("5 per hour")
def resend() -> Response:
    """Send the verification mail again."""
    credentials.resend_verification(current_user.id, now())
    flash("We sent the mail again. It can take a minute to arrive.")
    return redirect(url_for("dashboard.home"), 303)


def sign_in(user: User, remember: bool = True) -> None:
    """Make this browser the member's, under a new session id."""
    renew()
    sign_ins.begin(user, browser_name(), request_origin(), now())
    login_user(user)
    session.permanent = remember
    contents.remember_member(user.profile.id)


def _form_timing(form: SignupForm) -> FormTiming:
    seconds = contents.seconds_since_signup_opened(now())
    return FormTiming(request_origin(), seconds, bool(form.topic.data), contents.members())


def _followed_link(form: SignupForm) -> FollowedLink | None:
    if form.referral_code.data:
        return FollowedLink(codes.normal(form.referral_code.data), Channel.CODE, now())
    return attribution.choose(_visits(form), now())[0]


def _visits(form: SignupForm) -> list[FollowedLink]:
    """Return the links that led here: those in the session, and the one that came while there was no session."""
    carried = _carried(text_of(form.visit))
    return sorted([*contents.followed_links(), *([carried] if carried else [])], key=lambda visit: visit.visited_at)


def _carried(token: str) -> FollowedLink | None:
    return visit_tokens.unseal(token, current_app.config["SECRET_KEY"], now())


def _came_without_session() -> bool:
    """Whether the form was shown while Redis was away, and is sent from our own page now that it is back.

    The token of the visit stands in for the session's, and the browser says where the form was (its `Origin`).
    """
    if "Origin" not in request.headers:  # an old browser: one with a session has its token
        ours = not contents.has_csrf_token()
    else:
        ours = request.headers["Origin"] != "null" and not sent_from_elsewhere()
    return ours and _carried(request.form.get("visit", "")) is not None
