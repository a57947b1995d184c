"""Pages that everybody can use: accessible in light and dark, and no wider than the screen."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
EVERYBODY = {"home": "/", "signup": "/signup", "login": "/login", "leaderboard": "/leaderboard", "missing": "/nothing"}
MEMBERS = {"referrals": "/dashboard/referrals", "rewards": "/dashboard/rewards", "profile": "/account/profile"}
SHOWN = (*EVERYBODY, "signup with errors", "dashboard", "busy dashboard", *MEMBERS)


@pytest.fixture
def show(open_tab) -> Callable[..., object]:
    """Open one of the pages in a browser with these options."""

    def open_page(name: str, **options: object):
        tab = open_tab("someone.with.a.long.name", reduced_motion="reduce", **options)
        if name in EVERYBODY:
            tab.go(EVERYBODY[name])
        elif name == "signup with errors":
            tab.go("/signup")
            tab.page.locator("form[action='/signup'] [type=submit]").click()
            tab.page.locator("[aria-invalid=true]").first.wait_for()
        else:
            tab.sign_up()
        if name == "busy dashboard" or name in MEMBERS:
            friend = open_tab("a.friend.with.a.long.name")
            friend.go(tab.link)
            friend.sign_up()
            friend.confirm_address()
            tab.expect_stat("total_referrals", 1)
            tab.page.locator("#leaderboard [data-rank]").first.wait_for()
        if name in MEMBERS:
            tab.go(MEMBERS[name])
        tab.mishaps = [mishap for mishap in tab.mishaps if "404" not in mishap and "422" not in mishap]
        return tab.page

    return open_page


@pytest.mark.parametrize("name", SHOWN)
def test_axe_finds_nothing_serious_in_light_and_dark(show, name: str):
    page = show(name)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        serious = [
            f"{scheme}: {violation['id']}: {node['html']}"
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in {"serious", "critical"}
            for node in violation["nodes"]
        ]
        assert serious == []


@pytest.mark.parametrize("name", SHOWN)
def test_no_page_is_wider_than_the_screen(show, name: str):
    page = show(name, viewport={"width": 360, "height": 740})
    for width in (360, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        widest = page.evaluate("document.documentElement.scrollWidth")
        assert widest <= width, f"{widest} px wide on a screen of {width}"


@pytest.mark.parametrize("name", ["signup", "login", "dashboard"])
def test_what_is_pressed_is_large_enough_for_a_thumb(show, name: str):
    page = show(name, viewport={"width": 390, "height": 740}, has_touch=True)
    for control in page.locator("button:visible, input:not([type=hidden]):not([type=checkbox]):visible").all():
        box = control.bounding_box()
        assert box["height"] >= 43.5, control.evaluate("e => e.outerHTML")
