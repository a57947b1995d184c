"""The whole flow in two real browsers: the friend's, and the referrer's page left open."""

import pytest
from playwright.sync_api import expect


def test_the_referrers_open_page_shows_the_friend_arrive(open_tab):
    alice, bob = open_tab("alice"), open_tab("bob")
    alice.sign_up()
    alice.expect_stat("total_referrals", 0)
    alice.page.evaluate("window.neverReloaded = true")

    bob.go(alice.link)
    expect(bob.page.get_by_text(f"Referred by {alice.username}")).to_be_visible()
    bob.sign_up()
    alice.expect_stat("pending", 1)
    friend = alice.page.locator(f'[data-referral][data-username="{bob.username}"]')
    expect(friend).to_have_attribute("data-status", "pending")

    bob.confirm_address()
    alice.expect_stat("total_referrals", 1)
    alice.expect_stat("rewards", 10)
    alice.expect_stat("pending", 0)
    expect(friend).to_have_attribute("data-status", "confirmed")
    place = alice.page.locator(f'#leaderboard [data-username="{alice.username}"]')
    expect(place).to_have_attribute("data-value", "1")
    assert alice.page.evaluate("window.neverReloaded")


def test_the_same_without_javascript(open_tab):
    alice, bob = (open_tab(name, java_script_enabled=False) for name in ("alice", "bob"))
    alice.sign_up()
    bob.go(alice.link)
    expect(bob.page.get_by_text(f"Referred by {alice.username}")).to_be_visible()
    bob.sign_up()
    bob.confirm_address()
    alice.page.reload()
    alice.expect_stat("total_referrals", 1)
    alice.expect_stat("rewards", 10)
    friend = alice.page.locator(f'[data-referral][data-username="{bob.username}"]')
    expect(friend).to_have_attribute("data-status", "confirmed")


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("apart", [0, 60])
def test_a_double_click_makes_one_account_and_ends_on_the_dashboard(open_tab, apart: float, javascript: bool):
    bob = open_tab("bob", java_script_enabled=javascript)
    bob.sign_up(clicks=2, apart=apart)
    bob.expect_stat("total_referrals", 0)


def test_without_javascript_a_mistake_is_shown_and_what_was_typed_is_kept(open_tab):
    bob = open_tab("bob", java_script_enabled=False)
    bob.go("/signup")
    bob.page.locator("[name=username]").fill(bob.username)
    bob.page.locator("form[action='/signup'] [type=submit]").click()
    expect(bob.page.locator("[name=email]")).to_have_attribute("aria-invalid", "true")
    expect(bob.page.locator("[name=username]")).to_have_value(bob.username)
    bob.mishaps.clear()  # the browser notes the 422 itself


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)  # it is about the page
def test_an_outage_leaves_the_figures_on_the_page_and_is_over_by_itself(open_tab, hub):
    alice, bob = open_tab("alice"), open_tab("bob")
    alice.sign_up()
    bob.go(alice.link)
    bob.sign_up()
    alice.expect_stat("pending", 1)
    with hub.valkey.away():
        for _ in range(2):
            with alice.page.expect_response("**/dashboard/stats") as answer:
                pass
            assert answer.value.status == 503
        alice.expect_stat("pending", 1)
        assert alice.link
        expect(alice.page.locator("h1")).to_have_count(1)
    bob.confirm_address()
    alice.expect_stat("total_referrals", 1)
    for tab in (alice, bob):
        tab.mishaps = [mishap for mishap in tab.mishaps if "status of 503" not in mishap]


def test_signing_out_in_one_tab_leads_the_other_to_the_sign_in_form(open_tab):
    alice = open_tab("alice")
    alice.sign_up()
    other = alice.context.new_page()
    other.goto(alice.page.url)
    other.locator("details:has(form[action='/logout']) > summary").click()
    other.locator("form[action='/logout'] [type=submit]").click()
    alice.page.wait_for_url(lambda url: "/login?next=" in url)
    alice.mishaps = [mishap for mishap in alice.mishaps if "status of 401" not in mishap]
