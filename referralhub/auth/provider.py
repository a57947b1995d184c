"""Signing in with the organization's provider (OpenID Connect), for admins. `referralhub/openid.py` asks it."""

import logging
from datetime import datetime

from flask import abort, current_app, flash, make_response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from referralhub import openid
from referralhub.auth.forms import LoginForm
from referralhub.auth.views import bp, show_login, sign_in
from referralhub.clock import now
from referralhub.config import Settings
from referralhub.extensions import limiter
from referralhub.models import User
from referralhub.openid import NotVouched, ProviderAway
from referralhub.services.accounts import identities, sign_ins
from referralhub.services.shared.errors import NoAdmin
from referralhub.sessions import contents
from referralhub.urls import local_path, public_url
from referralhub.words.errors import say
from referralhub.words.language import translated
from referralhub.words.sign_in import BEGUN_ELSEWHERE, NOT_AFRESH, NOT_BELIEVED, PROVIDER_AWAY, SOMEBODY_ELSE

log = logging.getLogger(__name__)


class Refused(Exception):
    """Nobody is signed in: words for the person, and a word for the log."""

    def __init__(self, words: str, why: str, status: int = 403) -> None:
        super().__init__(words)
        self.words, self.why, self.status = translated(words), why, status


@bp.get("/login/provider")
@limiter.limit("20 per minute; 100 per hour")
def ask_provider() -> Response:
    """Send to the provider; somebody who is signed in proves there anew who they are."""
    settings, wanted = _settings(), local_path(request.args.get("next", ""))
    try:
        question = openid.ask(settings, public_url("auth.hear_provider"), afresh=current_user.is_authenticated)
    except (ProviderAway, NotVouched) as error:
        return _refuse(Refused(PROVIDER_AWAY, f"away: {error}", 503), wanted)
    contents.keep_question(contents.ProviderQuestion(question.state, question.nonce, question.verifier, wanted, now()))
    return redirect(question.url)


@bp.get("/login/provider/return")
@limiter.limit("20 per minute; 100 per hour")
def hear_provider() -> Response:
    """Take the provider's answer: sign in the admin whom it vouches for, or let the panel go on."""
    settings = _settings()
    question = contents.take_question(request.args.get("state", ""), now())
    if question is None:
        return _refuse(Refused(BEGUN_ELSEWHERE, "unknown_state", 400), url_for("dashboard.home"))
    try:
        user, proved_at = _vouched_for(question, settings)
        if current_user.is_authenticated:
            _confirm(user, proved_at, question.asked_at)
        else:
            sign_in(user, remember=False, by_provider=True)
    except Refused as refused:
        return _refuse(refused, question.wanted)
    return redirect(question.wanted, 303)


def _vouched_for(question: contents.ProviderQuestion, settings: Settings) -> tuple[User, datetime | None]:
    code = request.args.get("code", "")
    if not code or "error" in request.args:
        raise Refused(NOT_BELIEVED, "no_code")
    try:
        vouched, proved_at = openid.answer(
            settings, public_url("auth.hear_provider"), code, question.nonce, question.verifier, now()
        )
        return identities.admin_of(vouched, settings.oidc_domain, now()), proved_at
    except NotVouched as error:
        raise Refused(NOT_BELIEVED, f"not_believed: {error}") from None
    except ProviderAway as error:
        raise Refused(PROVIDER_AWAY, f"away: {error}", 503) from None
    except NoAdmin as error:
        raise Refused(say(error), error.why) from None


def _confirm(user: User, proved_at: datetime | None, asked_at: datetime) -> None:
    """Take the provider's word in place of the password that is asked for again, if it asked for one just now."""
    if user.id != current_user.id:
        raise Refused(SOMEBODY_ELSE, "another_account")
    if proved_at is None or proved_at < asked_at - openid.CLOCKS_DIFFER:
        raise Refused(NOT_AFRESH, "not_afresh")
    sign_ins.confirm(current_user.sign_in.id, now())


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    if not settings.oidc_discovery_url:
        abort(404)
    return settings


def _refuse(refused: Refused, wanted: str) -> Response:
    log.warning("A sign-in with the provider was refused: %s", refused.why)
    if current_user.is_authenticated:
        flash(refused.words)
        return redirect(url_for("account.confirm_password", next=wanted), 303)
    form = LoginForm()
    form.form_errors.append(refused.words)
    response = make_response(show_login(form, refused.status))
    if refused.status == 503:
        response.headers["Retry-After"] = str(openid.RETRY_AFTER)
    return response
