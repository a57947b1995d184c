"""No page is forgotten by the tests that look at every page in a browser."""

from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.browser.places import ADMINS, EVERYBODY, MEMBERS

pytestmark = pytest.mark.one_database
# What is shown in no browser by itself, and the pages that tests of their own look at.
NO_PAGES = (
    "/api/v1/",
    "/avatars/",
    "/static/",
    "/brand/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/robots.txt",
    "/llms.txt",
    "/sitemap.xml",
    "/manifest.webmanifest",
)
ELSEWHERE = {
    "/login/code": "test_two_steps.py",
    "/login/provider": "test_provider.py",
    "/login/provider/return": "test_provider.py",
    "/dashboard/": "test_looks.py, with a friend and without",
    "/dashboard/stats": "a part of the dashboard",
    "/dashboard/recent": "a part of the dashboard",
    "/dashboard/next": "a part of the dashboard",
    "/dashboard/network/<branch>": "test_network.py",
    "/admin/review/missing/<row:row_id>/": "test_missing.py, without a browser",
    "/join": "test_join.py",
    "/account/": "leads on to the profile",
    "/account/export": "a file",
    "/admin/rewards-due/file": "a file",
    "/<code>/": "leads on to the signup form",
}


def test_each_page_is_in_one_of_the_lists(app: Flask):
    site = app.url_map.bind("localhost")
    looked_at = {site.match(urlsplit(path).path, "GET")[0] for path in [*EVERYBODY.values(), *MEMBERS.values(), *ADMINS]
                 if path != "/nothing"}  # fmt: skip
    pages = {
        rule.endpoint: rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and not rule.rule.startswith(NO_PAGES)
        and not rule.rule.endswith((".png", ".csv", ".svg"))
        and rule.rule.replace("code:", "") not in ELSEWHERE
    }
    assert {rule for endpoint, rule in pages.items() if endpoint not in looked_at} == set()
