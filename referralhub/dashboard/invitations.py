"""Inviting by mail: write, look at it, send it, and see what became of it."""

from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from werkzeug.wrappers import Response
from wtforms import TextAreaField
from wtforms.validators import Length

from referralhub import htmx
from referralhub.branding.shown import brand
from referralhub.clock import now
from referralhub.dashboard.address_lists import candidates, decoded
from referralhub.dashboard.views import bp, part_after
from referralhub.extensions import limiter
from referralhub.forms import has_control_characters, normal_address, one_sign_a_line, strip, text_of
from referralhub.models import MessageKind
from referralhub.services.brand import texts
from referralhub.services.program import rules
from referralhub.services.referrals import invitations
from referralhub.services.referrals.invitations import LONGEST_WORDS
from referralhub.services.shared.errors import CannotInvite
from referralhub.urls import public_url
from referralhub.words import letters, offers
from referralhub.words.errors import say
from referralhub.words.language import spoken

MOST = 200  # addresses in one form; more than a day's worth, so that a whole address book gets a clear answer


class InvitationForm(FlaskForm):
    """Whom to invite, and what to say."""

    addresses = TextAreaField(_l("E-mail addresses"))
    file = FileField(_l("Or a CSV file with addresses"))
    words = TextAreaField(
        _l("Your own words"),
        [Length(max=LONGEST_WORDS, message=_l("Use at most %(most)s characters.", most=LONGEST_WORDS))],
        [strip, one_sign_a_line],
    )


@dataclass(frozen=True)
class Typed:
    """What was read out of a form: addresses in their normal form, and what is none."""

    addresses: list[str]
    unreadable: list[str]


@bp.route("/dashboard/invite", methods=["GET", "POST"])
@login_required
@limiter.limit("30 per hour", methods=["POST"])
def invite() -> Response | str:
    """Take addresses and words, show what would be sent, and send it once that was seen."""
    form = InvitationForm()
    if request.method == "GET":
        return _show(form)
    typed = _read(form)
    if not form.validate_on_submit() or not _complete(form, typed):
        return _show(form, 422)
    user, words = current_user, text_of(form.words)
    try:
        if "send" not in request.form:
            plan = invitations.plan(user, typed.addresses, now())
            return render_template(
                "dashboard/invite_preview.html", plan=plan, typed=typed, words=words, letter=_letter(words)
            )
        sent = invitations.invite(user, typed.addresses, words, now())
    except CannotInvite as error:
        form.form_errors.append(say(error))
        return _show(form, 403)
    flash(_summary(len(sent.invited), len(sent.refused)))
    return redirect(url_for("dashboard.invite"), 303)


@bp.post("/dashboard/invitations/<row:invitation_id>/remind")
@login_required
@limiter.limit("60 per hour")
def remind(invitation_id: int) -> Response:
    """Send the one reminder."""
    invitations.remind(current_user, invitation_id, now())
    flash(_("The reminder is on its way. There is one for each invitation, and no more."))
    return redirect(url_for("dashboard.invite"), 303)


def _show(form: InvitationForm, status: int = 200) -> Response:
    found = invitations.page_of(current_user.profile.id, part_after(), now())
    closed = None
    try:
        invitations.check_allowed(current_user)
    except CannotInvite as error:
        closed = say(error)
    response = htmx.page_or_fragment(
        "dashboard/invite.html", "dashboard/_invitations.html", form=form, found=found, closed=closed
    )
    response.status_code = status
    return response


def _letter(words: str) -> str:
    """Return the mail as it would be."""
    values = {
        "inviter": current_user.display_name or current_user.username,
        "brand": brand.name,
        "reward": offers.in_letter(rules.current().terms),
        "words": words,
        "url": public_url("landing.follow", code=current_user.profile.shown_code),
    }
    name = letters.letter_for(MessageKind.INVITATION, {}, values["reward"])
    subject, paragraphs = letters.said(name, values, texts.own(name, spoken()))
    return "\n\n".join([subject, *(each.plain() for each in paragraphs)])


def _read(form: InvitationForm) -> Typed:
    text = text_of(form.addresses)
    if form.file.data:
        text += "\n" + decoded(form.file.data.read())
    typed = Typed([], [])
    for word in candidates(text):
        try:
            typed.addresses.append(normal_address(word))
        except ValueError:
            typed.unreadable.append(word[:80])
    del typed.unreadable[20:]  # enough to see what is wrong
    return Typed(list({address.lower(): address for address in typed.addresses}.values()), typed.unreadable)


def _complete(form: InvitationForm, typed: Typed) -> bool:
    if typed.unreadable and not typed.addresses:
        form.addresses.errors = [
            _("%(word)s doesn't look like an e-mail address, such as bo@example.com.", word=typed.unreadable[0])
        ]
    elif not typed.addresses:
        form.addresses.errors = [_("Enter one or more addresses, or choose a file with some.")]
    elif len(typed.addresses) > MOST:
        form.addresses.errors = [_("Enter at most %(most)s addresses at once.", most=MOST)]
    if has_control_characters(text_of(form.words), allowed="\r\n\t"):
        form.words.errors = [_("This contains an invisible control character. Please type it instead of pasting.")]
    return not form.errors


def _summary(invited: int, refused: int) -> str:
    text = ngettext("%(num)d invitation on the way.", "%(num)d invitations on the way.", invited)
    return f"{text} {ngettext('%(num)d left out.', '%(num)d left out.', refused)}" if refused else text
