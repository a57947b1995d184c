"""How moments are said."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from referralhub import languages
from referralhub.templating import ago

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
    app.config["CLOCK"] = lambda: NOW
    with app.app_context():
        assert ago(NOW - before) == words
