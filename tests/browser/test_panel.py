"""The admins' panel in a real browser: everybody can use it, with the keyboard alone too."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import violations

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
MEMBERS = "200"  # a few of them wait for a decision
PAGES = (
    "/admin/", "/admin/review/", "/admin/members/", "/admin/members/3/", "/admin/referrals/", "/admin/referrals/3/",
    "/admin/rewards/", "/admin/perks/", "/admin/perks/new", "/admin/claims/", "/admin/program/", "/admin/invitations/",
    "/admin/mail/", "/admin/audit/", "/account/confirm",
)  # fmt: skip
NAME, PASSWORD = "warden", "warden likes tea"


@pytest.fixture
def panel(open_tab, hub) -> Callable[..., Page]:
    """Open the panel as an admin of a program with some members."""
    if "create-admin" not in hub.done:
        hub.flask("seed", "bulk", "--members", MEMBERS)
        hub.flask("users", "create-admin", "--username", NAME, "--email", f"{NAME}@example.com", "--password-stdin",
                  typed=f"{PASSWORD}\n")  # fmt: skip
        hub.done.add("create-admin")

    def open_(**options: object) -> Page:
        tab = open_tab("admin", reduced_motion="reduce", **options)
        tab.go("/login?next=/admin/")
        tab.page.locator("#username").fill(NAME)
        tab.page.locator("#password").fill(PASSWORD)
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_url(f"{hub.base_url}/admin/")
        return tab.page

    return open_


def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(panel, hub):
    page = panel(viewport={"width": 1280, "height": 740})
    for path in PAGES:
        assert page.goto(hub.base_url + path).ok, path
        for scheme in ("light", "dark"):
            serious = [
                f"{path}, {scheme}: {violation['id']}: {node['html']}"
                for violation in violations(page, scheme)
                if violation["impact"] in {"serious", "critical"}
                for node in violation["nodes"]
            ]
            assert serious == []
        for width in (1280, 768, 360):
            page.set_viewport_size({"width": width, "height": 740})
            widest = page.evaluate("document.documentElement.scrollWidth")
            assert widest <= width, f"{path}: {widest} px wide on a screen of {width}"


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
