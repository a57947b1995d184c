"""The admins' panel in a real browser: everybody can use it, with the keyboard alone too."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import double_text, expect_to_fit, serious

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
PAGES = (
    "/admin/", "/admin/review/", "/admin/members/", "/admin/members/3/", "/admin/referrals/", "/admin/referrals/3/",
    "/admin/rewards/", "/admin/perks/", "/admin/perks/new", "/admin/claims/", "/admin/program/", "/admin/invitations/",
    "/admin/mail/", "/admin/audit/", "/admin/texts/", "/admin/texts/invitation/de/", "/account/confirm",
)  # fmt: skip


def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(panel, hub):
    page = panel(viewport={"width": 1280, "height": 740})
    for path in PAGES:
        assert page.goto(hub.base_url + path).ok, path
        assert serious(page, path) == []
        for width in (1280, 768, 360, 320):
            expect_to_fit(page, width, path)


def test_text_of_double_size_fits_on_a_phone_and_on_a_large_screen(panel, hub):
    page = panel(viewport={"width": 390, "height": 844})
    for path in PAGES:
        assert page.goto(hub.base_url + path).ok, path
        double_text(page)
        for width in (390, 1280):
            expect_to_fit(page, width, path)


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
