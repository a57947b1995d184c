"""Referrals that a member misses: claiming one, and the friend's answer to it."""

from contextlib import suppress

from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import Field, SelectField

from referralhub import htmx
from referralhub.browsers import request_origin
from referralhub.clock import local_now, now
from referralhub.dashboard.views import bp, part_after
from referralhub.extensions import limiter
from referralhub.forms import day_field, day_in, email_field, own_words_field, show_error, text_of
from referralhub.models import Channel
from referralhub.services.recourse import answers, missing
from referralhub.services.recourse.missing import LONGEST_WORDS, MOST_OPEN
from referralhub.services.shared.errors import AlreadyDone, BadLink, DomainError
from referralhub.sessions import contents
from referralhub.words.errors import say
from referralhub.words.names import called
from referralhub.words.text import sentence_case

FORM_LIMIT = "10 per minute; 60 per hour"


def channel_choices() -> list[tuple[str, str]]:
    """Return the ways to invite somebody, each with its words."""
    return [(channel.value, sentence_case(called(channel))) for channel in Channel]


class ClaimForm(FlaskForm):
    """Whom a member misses among those whom they brought."""

    email = email_field(_l("Your friend's e-mail"))
    joined_on = day_field(_l("When did they join?"))
    channel = SelectField(_l("How did you invite them?"), choices=channel_choices)
    words = own_words_field(_l("What else should we know?"), LONGEST_WORDS)

    def validate_joined_on(self, field: Field) -> None:
        """Refuse what is no day."""
        day_in(field.data)


@bp.route("/dashboard/claims", methods=["GET", "POST"])
@login_required
@limiter.limit(FORM_LIMIT, methods=["POST"])
def claims() -> Response:
    """Show what the member claimed and how it ended, and take one more; whether there is such a friend is not said."""
    form = ClaimForm()
    if form.validate_on_submit():
        day, channel = day_in(text_of(form.joined_on)), Channel(form.channel.data)
        try:
            with suppress(AlreadyDone):
                missing.claim(current_user, text_of(form.email), day, channel, text_of(form.words), local_now())
        except DomainError as error:
            show_error(error, form)
        else:
            flash(_("Noted. If your friend is a member, we ask them by mail. You see here how it ends."))
            return redirect(url_for("dashboard.claims"), 303)
    found = missing.claims_of(current_user.profile.id, part_after())
    days = missing.ANSWER_WITHIN.days
    page = htmx.page_or_fragment(
        "dashboard/claims.html", "dashboard/_claims.html", form=form, found=found, days=days, most=MOST_OPEN
    )
    page.status_code = 422 if form.errors else 200
    return page


@bp.get("/claims/<token>")
def claim_question(token: str) -> str | tuple[str, int]:
    """Ask the friend, or say what they answered: what scans mails follows links, and must not change anything by it."""
    try:
        found = answers.question(*_read(token), now())
    except BadLink as error:
        return render_template("dashboard/claim_question.html", problem=say(error)), 400
    return render_template("dashboard/claim_question.html", token=token, found=found)


@bp.post("/claims/<token>")
@limiter.limit(FORM_LIMIT)
def answer_claim(token: str) -> Response | tuple[str, int]:
    """Take the friend's yes or no; a second one changes nothing."""
    agrees = request.form.get("answer")
    try:
        claim_id, friend_id = _read(token)
        if agrees in ("yes", "no"):
            origin, members = request_origin(), contents.members()
            answers.answer(claim_id, friend_id, agrees == "yes", origin, now(), members=members)
    except BadLink as error:
        return render_template("dashboard/claim_question.html", problem=say(error)), 400
    except AlreadyDone as error:
        flash(say(error))
    return redirect(url_for("dashboard.claim_question", token=token), 303)


def _read(token: str) -> tuple[int, int]:
    return answers.read_token(token, current_app.config["SECRET_KEY"])
