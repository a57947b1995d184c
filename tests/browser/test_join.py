"""The page in the referrer's name in a real browser: everybody can use it, whatever the member shows and says there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Tab, double_text, expect_to_fit, serious
from tests.browser.test_looks import SEEN_OF_TRAP
from tests.pictures import encoded, face
from tests.servers import wait_until

pytestmark = [pytest.mark.parametrize("hub", ["sqlite"], indirect=True), pytest.mark.usefixtures("personal")]
PICTURE = "form[action='/account/picture']"


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A picture as phones take them, larger than the form takes."""
    file = tmp_path / "photograph.jpg"
    file.write_bytes(encoded(Image.effect_noise((4000, 3000), 80).convert("RGB"), "JPEG", quality=95))
    assert file.stat().st_size > 5_000_000
    return file


def introduce_oneself(tab: Tab, name: str, greeting: str) -> None:
    """Choose a name and a line, on the page for them."""
    tab.go("/account/profile")
    tab.page.locator("[name=display_name]").fill(name)
    tab.page.locator("[name=greeting]").fill(greeting)
    tab.page.locator("form:has([name=display_name]) [type=submit]").click()
    tab.page.get_by_role("status").get_by_text("Saved").wait_for()


def choose(tab: Tab, picture: Path) -> Locator:
    """Choose a picture, and give the field."""
    field = tab.page.locator(f"{PICTURE} [type=file]")
    field.set_input_files(picture)
    return field


def send(tab: Tab) -> None:
    """Send what was chosen."""
    tab.page.locator(PICTURE).get_by_role("button", name="Use this picture").click()


def put_up(tab: Tab, picture: Path) -> None:
    """Choose a picture and see that it is taken."""
    choose(tab, picture)
    send(tab)
    tab.page.get_by_role("status").get_by_text("That is your picture now").wait_for()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_friend_meets_the_referrer_and_both_are_credited(open_tab, tmp_path: Path, javascript: bool):
    alice, bob = (open_tab(name, java_script_enabled=javascript) for name in ("alice", "bob"))
    alice.sign_up()
    link = alice.link
    picture = tmp_path / "me.png"
    picture.write_bytes(encoded(face((400, 300)), "PNG"))
    introduce_oneself(alice, "Alice Lindgren", "Come along!")
    put_up(alice, picture)
    shown = alice.page.locator(".menu summary img")
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256

    bob.go(link)
    assert re.search(r"/join\?visit=[\w.-]+$", bob.page.url)
    expect(bob.page.get_by_role("heading", level=1)).to_have_text("Alice Lindgren invites you to ReferralHub")
    expect(bob.page.locator("blockquote")).to_have_text("Come along!")
    image = bob.page.locator("img.avatar")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256
    bob.sign_up()
    bob.confirm_address()
    alice.go("/dashboard/")
    alice.expect_stat("total_referrals", 1)


def test_a_photograph_is_made_small_before_it_is_sent(open_tab, photograph: Path):
    alice = open_tab("alice")
    alice.sign_up()
    alice.go("/account/profile")
    field = choose(alice, photograph)
    wait_until(lambda: field.evaluate("field => field.files[0].size") < 1_000_000, "it is small")
    assert field.evaluate("field => field.files[0].name") == "photograph.jpg"
    send(alice)
    alice.page.get_by_role("status").get_by_text("That is your picture now").wait_for()


def test_what_is_no_picture_is_sent_as_it_is_and_refused_at_the_field(open_tab, tmp_path: Path):
    alice = open_tab("alice")
    alice.sign_up()
    alice.go("/account/profile")
    file = tmp_path / "me.png"
    file.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    choose(alice, file)
    send(alice)
    expect(alice.page.locator("#picture-error")).to_contain_text("no PNG, JPEG or WebP")
    alice.mishaps.clear()  # the browser notes the 422 itself


@pytest.fixture
def link(open_tab: Callable[..., Tab], request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The link of somebody whose name and line are as wide as they may be."""
    letter = request.param
    referrer = open_tab("W" * 20)
    referrer.sign_up()
    link = referrer.link
    picture = tmp_path / "me.png"
    picture.write_bytes(encoded(face(), "PNG"))
    introduce_oneself(referrer, letter * 39 + "W", letter * 140)
    if letter != "龘":  # who shows no picture, but the first letter
        put_up(referrer, picture)
        expect_to_fit(referrer.page, 320, "the profile")
    return link


@pytest.mark.parametrize("link", ["W", "龘", "﷽"], ids=["latin", "chinese", "arabic"], indirect=True)
def test_axe_finds_nothing_serious_and_it_is_no_wider_than_the_screen(open_tab, link: str):
    friend = open_tab("friend", reduced_motion="reduce", viewport={"width": 1280, "height": 740})
    friend.go(link)
    assert serious(friend.page, "join") == []
    for width in (1440, 1280, 768, 390, 360, 320):
        expect_to_fit(friend.page, width, "join")
        friend.page.set_viewport_size({"width": width, "height": 740})
        assert friend.page.evaluate(SEEN_OF_TRAP) == 0
    friend.page.locator("form.card [type=submit]").click()
    friend.page.locator("[aria-invalid=true]").first.wait_for()
    assert serious(friend.page, "join with errors") == []
    for width in (1280, 320):
        expect_to_fit(friend.page, width, "join with errors")
    friend.mishaps.clear()  # the browser notes the 422 itself
    double_text(friend.page)
    for width in (390, 1280):
        expect_to_fit(friend.page, width, "join with large text")


@pytest.mark.parametrize("link", ["W"], indirect=True)
def test_beside_the_picture_there_is_a_margin_and_the_form_is_beside_it_or_below(open_tab, link: str):
    friend = open_tab("friend")
    friend.go(link)
    for width, beside in ((1440, True), (360, False), (320, False)):
        friend.page.set_viewport_size({"width": width, "height": 844})
        pitch, form = (friend.page.locator(each).bounding_box() for each in (".join > .pitch", ".join > form"))
        assert (form["x"] > pitch["x"] + pitch["width"]) is beside
        assert (form["y"] >= pitch["y"] + pitch["height"]) is not beside
        assert pitch["x"] >= (16 if width >= 360 else 14)
