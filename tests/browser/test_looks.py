"""Pages that everybody can use: accessible in light and dark, and no wider than the screen."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import double_text, expect_to_fit, serious
from tests.browser.places import EVERYBODY, MEMBERS

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
# The pixels of the hidden field at which a tap would reach it.
SEEN_OF_TRAP = """() => {
  const inside = document.querySelector('.trap');
  let seen = 0;
  for (let x = 0; x < innerWidth; x += 4)
    for (let y = 0; y < innerHeight; y += 4)
      if (inside.contains(document.elementFromPoint(x, y))) seen += 1;
  return seen;
}"""
SHOWN = (*EVERYBODY, "signup with errors", "dashboard", "busy dashboard", "empty network", *MEMBERS)


_busy: dict[str, object] = {}  # the cookies of a member with a friend, who is the same in all tests


@pytest.fixture
def show(open_tab, busy, hub) -> Callable[..., object]:
    """Open one of the pages in a browser with these options."""

    def open_page(name: str, **options: object):
        is_busy = name == "busy dashboard" or name in MEMBERS
        if is_busy and hub.base_url not in _busy:
            _busy[hub.base_url] = busy().context.storage_state()
        if is_busy:
            options["storage_state"] = _busy[hub.base_url]
        tab = open_tab("someone.with.a.long.name", reduced_motion="reduce", **options)
        if name in EVERYBODY:
            tab.go(EVERYBODY[name])
        elif name == "signup with errors":
            tab.go("/signup")
            tab.page.locator("form[action='/signup'] [type=submit]").click()
            tab.page.locator("[aria-invalid=true]").first.wait_for()
        elif is_busy:
            tab.go(MEMBERS.get(name, "/dashboard/"))
        else:
            tab.sign_up()
        if name == "empty network":
            tab.go("/dashboard/network")
        tab.mishaps = [mishap for mishap in tab.mishaps if not {"400", "404", "422"} & set(mishap.split())]
        return tab.page

    return open_page


@pytest.mark.parametrize("name", SHOWN)
def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(show, name: str):
    page = show(name, viewport={"width": 1280, "height": 740})
    assert serious(page, name) == []
    for width in (1280, 768, 390, 360, 320):
        expect_to_fit(page, width, name)


@pytest.mark.parametrize("name", SHOWN)
def test_text_of_double_size_fits_on_a_phone_and_on_a_large_screen(show, name: str):
    page = show(name, viewport={"width": 390, "height": 844})
    double_text(page)
    for width in (390, 1280):
        expect_to_fit(page, width, name)


def test_the_field_that_is_hidden_from_people_is_seen_at_no_width(show):
    page = show("signup")
    for width in (1280, 390, 377, 320, 240):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(SEEN_OF_TRAP) == 0, f"{width} px wide"


@pytest.mark.parametrize("name", ["signup", "login", "dashboard"])
def test_what_is_pressed_is_large_enough_for_a_thumb(show, name: str):
    page = show(name, viewport={"width": 390, "height": 740}, has_touch=True)
    for control in page.locator("button:visible, input:not([type=hidden]):not([type=checkbox]):visible").all():
        box = control.bounding_box()
        assert box["height"] >= 43.5, control.evaluate("e => e.outerHTML")
