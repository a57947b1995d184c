"""Which mail a member gets, and the one click that ends a kind of it."""

from flask import Response as FlaskResponse
from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from referralhub.account.views import bp
from referralhub.clock import now
from referralhub.extensions import csrf
from referralhub.services.mailing import subscriptions
from referralhub.services.mailing.kinds import news
from referralhub.services.shared.errors import BadLink
from referralhub.words.errors import say
from referralhub.words.language import translated
from referralhub.words.mail import NAMES


@bp.route("/account/notifications", methods=["GET", "POST"])
@login_required
def notifications() -> Response | str:
    """Switch each kind of news on or off."""
    if request.method == "POST":
        subscriptions.set_choices(current_user.id, [kind for kind in news() if kind.value in request.form])
        flash(_("Saved."))
        return redirect(url_for("account.notifications"), 303)
    choices = [(kind, translated(NAMES[kind]), kind not in current_user.muted) for kind in news()]
    return render_template("account/notifications.html", choices=choices)


@bp.get("/account/unsubscribe/<token>")
def unsubscribe(token: str) -> str | tuple[str, int]:
    """Show one button; what scans mails follows links."""
    try:
        kind = subscriptions.kind_in(token, current_app.config["SECRET_KEY"])
    except BadLink as error:
        return render_template("account/unsubscribe.html", problem=say(error)), 400
    return render_template("account/unsubscribe.html", token=token, words=translated(NAMES[kind]))


@bp.post("/account/unsubscribe/<token>")
@csrf.exempt  # RFC 8058: the mail program sends this by itself; the signed token is what counts
def unsubscribe_now(token: str) -> FlaskResponse | str | tuple[str, int]:
    """End this kind of mail, for a person and for a mail program alike."""
    try:
        kind = subscriptions.kind_in(token, current_app.config["SECRET_KEY"])
        subscriptions.unsubscribe(token, current_app.config["SECRET_KEY"], now())
    except BadLink as error:
        return render_template("account/unsubscribe.html", problem=say(error)), 400
    return render_template("account/unsubscribe.html", done=True, words=translated(NAMES[kind]))
