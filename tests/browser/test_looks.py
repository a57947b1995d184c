"""Pages that everybody can use: accessible in light and dark, and no wider than the screen."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import double_text, expect_to_fit, serious
from tests.browser.places import EVERYBODY, MEMBERS

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
# The pixels of the hidden field at which a tap would reach it.
SEEN_OF_TRAP = """() => {
  const inside = document.querySelector('.trap');
  let seen = 0;
  for (let x = 0; x < innerWidth; x += 4)
    for (let y = 0; y < innerHeight; y += 4)
      if (inside.contains(document.elementFromPoint(x, y))) seen += 1;
  return seen;
}"""
SHOWN = (*EVERYBODY, "signup with errors", "dashboard", "busy dashboard", "empty network", *MEMBERS)


_busy: dict[str, object] = {}  # the cookies of a member with a friend, who is the same in all tests


@pytest.fixture
def show(open_tab, busy, hub) -> Callable[..., object]:
    """Open one of the pages in a browser with these options."""

    def open_page(name: str, **options: object):
        is_busy = name == "busy dashboard" or name in MEMBERS
        if is_busy and hub.base_url not in _busy:
            _busy[hub.base_url] = busy().context.storage_state()
        if is_busy:
            options["storage_state"] = _busy[hub.base_url]
        tab = open_tab("someone.with.a.long.name", reduced_motion="reduce", **options)
        if name in EVERYBODY:
            tab.go(EVERYBODY[name])
        elif name == "signup with errors":
            tab.go("/signup")
            tab.page.locator("form[action='/signup'] [type=submit]").click()
            tab.page.locator("[aria-invalid=true]").first.wait_for()
        elif is_busy:
            tab.go(MEMBERS.get(name, "/dashboard/"))
        else:
            tab.sign_up()
        if name == "empty network":
            tab.go("/dashboard/network")
        tab.mishaps = [mishap for mishap in tab.mishaps if not {"400", "404", "422"} & set(mishap.split())]
        return tab.page

    return open_page


@pytest.mark.parametrize("name", SHOWN)
def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(show, name: str):
    page = show(name, viewport={"width": 1280, "height": 740})
    assert serious(page, name) == []
    for width in (1280, 768, 390, 360, 320):
        expect_to_fit(page, width, name)


@pytest.mark.parametrize("name", SHOWN)
def test_text_of_double_size_fits_on_a_phone_and_on_a_large_screen(show, name: str):
    page = show(name, viewport={"width": 390, "height": 844})
    double_text(page)
    for width in (390, 1280):
        expect_to_fit(page, width, name)


def test_the_field_that_is_hidden_from_people_is_seen_at_no_width(show):
    page = show("signup")
    for width in (1280, 390, 377, 320, 240):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(SEEN_OF_TRAP) == 0, f"{width} px wide"


@pytest.mark.parametrize("name", ["signup", "login", "dashboard"])
def test_what_is_pressed_is_large_enough_for_a_thumb(show, name: str):
    page = show(name, viewport={"width": 390, "height": 740}, has_touch=True)
    for control in page.locator("button:visible, input:not([type=hidden]):not([type=checkbox]):visible").all():
        box = control.bounding_box()
        assert box["height"] >= 43.5, control.evaluate("e => e.outerHTML")


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
def test_a_list_of_pages_takes_one_line_or_stands_beside_the_page(show, width: int):
    page = show("profile", viewport={"width": width, "height": 844})
    pages, title = page.locator(".pages").bounding_box(), page.locator("h1").bounding_box()
    above = pages["y"] + pages["height"] <= title["y"] and pages["height"] < 60
    beside = pages["x"] + pages["width"] <= title["x"] and pages["width"] < width / 4
    assert above or beside


def test_tabs_take_one_line_and_the_last_is_reached_by_the_keyboard(show):
    page = show("referrals", viewport={"width": 360, "height": 844})
    tabs = page.locator(".tabs")
    tabs.evaluate("tabs => { for (let n = 0; n < 5; n++) tabs.append(tabs.lastElementChild.cloneNode(true)); }")
    assert len({link.bounding_box()["y"] for link in tabs.locator("a").all()}) == 1
    expect_to_fit(page, 360, "many tabs")
    tabs.locator("a").first.focus()
    for _ in range(tabs.locator("a").count() - 1):
        page.keyboard.press("Tab")
    expect(tabs.locator("a").last).to_be_focused()
    expect(tabs.locator("a").last).to_be_in_viewport(ratio=0.5)


def test_the_telling_end_of_a_link_is_read_on_a_phone_however_long_its_beginning(show):
    page = show("dashboard", viewport={"width": 360, "height": 844})
    words = page.locator(".link-box p")
    assert "".join(words.inner_text().split()) == page.locator("#referral-link").input_value().split("://")[1]
    words.evaluate("each => each.querySelector('span').firstChild.data = 'recommend.a-shop-with-a-long-name.example/'")
    expect_to_fit(page, 360, "a long link")
    box, code = page.locator(".link-box").bounding_box(), page.locator(".link-box strong").bounding_box()
    assert box["y"] <= code["y"] and code["y"] + code["height"] <= box["y"] + box["height"]


def test_badges_stand_in_pairs_on_a_phone(show):
    page = show("dashboard", viewport={"width": 360, "height": 844})
    tops = {badge.bounding_box()["y"] for badge in page.locator(".badge").all()}
    assert len(tops) == 2


@pytest.mark.parametrize("width", [600, 768, 1440])
def test_a_form_is_no_wider_than_one_reads(show, width: int):
    page = show("signup", viewport={"width": width, "height": 844})
    assert page.locator("#username").bounding_box()["width"] <= 30 * 16
