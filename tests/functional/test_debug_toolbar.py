"""Flask-DebugToolbar, for who develops."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from flask.testing import FlaskClient

pytestmark = pytest.mark.one_database


@pytest.fixture
def watched(make_app) -> FlaskClient:
    return make_app(referralhub_env="development", debug_toolbar=True).test_client()


def test_it_is_beside_each_page_and_knows_its_statements(watched: FlaskClient):
    for _ in range(3):  # a kept answer would tell of the one before
        page = watched.get("/leaderboard").text
        assert 'id="flDebug"' in page
        assert re.search(r"SQLAlchemy\s*<br /><small>([1-9]\d*) quer", page)
    assert watched.application.config["SECRET_KEY"] not in page


def test_the_policy_of_the_page_allows_what_it_needs_and_no_more(watched: FlaskClient):
    answer = watched.get("/login")
    (script,) = re.findall(r"<script[^>]*>([^<]+)</script>", answer.text)
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == f"'self' 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
    assert policy["style-src"] == "'self'"
    with watched.get("/_debug_toolbar/static/js/toolbar.js") as script:
        assert script.status_code == 200


def test_parts_of_pages_and_redirects_stay_as_they_are(watched: FlaskClient):
    part = watched.get("/leaderboard", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert part.status_code == 200
    assert "flDebug" not in part.text
    assert watched.get("/dashboard/").status_code == 302


def test_nobody_else_has_it(make_app):
    client = make_app(referralhub_env="development").test_client()
    answer = client.get("/login")
    assert "flDebug" not in answer.text
    assert "sha256" not in answer.headers["Content-Security-Policy"]
    assert client.get("/_debug_toolbar/static/js/toolbar.js").status_code == 404
