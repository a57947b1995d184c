"""Every page with the keyboard alone: each control is reached, in order, and one sees where one is."""

import pytest
from playwright.sync_api import Page

from tests.browser.places import ADMINS, EVERYBODY, MEMBERS

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
MOST = 400  # presses of a key on one page
FROM_HERE = "#main"  # on: the header is the same on each page
PHONE = {"viewport": {"width": 360, "height": 740}}
# Numbers what somebody should get to, in the order of the page.
NUMBER = """() => {
  const all = 'a[href], button, input, select, textarea, summary, [tabindex]';
  const ignored = ':disabled, [type=hidden], [tabindex="-1"]';
  const skipped = (each) => location.hash === '#main' && !each.closest('main, .footer');
  const seen = (each) => each.checkVisibility({ visibilityProperty: true });
  const there = (each) => !each.matches(ignored) && !skipped(each) && seen(each);
  const found = [...document.querySelectorAll(all)].filter(there);
  found.forEach((each, number) => { each.dataset.number = number; });
  document.activeElement.blur();
  return found.map(each => each.outerHTML.slice(0, 100).replace(/\\s+/g, ' '));
}"""
# Where somebody is, and whether they see it: an outline, on the screen, that nothing lies over.
WHERE = """() => {
  const here = document.activeElement;
  if (!here || here === document.body || here === document.documentElement) return null;
  const style = getComputedStyle(here);
  const box = here.getBoundingClientRect();
  const middle = (from, to, most) => (Math.max(from, 0) + Math.min(to, most)) / 2; // of what is on the screen
  const [x, y] = [middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight)];
  const over = document.elementFromPoint(x, y);
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  const labels = [...(here.labels ?? [])];
  const seen = over && (here.contains(over) || over.contains(here) || labels.some(label => label.contains(over)));
  return { number: Number(here.dataset.number ?? -1), outlined, seen: Boolean(seen) };
}"""


def walk(page: Page, what: str) -> None:
    """Press Tab from the beginning of the page to its end."""
    expected = page.evaluate(NUMBER)
    reached: list[int] = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        where = page.evaluate(WHERE)
        if where is None:
            break
        if reached and where["number"] == reached[-1]:
            continue  # the parts of a date
        if where["number"] in reached or (reached and where["number"] < 0):
            break  # it begins again
        reached.append(where["number"])
        name = expected[where["number"]] if where["number"] >= 0 else page.evaluate("document.activeElement.outerHTML")
        assert where["outlined"], f"{what}: the focus cannot be seen on {name}"
        assert where["seen"], f"{what}: something lies over {name}"
    missed = [expected[number] for number in range(len(expected)) if number not in reached]
    assert missed == [], f"{what}: not reached"
    assert reached == sorted(reached), f"{what}: not in order: {[expected[number] for number in reached]}"


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_on_the_pages_of_visitors(open_tab, size: dict):
    tab = open_tab("visitor", reduced_motion="reduce", **size)
    for name, path in EVERYBODY.items():
        tab.go(path)
        walk(tab.page, name)
    tab.mishaps.clear()  # some of these pages say what is not there


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_on_the_pages_of_members(open_tab, size: dict):
    tab = open_tab("somebody", reduced_motion="reduce", **size)
    tab.sign_up()
    walk(tab.page, "dashboard")
    for name, path in MEMBERS.items():
        tab.go(path + FROM_HERE)
        walk(tab.page, name)


def test_in_the_panel(panel, hub):
    page = panel()
    for path in ADMINS:
        page.goto(hub.base_url + path + FROM_HERE)
        walk(page, path)
