"""Signing in and out, and confirming an address."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required, login_user, logout_user
from werkzeug.wrappers import Response

from referralhub import htmx, languages, outcome
from referralhub.auth.forms import LoginForm
from referralhub.auth.limits import account, account_at_address, known_browser
from referralhub.browsers import browser_name, opens_a_page, request_origin
from referralhub.clock import now, use_zone
from referralhub.extensions import limiter, login_manager
from referralhub.forms import show_error, text_of
from referralhub.models import User
from referralhub.response_headers import forget_member
from referralhub.services.accounts import authentication, credentials, passwords, sign_ins
from referralhub.services.accounts.sign_ins import Proof
from referralhub.services.shared.errors import BadLink, DomainError, Taken
from referralhub.sessions import contents
from referralhub.sessions.interface import keep_now, renew
from referralhub.urls import here, local_path
from referralhub.words.errors import say

bp = Blueprint("auth", __name__)

FORM_LIMIT = "20 per minute; 200 per hour"  # for one client address; forms are what robots like


def load_user(sign_in_id: str) -> User | None:
    """Return the member whose sign-in a session names, unless that was ended, is over, or the account switched off."""
    found = sign_ins.member(int(sign_in_id))
    if found is None or (found[0].sign_in and sign_ins.is_over(found[0].sign_in, now())):
        forget_member()  # signed out from elsewhere, by a new password or with the account, or long ago
        return None
    member, zone = found
    languages.speak_to(member)
    use_zone(zone)
    return member


@login_manager.unauthorized_handler
def ask_to_sign_in() -> Response:
    """Send to the sign-in form, and from there back to where they wanted to go."""
    wanted = url_for("dashboard.home") if htmx.wants_fragment() or request.method == "POST" else here()
    return htmx.go_to(url_for("auth.login", next=wanted))


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
            return enter(user, wanted, remember=form.remember.data)
    return show_login(form, 422 if form.errors else 200)


def show_login(form: LoginForm, status: int) -> tuple[str, int]:
    """Show the form, and the way to the provider where there is one."""
    return render_template("auth/login.html", form=form, provider=current_app.config["SETTINGS"].oidc_domain), status


@bp.post("/logout")
def logout() -> Response:
    """End the sign-in in the database, and the session here and in Redis."""
    if current_user.is_authenticated:
        sign_ins.end_one(current_user.id, current_user.sign_in.id)
    outcome.note(_("You are signed out."))
    logout_user()
    renew()
    forget_member()
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
        problem = f"{say(error)} {_('Sign in and ask for a new one.')}"
        return render_template("auth/verify.html", token=None, problem=problem), 400
    except Taken as error:
        return render_template("auth/verify.html", token=None, problem=say(error)), 400
    flash(
        _("Your address is confirmed. Welcome aboard.")
        if first
        else _("Your address was confirmed before. All is well.")
    )
    return redirect(url_for("dashboard.home" if current_user.is_authenticated else "auth.login"), 303)


@bp.post("/verify/resend")
@login_required
@limiter.limit("5 per hour")
def resend() -> Response:
    """Send the verification mail again."""
    credentials.resend_verification(current_user.id, now())
    flash(_("We sent the mail again. It can take a minute to arrive."))
    return redirect(url_for("dashboard.home"), 303)


@bp.route("/sign-in/<token>", methods=["GET", "POST"])
@limiter.limit(FORM_LIMIT)
def enter_by_link(token: str) -> Response | tuple[str, int]:
    """Sign in by a link that a product asked for, once. Somebody else who is signed in is asked by a button first."""
    try:
        user = credentials.find_by_sign_in_token(token, now())
        somebody_else = current_user.is_authenticated and current_user.id != user.id
        if request.method == "GET" and (somebody_else or not opens_a_page()):
            return render_template("auth/link.html", member=user, token=token), 200
        sign_in(user, prove=lambda session: credentials.use_sign_in_token(session, token, now()))
    except BadLink as error:
        if not (current_user.is_authenticated and credentials.used_to_sign_in(token, now()) == current_user.id):
            return render_template("auth/link.html", problem=say(error)), 400
    return redirect(url_for("dashboard.home"), 303)


def enter(user: User, wanted: str, remember: bool = True) -> Response:
    """Let in somebody whose password was right: at once, or after the code that their account asks for."""
    if not user.has_two_factor:
        sign_in(user, remember)
        return redirect(wanted, 303)
    renew()
    half = contents.HalfSignedIn(user.id, remember, passwords.fingerprint(user.password_hash))
    contents.keep_half_signed_in(half, now())
    return redirect(url_for("auth.ask_for_code", next=wanted), 303)


def sign_in(user: User, remember: bool = True, *, prove: Proof = lambda _: None, by_provider: bool = False) -> None:
    """Make this browser the member's, under a new session id; `prove` is the code that they gave, if one is asked for.

    Raises RedisError where nothing came of it, and what `prove` raises.
    """

    def keep() -> None:
        renew(user.profile.id)
        contents.forget_half_signed_in()
        login_user(user)
        session.permanent = remember
        contents.remember_member(user.profile.id)
        keep_now()

    sign_ins.begin(
        user, browser_name(), request_origin(), now(), keep, prove=prove, by_provider=by_provider,
        language=languages.of_browser(),
    )  # fmt: skip
