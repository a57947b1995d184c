"""A page that the browser translates: its text is replaced all the time, and what changes is shown all the same."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
# What a translator does: each text is replaced by two nested elements with the translation, here in capitals, at once
# and again whenever there is a new or a changed one. `LATER` is how long it takes, `SPARED` is what it leaves alone.
TRANSLATOR = """(() => {
  const textsIn = (node) => {
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    const texts = node.nodeType === Node.TEXT_NODE ? [node] : [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    return texts;
  };
  const translate = (node) => textsIn(node).forEach((text) => {
    if (!text.data.trim() || !text.parentElement || text.parentElement.closest('SPARED')) return;
    const [outer, inner] = [document.createElement('font'), document.createElement('font')];
    inner.textContent = text.data.toUpperCase();
    outer.append(inner);
    text.replaceWith(outer);
  });
  const soon = (node) => LATER ? setTimeout(() => translate(node), LATER) : translate(node);
  document.addEventListener('DOMContentLoaded', () => {
    translate(document.body);
    const watch = { childList: true, characterData: true, subtree: true };
    new MutationObserver((changes) => changes.forEach((change) => {
      (change.type === 'characterData' ? [change.target] : change.addedNodes).forEach(soon);
    })).observe(document.body, watch);
  });
})()"""
OBEDIENT = ("font font, script, [translate=no]", "0")
HEADSTRONG = ("font font, script", "50")
# Nothing is drawn in a tab that is left: what waits to be drawn waits until somebody looks again.
TAB = """(() => {
  const draw = window.requestAnimationFrame.bind(window);
  const waiting = [];
  let left = false;
  Object.defineProperty(document, 'hidden', { get: () => left });
  window.requestAnimationFrame = (step) => waiting.push(step);
  window.leave = () => { left = true; };
  window.comeBack = () => {
    left = false;
    window.requestAnimationFrame = draw;
    waiting.splice(0).forEach(draw);
  };
})()"""


@pytest.fixture
def befriend(open_tab: Callable[..., Tab]) -> Callable[[Tab], Tab]:
    """Let a friend join by somebody's link and confirm the address."""

    def join(member: Tab) -> Tab:
        friend = open_tab("friend")
        friend.go(member.link)
        friend.sign_up()
        friend.confirm_address()
        return friend

    return join


def open_translated(open_tab: Callable[..., Tab], translator: tuple[str, str], **options: object) -> Tab:
    alice = open_tab("alice", **options)
    spared, later = translator
    alice.context.add_init_script(TRANSLATOR.replace("SPARED", spared).replace("LATER", later))
    alice.sign_up()
    return alice


@pytest.mark.parametrize("translator", [OBEDIENT, HEADSTRONG], ids=["obedient", "headstrong"])
def test_figures_and_words_follow_what_happens(open_tab, befriend, translator):
    alice = open_translated(open_tab, translator)
    stats, places = alice.page.locator("#stats"), alice.page.locator("#leaderboard")
    own_place = places.locator(f"[data-username='{alice.username}']")
    for number, referrals in ((1, "referral"), (2, "referrals")):
        friend = befriend(alice)
        alice.expect_stat("total_referrals", number)
        expect(stats.locator(".tile").first).to_have_text(
            f"CONFIRMED {referrals.upper()} {number} {number} IN THE LAST 30 DAYS"
        )
        expect(stats.locator("[data-stat=rewards]")).to_have_text(f"{number}0 POINTS")
        expect(stats.locator("#tier-words")).to_have_text(f"{10 - number} MORE REFERRALS TO SILVER")
        newest = alice.page.locator("#recent [data-referral]").first
        expect(newest).to_contain_text(friend.username.upper())
        expect(newest.locator(".state")).to_have_text("CONFIRMED")
        expect(own_place.locator(".count")).to_have_text(f"{number} {referrals}".upper())
    places.get_by_text("WEEK", exact=True).click()
    expect(places.locator("h2")).to_have_text("THIS WEEK")


def test_the_copy_button_says_what_it_did_and_then_its_name_again(open_tab):
    alice = open_translated(open_tab, OBEDIENT, permissions=["clipboard-read", "clipboard-write"])
    label = alice.page.locator("[data-copy] [data-label]")
    label.click()
    expect(label).to_have_text("COPIED!")
    expect(label).to_have_text("COPY LINK")


def test_a_figure_that_was_counting_up_when_the_tab_was_left_does_not_come_back_over_a_newer_one(open_tab, befriend):
    alice = open_tab("alice")
    alice.context.add_init_script(TAB)
    alice.sign_up()
    befriend(alice)
    alice.expect_stat("total_referrals", 1)
    alice.page.evaluate("window.leave()")
    befriend(alice)
    alice.expect_stat("total_referrals", 2)
    alice.page.evaluate("window.comeBack()")
    alice.page.wait_for_timeout(1000)  # counting up takes 0.6 seconds
    assert alice.page.locator("[data-stat=total_referrals]").inner_text() == "2"
