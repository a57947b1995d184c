"""The network in a real browser: branches unfold in place, with the mouse and with the keyboard alone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Tab, expect_to_fit, serious
from tests.browser.test_panel import tab_to


@pytest.fixture
def family(open_tab: Callable[..., Tab]) -> Callable[..., list[Tab]]:
    """Sign up somebody, a friend of theirs, a friend of that one, and so on; the first is at the network page."""

    def open_(generations: int, **options: object) -> list[Tab]:
        tabs = [open_tab("top", reduced_motion="reduce", **options)]
        tabs[0].sign_up()
        for number in range(generations):
            tabs.append(open_tab(f"below{number}"))
            tabs[-1].go(tabs[-2].link)
            tabs[-1].sign_up()
        tabs[0].go("/dashboard/network")
        return tabs

    return open_


def line(page: Page, tab: Tab):
    return page.locator(f'[data-branch][data-username="{tab.username}"]')


def test_a_branch_unfolds_with_the_mouse_and_folds_again_without_asking_twice(family):
    top, first, second, third = family(3)
    page, asked = top.page, []
    page.on("request", lambda request: "/network/" in request.url and asked.append(request.url))
    page.evaluate("window.neverReloaded = true")
    line(page, first).locator("summary").first.click()
    expect(line(page, second)).to_be_visible()
    line(page, second).locator("summary").first.click()
    expect(line(page, third)).to_be_visible()
    line(page, first).locator("summary").first.click()
    expect(line(page, second)).not_to_be_visible()
    line(page, first).locator("summary").first.click()
    expect(line(page, third)).to_be_visible()
    assert len(asked) == 2
    assert page.evaluate("window.neverReloaded")
    assert page.url.endswith("/dashboard/network")


def test_a_branch_unfolds_with_the_keyboard_alone_and_keeps_the_focus(family):
    top, first, second, third = family(3)
    for above, below in ((first, second), (second, third)):
        tab_to(top.page, f"[data-username='{above.username}'] > details > summary")
        top.page.keyboard.press("Enter")
        expect(line(top.page, below)).to_be_visible()
        focused = "name => document.activeElement.closest('[data-branch]')?.dataset.username === name"
        assert top.page.evaluate(focused, above.username)
    top.page.keyboard.press("Space")
    expect(line(top.page, third)).not_to_be_visible()


def test_without_javascript_a_branch_has_a_page(family):
    top, first, second, third = family(3, java_script_enabled=False)
    for above, below in ((first, second), (second, third)):
        line(top.page, above).locator("summary").click()
        line(top.page, above).get_by_role("link").click()
        expect(line(top.page, below)).to_be_visible()
        expect(top.page.get_by_role("heading", level=1)).to_contain_text(above.username)
    top.page.get_by_role("link", name="Your network").click()
    expect(line(top.page, first)).to_be_visible()


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
def test_everybody_can_use_an_unfolded_network_on_any_screen(family):
    top, first, second, third, fourth = family(4)
    page = top.page
    address = line(page, first).locator("[data-hx-get]").get_attribute("data-hx-get")
    for each, below in ((first, second), (second, third), (third, fourth)):
        line(page, each).locator("summary").first.click()
        expect(line(page, below)).to_be_visible()
    for _ in range(2):
        assert serious(page, "network") == []
        for width in (1280, 768, 360, 320):
            expect_to_fit(page, width, "network")
        top.go(address)
