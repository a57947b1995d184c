"""What mails and shared messages say: looked at, and changed, in each language."""

import logging
from typing import NamedTuple

from flask import abort, current_app, flash, redirect, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField

from referralhub import languages, mail_content
from referralhub.admin.access import AdminPage, Answer, actor
from referralhub.clock import now
from referralhub.forms import show_error, text_of
from referralhub.mail_transport import post_at_once
from referralhub.models import ledger_unit
from referralhub.services.brand import in_force, texts
from referralhub.services.mailing.delivery import Refused
from referralhub.services.mailing.letters import LONGEST_SUBJECT, SHARED, Letter, check, known_to, longest_body
from referralhub.services.program import rules
from referralhub.services.shared.errors import BadSetting
from referralhub.urls import public_url
from referralhub.words import letters
from referralhub.words.language import N_, translated
from referralhub.words.letter_texts import LETTERS
from referralhub.words.letters import Paragraph
from referralhub.words.texts import GROUPS, TITLES, sample_values

log = logging.getLogger(__name__)


class TextForm(FlaskForm):
    """A letter to be said in place of ours."""

    subject = StringField(_l("Subject"))
    body = TextAreaField(_l("Text"))

    @property
    def letter(self) -> Letter:
        """What was typed."""
        return Letter(text_of(self.subject), text_of(self.body))


class Said(NamedTuple):
    """How a letter reads when something is filled in."""

    subject: str
    paragraphs: list[Paragraph]


class Texts(AdminPage):
    """The operator's own words."""

    about = N_("What mails and shared messages say, in each language. What you leave alone is said in our words.")

    @expose("/")
    def index(self) -> str:
        """List all texts, and which are the operator's own."""
        page: str = self.render(
            "admin/texts.html",
            groups=GROUPS,
            own=texts.all_own(),
            languages=[(each, languages.in_own_words(each)) for each in languages.LANGUAGES],
        )
        return page

    @expose("/<text>/<language>/")
    def edit(self, text: str, language: str) -> Answer:
        """Show what one text says, in a form."""
        original, own = _original(text, language), texts.own(text, language)
        form = TextForm(formdata=None, **(own or original)._asdict())
        return self._page(text, language, form, own is not None)

    @expose("/<text>/<language>/", methods=["POST"])
    def put_in_force(self, text: str, language: str) -> Answer:
        """Say what was typed from now on."""
        form, original = TextForm(), _original(text, language)
        if form.validate_on_submit():
            try:
                new = texts.put_in_force(text, language, form.letter, original, now(), actor())
            except BadSetting as error:
                show_error(error, form)
            else:
                told = _("This is said from now on.") if new else _("This was said before. Nothing was changed.")
                return self._back(told, text, language)
        return self._typed(text, language, form)

    @expose("/<text>/<language>/preview", methods=["POST"])
    def preview(self, text: str, language: str) -> Answer:
        """Show how what was typed reads. Nothing is written."""
        form = TextForm()
        return self._typed(text, language, form, _said(form, text, language))

    @expose("/<text>/<language>/mail", methods=["POST"])
    def send(self, text: str, language: str) -> Answer:
        """Mail what was typed to the admin who typed it. Nothing is written."""
        form = TextForm()
        said = _said(form, text, language)
        if said:
            with languages.speaking(language):
                mail = mail_content.sample(*said, current_user.email, now())
            try:
                post_at_once(current_app.config["SETTINGS"], mail)
            except (OSError, Refused) as error:
                log.warning("A mail to look at was not sent: %s", type(error).__name__)
                form.form_errors.append(_("The mail server did not take it: %(why)s", why=str(error)[:200]))
            else:
                flash(_("It was sent to %(address)s.", address=current_user.email))
        return self._typed(text, language, form, said)

    @expose("/<text>/<language>/original", methods=["POST"])
    def put_back(self, text: str, language: str) -> Answer:
        """Say what we say ourselves again."""
        new = texts.put_back(text, language, _original(text, language), now(), actor())
        told = _("It is the original again.") if new else _("This is the original. Nothing was changed.")
        return self._back(told, text, language)

    def _back(self, words: str, text: str, language: str) -> Answer:
        flash(words)
        return redirect(url_for(".edit", text=text, language=language), 303)

    def _typed(self, text: str, language: str, form: TextForm, said: Said | None = None) -> Answer:
        return self._page(text, language, form, texts.own(text, language) is not None, said)

    def _page(
        self, text: str, language: str, form: TextForm, is_own: bool, said: Said | None = None
    ) -> tuple[str, int]:
        original = _original(text, language)
        page = self.render(
            "admin/text.html",
            form=form,
            name=text,
            language=language,
            title=translated(TITLES[text]),
            spoken=languages.in_own_words(language),
            original=original,
            known=[f"{{{each}}}" for each in known_to(original)],
            is_own=is_own,
            is_shared=text in SHARED,
            longest=(LONGEST_SUBJECT, longest_body(text)),
            said=said,
        )
        return page, 422 if form.errors else 200


def _original(text: str, language: str) -> Letter:
    """Return our own letter. Aborts where there is none."""
    if text not in LETTERS or language not in languages.LANGUAGES:
        abort(404)
    with languages.speaking(language):
        return letters.original(text)


def _said(form: TextForm, text: str, language: str) -> Said | None:
    """Fill something into what was typed; None where the form says what is wrong."""
    original = _original(text, language)
    if not form.validate_on_submit():
        return None
    try:
        letter = check(text, form.letter, original)
    except BadSetting as error:
        show_error(error, form)
        return None
    program = rules.current()
    unit = ledger_unit(program.unit, program.currency)
    with languages.speaking(language):
        return Said(*letters.said(text, sample_values(in_force.brand().name, unit, public_url), letter))
