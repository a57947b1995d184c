"""The languages that people are spoken to in: which there are, and which one somebody gets.

English is what the code says; every other language is a folder of `translations/`. Members get the one that they chose
in their account, and everybody else, and members who chose none, what their browser asks for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_babel
from babel import Locale
from babel.support import NullTranslations, Translations
from flask import Flask, Response, g, has_request_context, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from referralhub.models import User
from referralhub.pseudo import PseudoTranslations
from referralhub.remembered import remembered

SOURCE = "en"
LONGEST = 256  # characters of what a browser asks for
PSEUDO = "en-XA"  # English with accents, half as long again: in development it shows what is not translated
FOLDER = Path(__file__).parent / "translations"
LANGUAGES = (SOURCE, *sorted(each.name for each in FOLDER.iterdir() if (each / "LC_MESSAGES/messages.mo").exists()))


class Domain(flask_babel.Domain):
    """Flask-Babel's texts, found by the name of the language alone, since a page has a hundred of them."""

    def get_translations(self) -> NullTranslations:
        """Return the texts in the language that is spoken now."""
        language = _language() if g else SOURCE
        if language not in self.cache:
            of_pseudo = language == PSEUDO
            self.cache[language] = PseudoTranslations() if of_pseudo else Translations.load(FOLDER, [language])
        return self.cache[language]


def init_app(app: Flask) -> None:
    """Speak the language of who asks, in templates and elsewhere."""
    babel = flask_babel.Babel(app, default_locale=SOURCE, locale_selector=lambda: _locale(_language()))
    babel.domain_instance = texts = Domain()
    # As Flask-Babel does it, without looking for the texts in the context of each of them.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # Jinja's extension adds it
        lambda text: texts.get_translations().ugettext(text),
        lambda one, many, number: texts.get_translations().ungettext(one, many, number),
        newstyle=True,
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.globals.update(language_tag=tag, text_direction=text_direction)
    app.after_request(_vary)


def in_own_words(language: str) -> str:
    """Return what a language is called by those who speak it: "Deutsch"."""
    return str(Locale.parse(_locale(language)).get_language_name()).capitalize()


def tag() -> str:
    """Return the language that is spoken now, as HTML names it."""
    return _language().replace("_", "-")


def text_direction() -> str:
    """Return how the language that is spoken now is written: "ltr", or "rtl"."""
    return str(Locale.parse(_locale(_language())).text_direction)


@remembered(1024, LONGEST)
def negotiated(accept_language: str) -> str:
    """Return the language of ours that a browser likes best, by what it says in `Accept-Language`."""
    ours = {each.lower(): each for each in (*LANGUAGES, PSEUDO)}
    for tag, _quality in parse_accept_header(accept_language, LanguageAccept):  # the best first
        wanted = tag.lower()
        for each in (wanted, wanted.partition("-")[0]):  # who wants de-AT takes de
            if each in ours:
                return ours[each]
    return SOURCE


def of_browser() -> str:
    """Return the language that the browser asks for."""
    return negotiated(request.headers.get("Accept-Language", ""))


def speak_to(user: User) -> None:
    """Go on in the language that a member has chosen, if they have."""
    if user.language and user.language != _language():
        g.language = user.language
        flask_babel.refresh()


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak another language meanwhile, as in a mail to somebody else."""
    before = g.get("language")
    g.language = language or SOURCE
    flask_babel.refresh()
    try:
        yield
    finally:
        g.pop("language")
        if before:
            g.language = before
        flask_babel.refresh()


def _language() -> str:
    known = g._get_current_object()  # asked for once, since this is asked for with every text of a page
    language: str | None = known.get("language")
    if language is None:
        language = known.language = of_browser() if has_request_context() else SOURCE
    return language


def _locale(language: str) -> str:
    return SOURCE if language == PSEUDO else language


def _vary(response: Response) -> Response:
    if "language" in g and response.mimetype == "text/html":
        response.vary.add("Accept-Language")
    return response
