"""How moments and figures are said, and what values of enums are called."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import pytest
from flask import Flask

from referralhub import languages
from referralhub.templating import ago
from referralhub.words.amounts import format_decimals, format_number, format_percent
from referralhub.words.dates import month_name, short_month
from referralhub.words.names import NAMES, called

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "1 h ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(hours=24), "yesterday"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=6, hours=23), "6 days ago"),
        (timedelta(days=7), "13 May"),
        (timedelta(days=140), "31 December 2025"),
    ],
)
def test_ago(before: timedelta, words: str):
    app = Flask(__name__)
    languages.init_app(app)
    app.config.update(CLOCK=lambda: NOW, ZONE=lambda: "UTC")
    with app.app_context():
        assert ago(NOW - before) == words


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["5.1%", "12%", "1,234.50", "–", "2,500", "0.0002", "Sep 2026", "September", "Sep"]),
        ("de", ["5,1\xa0%", "12\xa0%", "1.234,50", "–", "2.500", "0,0002", "Sept. 2026", "September", "Sep"]),
    ],
)
def test_figures_and_months(language: str, said: list[str]):
    app = Flask(__name__)
    languages.init_app(app)
    month = date(2026, 9, 1)
    with app.app_context(), languages.speaking(language):
        assert [
            format_percent(0.0514), format_percent(0.12, 0), format_decimals(1234.5), format_decimals(None),
            format_number(2500), format_number(0.0002), short_month(month), month_name(month), month_name(month, True),
        ] == said  # fmt: skip


@pytest.mark.parametrize("enum", NAMES, ids=lambda enum: enum.__name__)
def test_every_value_has_a_name(enum: type[StrEnum]):
    app = Flask(__name__)
    languages.init_app(app)
    with app.app_context():
        assert [called(value) for value in enum] == [value.value.replace("_", " ") for value in enum]
