"""In which language a member is spoken to."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import SelectField
from wtforms.validators import InputRequired

from referralhub import languages
from referralhub.account.views import bp
from referralhub.clock import now
from referralhub.services.accounts import profile

BROWSER = "browser"  # in place of a language


def _choices() -> list[tuple[str, str]]:
    return [(BROWSER, _("As my browser asks")), *((each, languages.in_own_words(each)) for each in languages.LANGUAGES)]


class LanguageForm(FlaskForm):
    """One of the languages there are, or what the browser asks for."""

    language = SelectField(_l("Language"), [InputRequired()], choices=_choices)


@bp.route("/account/language", methods=["GET", "POST"])
@login_required
def choose_language() -> Response | tuple[str, int]:
    """Choose the language of pages and mail."""
    form = LanguageForm(language=current_user.language or BROWSER)
    if form.validate_on_submit():
        chosen = None if form.language.data == BROWSER else form.language.data
        profile.set_language(current_user.id, chosen, now())
        with languages.speaking(chosen or languages.of_browser()):
            flash(_("Saved."))
        return redirect(url_for("account.choose_language"), 303)
    return render_template("account/language.html", form=form), 422 if form.errors else 200
