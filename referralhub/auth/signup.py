"""Signing up: the friend whose link led here is shown, and remembered with the new account.

There are two pages with the one form: /signup, and /join in the referrer's name, where the program says so.
"""

from flask import current_app, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response

from referralhub import languages, outcome
from referralhub.auth.forms import SignupForm
from referralhub.auth.views import FORM_LIMIT, bp, enter
from referralhub.browsers import request_origin
from referralhub.clock import now
from referralhub.extensions import csrf, limiter
from referralhub.forms import show_error, text_of
from referralhub.models import Channel, User
from referralhub.security import keeps_cookies, named_page, sent_from_elsewhere
from referralhub.services.accounts.signup import sign_up, signed_up_just_now
from referralhub.services.fraud.signals import FormTiming
from referralhub.services.program import rules
from referralhub.services.referrals import attribution
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import codes
from referralhub.services.shared.errors import DomainError, Taken
from referralhub.sessions import contents, visit_tokens
from referralhub.urls import here
from referralhub.words.error_pages import LOST_FORM, NO_COOKIE
from referralhub.words.language import translated

SIGNUP, JOIN = "auth.signup", "auth.join"
WITHOUT_SESSION = "without_session"  # in the address and the form of who came while Redis was away


@bp.route("/signup", methods=["GET", "POST"])
@bp.route("/join", methods=["GET", "POST"], endpoint="join")
@csrf.exempt  # asked for inside, so that what was typed is not lost with the session
@limiter.shared_limit(FORM_LIMIT, scope="signup", methods=["POST"])  # by both addresses
@limiter.shared_limit(
    lambda: current_app.config["SETTINGS"].signup_limit,
    scope="accounts",
    methods=["POST"],
    deduct_when=lambda _: "new_account" in g,
)
def signup() -> Response | tuple[str, int]:
    """Make an account; the friend whose link led here is shown, and remembered with it."""
    if current_user.is_authenticated:
        return redirect(url_for("dashboard.home"))
    form = SignupForm(visit=request.args.get("visit", ""), meta={"csrf": False})
    lost = request.method == "POST" and _has_lost_session(form)
    if form.validate_on_submit():
        try:
            user = _account(form, lost)
        except DomainError as error:
            show_error(error, form)
        else:
            if user:
                outcome.note(_("Your account is made. Sign in with the password that you chose."))
                contents.forget_links()
                return enter(user, url_for("dashboard.home"))
    if lost:
        form.form_errors.append(translated(LOST_FORM if keeps_cookies() else NO_COOKIE))
    return _show(form, 400 if lost else 422 if form.errors else 200)


def _show(form: SignupForm, status: int) -> Response | tuple[str, int]:
    visit, referrer = attribution.choose(_visits(form), now())
    program = rules.current()
    asked, right = request.endpoint == JOIN, referrer is not None and program.personal_landing
    if program.destination:  # where friends join is a product's page then; who comes here has another reason
        right = False
    if request.method != "POST" and asked != right:
        return redirect(here(JOIN if right else SIGNUP))
    contents.note_signup_opened(now())
    if carried := _carried(form):
        contents.remember_link(carried)
    if visit:  # so that the form knows of it when the session has gone
        form.visit.data = visit_tokens.seal(visit, current_app.config["SECRET_KEY"])
    page = render_template(
        "auth/join.html" if asked and right else "auth/signup.html",
        form=form,
        action=url_for(request.endpoint or SIGNUP),
        referrer=referrer,
        program=program,
        without_session=WITHOUT_SESSION in request.values,
    )
    return page, status


def _account(form: SignupForm, lost: bool) -> User | None:
    """Return the new account, or the one that the first of two clicks has just made; none for a lost session."""
    username, email, password = text_of(form.username), text_of(form.email), text_of(form.password)
    if lost:  # another site could send a form without cookie and page, to sign its visitor in as somebody else
        ours = keeps_cookies() or named_page()
        return signed_up_just_now(username, email, password, now()) if ours else None
    try:
        user = sign_up(
            username,
            email,
            password,
            _followed_link(form),
            now(),
            form_timing=_form_timing(form),
            verification_required=current_app.config["SETTINGS"].require_email_verification,
            language=languages.of_browser(),
        )
    except Taken:
        first = signed_up_just_now(username, email, password, now())
        if first is None:
            raise
        return first
    g.new_account = True
    return user


def _has_lost_session(form: SignupForm) -> bool:
    """Whether nothing tells the form from one that another site sends. Raises CSRFError for one that it sent."""
    try:
        csrf.protect()
    except CSRFError:
        if sent_from_elsewhere():
            raise
        return not _came_without_session(form)
    return False


def _came_without_session(form: SignupForm) -> bool:
    """Whether the form was shown while Redis was away, so that its session was not kept.

    The token of the visit stands in for the session's, and where a browser names the page of the form, that page.
    """
    if WITHOUT_SESSION not in request.values or not _carried(form):
        return False
    return bool(named_page()) or ("Origin" not in request.headers and not contents.has_csrf_token())


def _form_timing(form: SignupForm) -> FormTiming:
    seconds = contents.seconds_since_signup_opened(now())
    return FormTiming(request_origin(), seconds, bool(form.topic.data), contents.members())


def _followed_link(form: SignupForm) -> FollowedLink | None:
    if form.referral_code.data:
        return FollowedLink(codes.normal(form.referral_code.data), Channel.CODE, now())
    return attribution.choose(_visits(form), now())[0]


def _visits(form: SignupForm) -> list[FollowedLink]:
    """Return the links that led here: those in the session, and the one in the address."""
    carried = _carried(form)
    return sorted([*contents.followed_links(), *([carried] if carried else [])], key=lambda visit: visit.visited_at)


def _carried(form: SignupForm) -> FollowedLink | None:
    return visit_tokens.unseal(text_of(form.visit), current_app.config["SECRET_KEY"], now())
