"""The way from page to page: whole at every width and in every language, with scripts or without."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import expect_to_fit

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
# What of the main navigation is not whole: beyond the screen, over another one, or too small for a thumb.
WRONG = """() => {
  const links = [...document.querySelectorAll('.topbar nav a, .menu > summary')];
  const boxes = links.map(link => [link.innerText.trim(), link.getBoundingClientRect()]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const small = (box) => box.width < 43.5 || box.height < 43.5;
  const beyond = (box) => box.left < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1;
  const wrong = ([, box], i) => small(box) || beyond(box) || boxes.some(([, other], j) => i !== j && meet(box, other));
  return boxes.filter(wrong).map(([text]) => text);
}"""
AT_THE_FOOT = "document.querySelector('.topbar nav').getBoundingClientRect().bottom >= innerHeight - 1"


@pytest.fixture
def member(open_tab):
    """Somebody who has just signed up, with a browser that can share."""

    def open_(**options: object) -> Page:
        tab = open_tab("somebody", reduced_motion="reduce", **options)
        tab.context.add_init_script("navigator.share = () => Promise.resolve()")
        tab.sign_up()
        return tab.page

    return open_


@pytest.mark.parametrize("language", ["en", "de", "en-XA"])
def test_it_is_whole_on_every_screen_signed_in_and_out(member, open_tab, language: str):
    asked = {"Accept-Language": language}
    visitor = open_tab("visitor", extra_http_headers=asked)
    visitor.go("/leaderboard")
    for page in (member(extra_http_headers=asked), visitor.page):
        for width in (320, 360, 390, 600, 768, 1280):
            expect_to_fit(page, width, f"{language}, {page.url}")
            assert page.evaluate(WRONG) == [], f"{language}, {page.url}, {width} px wide"


@pytest.mark.parametrize("javascript", [True, False])
def test_on_a_phone_it_is_at_the_foot_and_leads_to_every_page(member, javascript: bool):
    page = member(viewport={"width": 360, "height": 740}, java_script_enabled=javascript)
    for name, path in (
        ("Friends", "/dashboard/referrals"), ("Rewards", "/dashboard/rewards"), ("Network", "/dashboard/network"),
        ("Leaders", "/leaderboard"), ("Home", "/dashboard/"),
    ):  # fmt: skip
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(f"**{path}")
        current = page.get_by_role("navigation", name="Main").locator("[aria-current=page]")
        expect(current).to_have_count(1)
        expect(current).to_have_text(re.compile(name))
        box = current.bounding_box()
        assert box["y"] + box["height"] >= 739 and box["height"] >= 44


def test_nothing_hides_behind_it(member):
    page = member(viewport={"width": 360, "height": 640})
    assert page.evaluate(AT_THE_FOOT)
    bar = page.locator(".topbar nav").bounding_box()
    share = page.locator(".fab").bounding_box()
    assert share["y"] + share["height"] < bar["y"]
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    footer = page.locator(".footer > .wrap").bounding_box()
    assert footer["y"] + footer["height"] <= bar["y"] + 1
    last = page.locator(".footer a").last
    last.focus()
    box = last.bounding_box()
    assert box["y"] + box["height"] <= bar["y"]


def test_where_the_screen_is_low_or_the_text_large_it_hides_nothing(member):
    page = member(viewport={"width": 600, "height": 400})
    assert not page.evaluate(AT_THE_FOOT)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(AT_THE_FOOT)
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32, "fixed": 26}})
    page.wait_for_function("getComputedStyle(document.documentElement).fontSize === '32px'")
    assert not page.evaluate(AT_THE_FOOT)
    expect_to_fit(page, 390, "text of double size")


@pytest.mark.parametrize("javascript", [True, False])
def test_on_a_phone_the_pages_of_the_account_unfold_by_the_keyboard_and_lead_on(member, javascript: bool):
    page = member(viewport={"width": 360, "height": 740}, java_script_enabled=javascript)
    page.goto(page.url.replace("/dashboard/", "/account/profile"))
    links = page.get_by_role("navigation", name="Settings").get_by_role("link")
    expect(links).to_have_count(0)
    page.locator(".pages > summary").focus()
    page.keyboard.press("Enter")
    expect(links.first).to_be_visible()
    page.keyboard.press("Shift+Tab")
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/referrer")
    expect(page.locator(".pages > summary")).to_contain_text("Invited by")
