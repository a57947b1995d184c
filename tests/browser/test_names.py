"""Names as wide as they may be, wherever a name stands: the page stays as wide as a phone, and the name is whole."""

import re
from collections.abc import Callable

import pytest

from tests.browser.conftest import Tab, expect_to_fit
from tests.browser.places import ADMINS

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
MEMBERS = ("/dashboard/", "/leaderboard", "/dashboard/referrals", "/dashboard/network", "/dashboard/rewards")
WIDTH = 360


@pytest.fixture(params=["W" * 40, "龘" * 40, "﷽" * 39 + "W"], ids=["latin", "chinese", "arabic"])
def referrer(request: pytest.FixtureRequest, open_tab: Callable[..., Tab]) -> Tab:
    """A member with a wide name, and a friend of theirs who has one too."""
    referrer, friend = (open_tab("W" * 27, viewport={"width": WIDTH, "height": 844}) for _ in range(2))
    referrer.sign_up()
    friend.go(referrer.link)
    expect_to_fit(friend.page, WIDTH, "signup by a wide user name")
    friend.sign_up()
    friend.confirm_address()
    for tab in (referrer, friend):
        tab.go("/account/profile")
        tab.page.locator("[name=display_name]").fill(request.param)
        tab.page.locator("form:has([name=display_name]) [type=submit]").click()
        tab.page.get_by_role("status").get_by_text("Saved").wait_for()
    return referrer


def test_on_the_pages_of_visitors_and_members(referrer: Tab, open_tab: Callable[..., Tab]):
    for path in reversed(MEMBERS):
        referrer.go(path)
        expect_to_fit(referrer.page, WIDTH, path)
    visitor, crawler = open_tab("visitor"), open_tab("crawler", user_agent="facebookexternalhit/1.1")
    for tab in (visitor, crawler):
        tab.go(referrer.link)
        expect_to_fit(tab.page, WIDTH, f"the link, for a {tab.username}")
    crawler.mishaps.clear()  # a preview has no icon


def test_in_the_panel(referrer: Tab, panel, hub):
    page = panel()
    for path in (*ADMINS, f"/admin/members/?search={referrer.username}"):
        page.goto(hub.base_url + path)
        expect_to_fit(page, WIDTH, path)
    page.locator("[data-row] a").first.click()
    page.wait_for_url(re.compile(r"/admin/members/\d+/$"))
    expect_to_fit(page, WIDTH, "a member with a wide name")
