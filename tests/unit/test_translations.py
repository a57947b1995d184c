"""The catalogues: every text of the code in each language, with what is filled in left as it is."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from referralhub.languages import FOLDER, LANGUAGES, SOURCE
from referralhub.pseudo import pseudo
from referralhub.services.mailing.letters import BUTTON
from tests.translations import texts_of_the_code

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%\w?|\{[^{}]*\}|</?\w+[^<>]*>")
TRANSLATED = [language for language in LANGUAGES if language != SOURCE]


def folder(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES"


@pytest.fixture(params=TRANSLATED)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return read_po(BytesIO((folder(request.param) / "messages.po").read_bytes()), locale=request.param)


def both(message: Message) -> tuple[list[str], list[str]]:
    """Give the forms of a text in English, and those in the other language."""
    one = [message.id] if isinstance(message.id, str) else list(message.id)
    other = [message.string] if isinstance(message.string, str) else list(message.string)
    return one, other


def test_every_text_of_the_code_is_there(catalogue: Catalog):
    there = {message.id for message in catalogue if message.id and all(both(message)[1]) and not message.fuzzy}
    assert texts_of_the_code() - there == set()


def test_no_text_is_there_that_the_code_has_no_more(catalogue: Catalog):
    assert {message.id for message in catalogue if message.id} - texts_of_the_code() == set()


def test_what_is_filled_in_is_the_same(catalogue: Catalog):
    for message in catalogue:
        if message.id:
            one, other = both(message)
            expected = {frozenset(PLACEHOLDER.findall(text)) for text in one}
            assert {frozenset(PLACEHOLDER.findall(text)) for text in other} <= expected, message.id


def test_a_mail_has_the_same_paragraphs_and_buttons(catalogue: Catalog):
    for message in catalogue:
        if isinstance(message.id, str) and "\n\n" in message.id:
            english, other = message.id.split("\n\n"), str(message.string).split("\n\n")
            assert [bool(BUTTON.fullmatch(each)) for each in english] == [
                bool(BUTTON.fullmatch(each)) for each in other
            ]


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_read_was_made_of_what_is_written(language: str):
    made = BytesIO()
    write_mo(made, read_po(BytesIO((folder(language) / "messages.po").read_bytes()), locale=language))
    assert (folder(language) / "messages.mo").read_bytes() == made.getvalue(), "Run `make translations`."


@pytest.mark.parametrize(
    ("text", "made_up"),
    [
        ("Sign in", "···Šîĝñ îñ"),
        ("%(name)s joined", "···%(name)s ĵöîñéð"),
        ("Open: {url}", "···Öþéñ: {url}"),
        ("<strong>%(x)s</strong>, %%n", "·<strong>%(x)s</strong>, %%n"),
        ("", ""),
    ],
)
def test_the_made_up_language_keeps_what_is_filled_in(text: str, made_up: str):
    assert pseudo(text) == made_up
