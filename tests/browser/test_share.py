"""Sharing in the member's own words: written, seen, kept, and given to the phone's own share sheet."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import double_text, expect_to_fit, serious

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
OURS = re.compile("^I'm using ReferralHub")
WITH_A_SHEET = "window.shared = []; navigator.share = async (what) => { window.shared.push(what); };"
WITHOUT_A_SHEET = "Object.defineProperty(navigator, 'share', {value: undefined});"


def texts(page: Page) -> set[str]:
    """Give what the buttons share that take text and link apart."""
    hrefs = [page.locator(f"a[data-channel={channel}]").get_attribute("href") for channel in ("x", "telegram")]
    return {parse_qs(urlsplit(href).query)["text"][0] for href in hrefs}


def test_a_message_is_seen_while_it_is_written_and_shared_once_it_is_kept(open_tab):
    alice = open_tab("alice", viewport={"width": 390, "height": 844})
    alice.context.add_init_script(WITH_A_SHEET)
    alice.sign_up()
    page, link = alice.page, alice.link
    before = texts(page)
    page.get_by_text("Change the message").click()
    page.locator("#share-text").fill("Tea with friends!")
    expect(page.locator("#share-preview")).to_contain_text(f"Tea with friends! {link}?via=share")
    assert texts(page) == before  # it is only looked at
    page.get_by_role("button", name="Share this from now on").click()
    expect(page.get_by_text("Saved. Every button shares this now.")).to_be_visible()
    assert texts(page) == {"Tea with friends!"}
    for button in (page.locator("#link-card [data-share]"), page.locator("[data-share-as]")):
        button.click()
    shared = {"title": "ReferralHub", "text": "Tea with friends!", "url": f"{link}?via=share"}
    assert page.evaluate("window.shared") == [shared, shared]
    page.get_by_role("button", name="Put ours back").click()
    expect(page.locator("#share-text")).to_have_value(OURS)
    assert texts(page) == before


def test_what_cannot_be_kept_is_said_at_the_field(open_tab):
    alice = open_tab("alice")
    alice.sign_up()
    page = alice.page
    page.get_by_text("Change the message").click()
    page.evaluate("document.getElementById('share-text').removeAttribute('maxlength')")
    page.locator("#share-text").fill("x" * 281)
    page.get_by_role("button", name="Share this from now on").click()
    expect(page.locator("#share-text-error")).to_have_text("Use at most 280 characters.")
    expect(page.locator("#share-text")).to_have_value("x" * 281)
    alice.mishaps = [mishap for mishap in alice.mishaps if "422" not in mishap]  # the browser tells of the status


def test_without_javascript_it_is_kept_all_the_same(open_tab):
    alice = open_tab("alice", java_script_enabled=False)
    alice.sign_up()
    page = alice.page
    page.get_by_text("Change the message").click()
    page.locator("#share-text").fill("Tea with friends!")
    page.get_by_role("button", name="Share this from now on").click()
    expect(page.get_by_text("Saved. Every button shares this now.")).to_be_visible()
    assert texts(page) == {"Tea with friends!"}


def test_the_share_sheet_is_the_first_button_where_there_is_one_and_no_button_elsewhere(open_tab):
    for script, first in ((WITH_A_SHEET, "Share"), (WITHOUT_A_SHEET, "Copy link")):
        alice = open_tab("alice", viewport={"width": 390, "height": 844})
        alice.context.add_init_script(script)
        alice.sign_up()
        buttons = alice.page.locator("#link-card .link-line button:visible")
        assert buttons.first.inner_text().strip() == first
        wide = alice.page.locator(".link-line").bounding_box()["width"]
        assert buttons.first.bounding_box()["width"] == pytest.approx(wide, abs=1)


@pytest.mark.parametrize("name", ["Square, for posts", "Tall, for stories", "QR code, to print", "QR code, to scale"])
def test_pictures_are_downloaded_by_a_name_that_says_what_they_are(open_tab, name: str):
    alice = open_tab("alice")
    alice.sign_up()
    alice.page.get_by_text("Pictures and QR codes").click()
    with alice.page.expect_download() as download:
        alice.page.get_by_role("link", name=name).click()
    assert download.value.suggested_filename in {
        "invitation-square.png", "invitation-tall.png", "qr-code.png", "qr-code.svg"
    }  # fmt: skip


def test_the_dashboard_hears_what_to_do_next(open_tab):
    alice, bob = open_tab("alice"), open_tab("bob")
    alice.sign_up()
    alice.confirm_address()
    step = alice.page.locator("#next")
    expect(step).to_have_attribute("data-step", "share")
    bob.go(alice.link)
    bob.sign_up()
    expect(step).to_have_attribute("data-step", "nudge")
    expect(step).to_contain_text(bob.username)
    expect(alice.page.locator("[data-event=joined]")).to_contain_text(bob.username)
    bob.confirm_address()
    expect(step).to_have_attribute("data-step", "climb")
    expect(alice.page.locator("[data-by-channel=link]")).to_have_attribute("data-confirmed", "1")


def test_what_is_folded_away_is_for_everybody_and_fits_too(open_tab):
    alice = open_tab("someone.with.a.long.name", reduced_motion="reduce", viewport={"width": 1280, "height": 740})
    alice.sign_up()
    for fold in ("Change the message", "Pictures and QR codes"):
        alice.page.get_by_text(fold).click()
    assert serious(alice.page, "link card") == []
    for width in (1280, 768, 390, 360, 320):
        expect_to_fit(alice.page, width, "link card")
    double_text(alice.page)
    for width in (1280, 390):
        expect_to_fit(alice.page, width, "link card, large text")
