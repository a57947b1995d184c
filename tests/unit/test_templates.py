"""Pieces that pages repeat are macros, each with a place on the style page; nobody writes them out by hand."""

import re
from pathlib import Path

import pytest

from referralhub.config import PROJECT

TEMPLATES = PROJECT / "referralhub/templates"
STYLE_PAGE = TEMPLATES / "dev/styleguide.html"
# What is no piece of its own: parts of others, a form around fields, and what is not seen.
PARTS = {
    "charts.html": {"number", "so_far", "heading", "scrolling", "axis", "grid", "month_labels", "stripes"},
    "forms.html": {"form_card", "known_name"},
    "head.html": {"public_page"},
    "states.html": {"state_word", "why"},
    "ui.html": {"csrf", "part_link"},
}
PIECES = {
    "the frame of a table": 'class="card table"',
    "an empty state": 'class="(card )?empty"',
    "an avatar": 'class="avatar"',
    "a rank": 'class="rank ',
    "a state": 'class="state',
    "tabs": 'class="tabs"',
    "a field": 'class="field"',
}
BY_HAND = {  # a reason for each
    "admin/list.html": {"a field"},  # Flask-Admin's filters are no fields of WTForms
    "dashboard/_referrals.html": {"a field"},  # one for each line, with an id of its own
    "dashboard/_share_text.html": {"a field"},  # whose preview follows what is typed
    "dashboard/network.html": {"an empty state"},  # with a button
}


@pytest.mark.parametrize("file", sorted((TEMPLATES / "macros").glob("*.html")), ids=lambda file: file.name)
def test_each_piece_is_on_the_style_page(file: Path):
    macros = set(re.findall(r"{% macro (\w+)", file.read_text())) - PARTS.get(file.name, set())
    named = re.findall(rf'from "macros/{file.name}" import ([\w, ]+)', STYLE_PAGE.read_text())
    shown = {name.strip() for names in named for name in names.split(",")}
    assert macros <= shown
    body = STYLE_PAGE.read_text().partition("{% block title %}")[2]
    assert all(re.search(rf"\b{name}\(", body) for name in macros)


@pytest.mark.parametrize(
    "name", sorted(str(file.relative_to(TEMPLATES)) for file in TEMPLATES.rglob("*.html") if "macros" not in file.parts)
)
def test_no_page_writes_out_what_is_a_macro(name: str):
    text = (TEMPLATES / name).read_text()
    found = {piece for piece, pattern in PIECES.items() if re.search(pattern, text)}
    assert found <= BY_HAND.get(name, set())
