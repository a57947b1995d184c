"""The second step of signing in: the code that an account asks for after its password."""

from flask import current_app, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from referralhub import outcome
from referralhub.auth.forms import CodeForm
from referralhub.auth.views import FORM_LIMIT, bp, sign_in
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.forms import show_error, text_of
from referralhub.security import client_address
from referralhub.services.accounts import authentication, two_factor
from referralhub.services.shared.errors import WrongCode
from referralhub.sessions import contents
from referralhub.urls import local_path


def account_at_second_step() -> str:
    """Name the account whose code is tried, from wherever: who tries has its password."""
    half = contents.half_signed_in(now())
    return str(half.user_id) if half else client_address()


@bp.route("/login/code", methods=["GET", "POST"])
@limiter.limit(FORM_LIMIT, methods=["POST"])
@limiter.limit(
    "5 per minute; 20 per hour",
    key_func=account_at_second_step,
    methods=["POST"],
    deduct_when=lambda response: response.status_code == 422,  # 20 of a million codes, three of which are right
)
def ask_for_code() -> Response | tuple[str, int]:
    """Take the code; until it is right nobody is signed in."""
    wanted = local_path(request.args.get("next", ""))
    if current_user.is_authenticated:
        return redirect(wanted)
    half = contents.half_signed_in(now())
    user = half and authentication.of_half_signed_in(half.user_id, half.password)
    if not half or not user:
        return redirect(url_for("auth.login", next=wanted), 303 if request.method == "POST" else 302)
    form = CodeForm()
    if form.validate_on_submit():
        proof = two_factor.proof(user, text_of(form.code), current_app.config["SECRET_KEY"], now())
        try:
            sign_in(user, half.remember, prove=proof)
        except WrongCode as error:
            show_error(error, form)
        else:
            outcome.note(_("You are signed in."))
            return redirect(wanted, 303)
    return render_template("auth/code.html", form=form), 422 if form.errors else 200
