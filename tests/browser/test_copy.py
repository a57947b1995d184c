"""Copying the link: the one thing that everybody comes for."""

import re
import time

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_the_link_is_copied_and_the_button_says_so_for_two_seconds(open_tab, hub, way: str):
    alice = open_tab("alice", permissions=["clipboard-read", "clipboard-write"])
    alice.sign_up()
    button = alice.page.get_by_role("button", name=re.compile("copy", re.IGNORECASE))
    expect(button).to_be_visible()
    before = button.inner_text()
    if way == "mouse":
        button.click()
    else:
        button.focus()
        alice.page.keyboard.press("Enter")
    copied = alice.page.get_by_role("button", name="Copied!")
    expect(copied).to_be_visible()
    begun = time.monotonic()
    assert alice.page.evaluate("navigator.clipboard.readText()") == alice.link
    announcements = alice.page.locator("[role=status], [aria-live]").all_inner_texts()
    assert any("copied" in text.lower() for text in announcements)
    expect(copied).to_have_count(0, timeout=4000)
    assert 1 < time.monotonic() - begun < 3.5
    assert button.inner_text() == before


def test_where_the_browser_refuses_the_clipboard_the_link_is_copied_the_old_way_or_selected(open_tab):
    alice = open_tab("alice")
    alice.context.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    alice.sign_up()
    alice.page.get_by_role("button", name=re.compile("copy", re.IGNORECASE)).click()
    selected = alice.page.evaluate("document.getSelection().toString() || document.activeElement.value")
    assert selected == alice.link
    announcer = alice.page.locator("[aria-live]")
    expect(announcer).to_have_text(re.compile("cop", re.IGNORECASE))


def test_without_javascript_there_is_no_button_that_does_nothing(open_tab):
    alice = open_tab("alice", java_script_enabled=False)
    alice.sign_up()
    for button in alice.page.locator("button:visible").all():
        assert button.get_attribute("type") == "submit"
