"""Signing up, in and out, and confirming an address."""

from urllib.parse import urlsplit

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_required, login_user, logout_user
from werkzeug.wrappers import Response

from referralhub import attribution, htmx, sessions
from referralhub.auth.forms import LoginForm, SignupForm
from referralhub.clock import now
from referralhub.config import Settings
from referralhub.extensions import db, limiter, login_manager
from referralhub.models import Channel, User
from referralhub.services import accounts, programs, referrals
from referralhub.services.errors import BadLink, DomainError
from referralhub.services.referrals import Attribution

bp = Blueprint("auth", __name__)

FORM_LIMIT = "20 per minute; 200 per hour"  # for one client address; forms are what robots like


def load_user(user_id: str) -> User | None:
    """Give the member that a session names, unless the account was switched off."""
    user = db.session.get(User, int(user_id))
    return user if user and user.is_active else None


@login_manager.unauthorized_handler
def ask_to_sign_in() -> Response:
    """Send to the sign-in form, and from there back to where they wanted to go."""
    wanted = url_for("dashboard.home") if htmx.wants_fragment() or request.method == "POST" else request.full_path
    return htmx.go_to(url_for("auth.login", next=wanted.rstrip("?")))


@bp.route("/signup", methods=["GET", "POST"])
@limiter.limit(FORM_LIMIT, methods=["POST"])
def signup() -> Response | str | tuple[str, int]:
    """Make an account; the friend whose link led here is shown, and remembered with it."""
    if current_user.is_authenticated:
        return redirect(url_for("dashboard.home"))
    form = SignupForm()
    if form.validate_on_submit():
        try:
            user = accounts.sign_up(
                form.username.data,
                form.email.data,
                form.password.data,
                _attribution(form.referral_code.data),
                now(),
                verification_required=_settings().require_email_verification,
            )
        except DomainError as error:
            _show(error, form)
        else:
            attribution.forget()
            _sign_in(user)
            return redirect(url_for("dashboard.home"), 303)
    link = attribution.recall()
    return render_template(
        "auth/signup.html",
        form=form,
        referrer=referrals.find_by_code(link.code) if link else None,
        program=programs.current(),
    ), 422 if form.errors else 200


@bp.route("/login", methods=["GET", "POST"])
@limiter.limit(FORM_LIMIT, methods=["POST"])
def login() -> Response | tuple[str, int]:
    """Sign in with user name or address."""
    wanted = _local_path(request.args.get("next", ""))
    if current_user.is_authenticated:
        return redirect(wanted)
    form = LoginForm()
    if form.validate_on_submit():
        try:
            user = accounts.authenticate(form.username.data, form.password.data)
        except DomainError as error:
            _show(error, form)
        else:
            _sign_in(user, remember=form.remember.data)
            return redirect(wanted, 303)
    return render_template("auth/login.html", form=form), 422 if form.errors else 200


@bp.post("/logout")
def logout() -> Response:
    """End the session, here and in Redis."""
    logout_user()
    session.clear()
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
        first = accounts.verify_address(token, _settings().secret_key, now())
    except BadLink as error:
        return render_template("auth/verify.html", token=None, problem=str(error)), 400
    flash("Your address is confirmed. Welcome aboard." if first else "Your address was confirmed before. All is well.")
    return redirect(url_for("dashboard.home" if current_user.is_authenticated else "auth.login"), 303)


@bp.post("/verify/resend")
@login_required
@limiter.limit("5 per hour")
def resend() -> Response:
    """Send the verification mail again."""
    accounts.resend_verification(current_user.id, now())
    flash(f"We sent the mail to {current_user.email} again.")
    return redirect(url_for("dashboard.home"), 303)


def _sign_in(user: User, remember: bool = True) -> None:
    sessions.renew()
    login_user(user)
    session.permanent = remember


def _attribution(typed_code: str | None) -> Attribution | None:
    if typed_code:
        return Attribution(typed_code.lower(), Channel.CODE, now())
    return attribution.recall()


def _show(error: DomainError, form: SignupForm | LoginForm) -> None:
    for name, message in error.fields.items():
        if name:
            form[name].errors = [*form[name].errors, message]
        else:
            form.form_errors.append(message)


def _local_path(wanted: str) -> str:
    parts = urlsplit(wanted)
    local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc
    return wanted if local and wanted.isprintable() else url_for("dashboard.home")


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
