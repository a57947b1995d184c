"""The example shop in three browsers: of a customer, of the friend whom she brings, and of the owner."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from examples.shop.database import CUSTOMER, OWNER, PASSWORD
from examples.start import RULES
from tests.browser.conftest import Tab, serious
from tests.servers import ReferralHub, wait_until
from tests.shops import Shop

pytestmark = pytest.mark.deep


@pytest.fixture
def shop(hub: ReferralHub, tmp_path: Path) -> Iterator[Shop]:
    """The shop, connected with the ReferralHub of all tests, whose rules are as they were afterwards."""
    before = hub.json("program", "show")
    with Shop(tmp_path, hub) as shop:
        yield shop
    shop.api("PATCH", "/program", {name: before[name] for name in [*RULES, "destination"]})
    for webhook in hub.json("webhooks", "list")["webhooks"]:
        hub.flask("webhooks", "remove", str(webhook["id"]))


def sign_in(tab: Tab, shop: Shop, email: str) -> None:
    tab.go(f"{shop.url}/login")
    tab.page.get_by_label("E-mail").fill(email)
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.wait_for_url(f"{shop.url}/orders")


def test_a_friend_buys_and_both_have_credit_until_some_of_it_is_refunded(open_tab, shop: Shop):
    ada, bo, owner = open_tab("ada"), open_tab("bo"), open_tab("owner")
    sign_in(ada, shop, CUSTOMER)
    ada.page.get_by_role("button", name="Your referrals").click()
    ada.page.wait_for_url("**/dashboard/")
    link = ada.link

    bo.go(link)
    assert bo.page.url == f"{shop.url}/"
    expect(bo.page.get_by_text("A friend sent you here")).to_be_visible()
    bo.page.get_by_role("link", name="Teapot").click()
    bo.page.get_by_role("link", name="Buy").click()
    for label, value in (("Name", "Bo"), ("E-mail", bo.email), ("Password", PASSWORD)):
        bo.page.get_by_label(label).fill(value)
    bo.page.get_by_role("button", name="Sign up").click()
    bo.page.get_by_label("A friend’s code").fill("nobodys1")
    bo.page.get_by_role("button", name="Check").click()
    expect(bo.page.get_by_text("Nobody has this code")).to_be_visible()
    bo.page.get_by_role("button", name="Pay 49.00 €").click()
    expect(bo.page.get_by_text("Your tea is on its way")).to_be_visible()

    def has_credit(tab: Tab, cents: int) -> bool:
        tab.go(f"{shop.url}/orders")
        return tab.page.locator("#credit").get_attribute("data-cents") == str(cents)

    wait_until(lambda: has_credit(ada, 490), "her share is credit in the shop")
    wait_until(lambda: has_credit(bo, 500), "his welcome is, too")

    sign_in(owner, shop, OWNER)
    owner.page.get_by_role("link", name="Office").click()
    owner.page.get_by_label("Euros to give back").fill("24.50")
    owner.page.get_by_role("button", name="Refund").click()
    expect(owner.page.locator("[data-event='refund-1']")).to_be_visible()

    def has_debt() -> bool:
        ada.go("/dashboard/rewards")
        return ada.page.get_by_text("−€2.45").or_(ada.page.get_by_text("-€2.45")).count() > 0

    wait_until(has_debt, "she reads why her balance is below zero")
    for tab, paths in ((bo, ("/", "/tea/teapot", "/checkout/teapot", "/orders")), (owner, ("/office",))):
        for path in paths:
            tab.go(f"{shop.url}{path}")
            assert serious(tab.page, path) == []
            tab.page.set_viewport_size({"width": 360, "height": 800})
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360, path
    for tab in (ada, bo, owner):
        tab.mishaps = [mishap for mishap in tab.mishaps if shop.url not in mishap]
