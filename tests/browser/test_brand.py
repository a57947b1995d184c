"""The operator's brand in a real browser: whatever the accent, everybody can use the pages, and admins see it live."""

import random
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import expect_to_fit, serious
from tests.browser.places import ADMINS, EVERYBODY, MEMBERS

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
drawn = random.Random(7)  # the same ones each time
ACCENTS = ["#ffd400", "#0b3d2e", *(f"#{drawn.randrange(1 << 24):06x}" for _ in range(8))]
LONG = "The Society of Tomato Growers and Eaters"


@pytest.fixture
def brand(hub) -> Iterator[object]:
    """Change the brand as an operator does; afterwards it is as it was."""

    def change(key: str, value: str) -> None:
        hub.flask("brand", "set", key, value)

    yield change
    for key, value in (("name", "ReferralHub"), ("accent", "none"), ("terms_url", "none"), ("support_email", "none")):
        change(key, value)


def unreadable(page: Page, what: str) -> list[str]:
    """Return what axe says of the colours alone, which are all that an accent changes."""
    options = {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": ["color-contrast"]}}
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page, options=options).response["violations"]
        found += [f"{what}, {scheme}: {node['html']}" for violation in violations for node in violation["nodes"]]
    return found


def test_axe_finds_nothing_in_a_bright_and_a_dark_brand(open_tab, brand, hub):
    visitor, member = open_tab("visitor", reduced_motion="reduce"), open_tab("member", reduced_motion="reduce")
    brand("name", LONG)
    brand("terms_url", "https://tomato.example/terms")
    brand("support_email", "help@tomato.example")
    member.sign_up()
    for accent in ACCENTS[:2]:
        brand("accent", accent)
        visitor.go("/leaderboard")  # what is kept in Redis is known to be out of date at once
        for tab, path in ((visitor, "/"), (member, "/dashboard/")):
            tab.go(path)
            assert tab.page.locator(f"link[href*='/brand/{accent[1:]}.css']").count() == 1
            check = serious if accent == ACCENTS[0] else unreadable
            assert check(tab.page, f"{accent} {path}") == []
    for tab in (visitor, member):
        for width in (1280, 360, 320):
            expect_to_fit(tab.page, width, LONG)


@pytest.mark.deep
def test_axe_finds_nothing_on_any_page_in_ten_brands(open_tab, busy, panel, brand, hub, personal):
    visitor, member, admin = open_tab("visitor", reduced_motion="reduce"), busy(), panel()
    friend = open_tab("friend", reduced_motion="reduce")
    friend.go(member.link)
    pages = [(visitor.page, path) for path in EVERYBODY.values()]
    pages += [(member.page, path) for path in ("/dashboard/", *MEMBERS.values())]
    pages += [(admin, path) for path in ADMINS]
    pages.append((friend.page, "/join"))
    brand("name", LONG)
    member.page.emulate_media(reduced_motion="reduce")
    for accent in ACCENTS:
        brand("accent", accent)
        visitor.go("/leaderboard")
        for page, path in pages:
            page.goto(hub.base_url + path)
            assert page.locator(f"link[href*='/brand/{accent[1:]}.css']").count() == 1
            what = f"{accent} {path}"
            assert serious(page, what, ("light",)) + unreadable(page, what) == []
    visitor.mishaps = [mishap for mishap in visitor.mishaps if "404" not in mishap]


def test_an_admin_sees_it_live_and_puts_it_in_force(panel, brand, hub):
    page = panel(viewport={"width": 1280, "height": 900})
    page.goto(f"{hub.base_url}/admin/brand/")
    # A sample in the light is on the page in the dark, too, where what is looked for is more than it needs.
    assert serious(page, "brand", ("light",)) + unreadable(page, "brand") == []
    sample = page.locator("#brand-sample")
    page.locator("#name").fill("Tomato Club")
    expect(sample).to_contain_text("Tomato Club")
    page.locator("#accent").fill("#ffd400")
    expect(sample).to_have_attribute("data-accent", "#ffd400")
    fill = "getComputedStyle(document.querySelector('.sample .button.primary')).backgroundImage"
    page.wait_for_function(f"{fill}.includes('rgb(255, 212, 0)')")
    assert unreadable(page, "brand with another sample") == []
    for width in (1280, 768, 360, 320):
        expect_to_fit(page, width, "brand")
    assert "ReferralHub" in page.title()
    page.get_by_role("button", name="Put it in force").click()
    expect(page.get_by_role("status").first).to_contain_text("is in force")
    expect(page).to_have_title("Brand · Tomato Club")


def test_without_javascript_the_preview_is_a_page(panel, brand, hub):
    page = panel(java_script_enabled=False)
    page.goto(f"{hub.base_url}/admin/brand/")
    page.locator("#name").fill("Tomato Club")
    page.locator("#headline").fill("Ripe friends only")
    page.get_by_role("button", name="See how it looks").click()
    expect(page.locator("#brand-sample")).to_contain_text("Ripe friends only")
    expect(page.locator("#name")).to_have_value("Tomato Club")
    expect(page).to_have_title("Brand · ReferralHub")
