"""The admins' panel in a real browser: everybody can use it, with the keyboard alone too."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import double_text, expect_to_fit, serious
from tests.browser.places import ADMINS
from tests.servers import wait_until

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(panel, hub):
    page = panel(viewport={"width": 1280, "height": 740})
    for path in ADMINS:
        assert page.goto(hub.base_url + path).ok, path
        # A sample in the light is there in the dark, too; `test_brand.py` looks at its colours.
        assert serious(page, path, ("light",) if path == "/admin/brand/" else ("light", "dark")) == []
        for width in (1280, 768, 360, 320):
            expect_to_fit(page, width, path)


def test_text_of_double_size_fits_on_a_phone_and_on_a_large_screen(panel, hub):
    page = panel(viewport={"width": 390, "height": 844})
    for path in ADMINS:
        assert page.goto(hub.base_url + path).ok, path
        double_text(page)
        for width in (390, 1280):
            expect_to_fit(page, width, path)


def test_the_tables_of_the_growth_page_are_whole_on_a_laptop_and_keep_their_first_column_on_a_phone(panel, hub):
    page = panel(viewport={"width": 1280, "height": 740})
    wider = "frames => frames.filter(each => each.scrollWidth > each.clientWidth).map(each => each.ariaLabel)"
    for width in (1440, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.locator(".table").evaluate_all(wider) == [], f"{width} px wide"
    page.set_viewport_size({"width": 360, "height": 740})
    frame = page.locator("#monthly .table")
    frame.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wait_until(lambda: frame.evaluate("each => each.scrollLeft") > 100, "the table has scrolled")
    month, members = frame.locator("tbody tr").first.locator("th"), frame.locator("tbody tr").first.locator("td").last
    edge = frame.bounding_box()["x"]
    assert edge <= month.bounding_box()["x"] <= edge + 2
    assert members.bounding_box()["x"] > month.bounding_box()["x"] + month.bounding_box()["width"]


def test_links_lead_to_each_section_of_the_growth_page(panel, hub):
    page = panel(viewport={"width": 360, "height": 740})
    links = page.get_by_role("navigation", name="On this page").get_by_role("link")
    assert links.count() == 6
    for number in range(links.count()):
        links.nth(number).click()
        title = page.locator(f"{page.evaluate('location.hash')} h2").first
        expect(title).to_be_in_viewport()
        expect(title).to_have_text(links.nth(number).text_content())
        page.go_back()


def test_a_case_is_decided_with_the_keyboard_alone(panel, hub):
    page = panel()
    page.goto(f"{hub.base_url}/admin/review/")
    case = page.locator("[data-case]").first
    number = case.get_attribute("data-case")
    tab_to(page, f"[data-case='{number}'] input")
    page.keyboard.press("Space")
    tab_to(page, "#reason")
    page.keyboard.type("asked them")
    tab_to(page, "[name=step][value=reject]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 case rejected.")
    expect(page.locator(f"[data-case='{number}']")).to_have_count(0)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, and see that one can see that it has."""
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"the focus on {selector} cannot be seen"
            return
    raise AssertionError(f"{selector} cannot be reached with the keyboard")
