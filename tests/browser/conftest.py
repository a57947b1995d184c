"""A running ReferralHub, and browsers in which nothing may go wrong unnoticed."""

import re
from collections.abc import Callable, Iterator
from itertools import count
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import chromium, servers
from tests.conftest import DATABASES, extra_database
from tests.people import link_in, read_letters

WARDEN = "warden"  # an admin
_numbers = count(1)
expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    arguments = {**browser_type_launch_args, "args": list(chromium.OPTIONS)}
    if path := chromium.of_the_system():
        arguments["executable_path"] = path
    return arguments


@pytest.fixture(scope="session", params=DATABASES)
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.ReferralHub]:
    """A web server and a worker, with a database and a Valkey of their own."""
    instance = tmp_path_factory.mktemp("hub")
    with (
        servers.short_folder() as folder,
        servers.Valkey(folder) as valkey,
        extra_database(request.param, instance, request, migrated=True) as url,
    ):
        plain_url = re.sub(r"^sqlite:///file:(.*)\?.*", r"sqlite:///\1", url)  # as an operator writes it
        settings = {"RATELIMIT_ENABLED": "false", "WEBHOOK_PRIVATE_ADDRESSES": "true"}
        with servers.ReferralHub(instance, plain_url, valkey.url, **settings) as hub:
            hub.valkey = valkey
            hub.done = set()  # what tests have prepared in it
            yield hub


class Tab:
    """One person's browser, with a page that is watched for errors and for calls to other hosts."""

    def __init__(self, context: BrowserContext, hub: servers.ReferralHub, username: str) -> None:
        self.context = context
        self.hub = hub
        self.username = username
        self.email = f"{username}@example.com"
        self.password = f"{username} likes tea"
        self.mishaps: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.mishaps.append(f"error: {error}"))
        self.page.on("request", self._note_request)

    def _note_console(self, message) -> None:
        if message.type in {"error", "warning"}:
            self.mishaps.append(f"{message.type}: {message.text}")

    def _note_request(self, request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.hub.base_url).netloc:
            self.mishaps.append(f"request to {request.url}")

    def go(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else self.hub.base_url + path)

    def sign_up(self, clicks: int = 1, apart: float = 0) -> None:
        """Fill in the form that is open, or open it first; press the button so often, so many milliseconds apart."""
        if urlsplit(self.page.url).path not in {"/signup", "/join"}:
            self.go("/signup")
        form = self.page.locator("form", has=self.page.locator("[name=password_confirm]"))
        for name, value in (
            ("username", self.username), ("email", self.email),
            ("password", self.password), ("password_confirm", self.password),
        ):  # fmt: skip
            form.locator(f"[name={name}]").fill(value)
        form.locator("[type=submit]").click(click_count=clicks, delay=apart)
        self.page.wait_for_url("**/dashboard/")

    def confirm_address(self) -> None:
        """Wait for the mail, follow its link, press the button."""
        letters = []

        def arrived() -> bool:
            letters[:] = [a for a in read_letters(self.hub.instance / "mail") if a["To"] == self.email]
            return bool(letters)

        servers.wait_until(arrived, f"mail for {self.email}")
        self.go(link_in(letters[0], "/verify/"))
        self.page.locator("form[action^='/verify/'] [type=submit]").click()
        self.page.wait_for_url("**/dashboard/")

    @property
    def link(self) -> str:
        return self.page.locator("#referral-link").input_value()

    def expect_stat(self, name: str, value: int) -> None:
        expect(self.page.locator(f'[data-stat="{name}"]')).to_have_attribute("data-value", str(value))


# The texts that somebody does not get to see whole: beyond the screen, or out of the box that they stand in.
_CUT = """() => {
  const cut = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const [text, parent] = [walker.currentNode, walker.currentNode.parentElement];
    const elsewhere = '.visually-hidden, .skip, .trap, .table, .tabs'; // not to be seen, or scrolled in its own box
    if (!text.data.trim() || !parent.checkVisibility() || parent.closest(elsewhere)) continue;
    const boxes = '.card, .tile, .notice, .link-card, .networks a, .button, .badge, .state, body';
    const box = parent.closest(boxes).getBoundingClientRect();
    const [left, right] = [Math.max(box.left, 0) - 1, Math.min(box.right, innerWidth) + 1];
    const range = document.createRange();
    range.selectNodeContents(text);
    const outside = (line) => line.width && (line.left < left || line.right > right);
    const ellipsis = getComputedStyle(parent).textOverflow === 'ellipsis' && parent.scrollWidth > parent.clientWidth;
    if (ellipsis || [...range.getClientRects()].some(outside)) cut.push(text.data.trim());
  }
  return cut;
}"""
# The cells of tables that somebody does not get to see whole, not even by scrolling the frame that they are in.
_CUT_CELLS = """() => {
  const cut = [];
  for (const table of document.querySelectorAll('table')) {
    if (!table.checkVisibility()) continue;
    const frame = table.closest('.table');
    const box = (frame ?? table.parentElement).getBoundingClientRect();
    if (frame && frame.scrollWidth > frame.clientWidth + 1) {
      const named = frame.ariaLabel || document.getElementById(frame.getAttribute('aria-labelledby'))?.textContent;
      const scrolls = ['auto', 'scroll'].includes(getComputedStyle(frame).overflowX);
      if (!scrolls || frame.tabIndex !== 0 || frame.role !== 'group' || !named) cut.push('a frame to be scrolled');
    }
    for (const cell of table.querySelectorAll('th, td')) {
      const inside = (it, edge) => it.left >= edge.left - 1 && it.right <= edge.right + 1;
      if (frame) cell.scrollIntoView({ block: 'nearest', inline: 'center' });
      const [place, range] = [cell.getBoundingClientRect(), document.createRange()];
      range.selectNodeContents(cell);
      const texts = cell.querySelector('.visually-hidden') ? [] : [...range.getClientRects()];
      // What spans columns can be wider than the frame, its words cannot.
      const all = cell.colSpan > 1 ? texts : [place];
      const whole = all.every(it => inside(it, box)) && texts.every(text => !text.width || inside(text, place));
      if (!whole) cut.push(cell.innerText);
    }
    if (frame) frame.scrollLeft = 0;
  }
  return cut;
}"""
# What of the header runs into something else there, or off the screen.
_COLLISIONS = """() => {
  const parts = [...document.querySelectorAll('.topbar .brand, .topbar .nav-link, .topbar .menu > summary')];
  const boxes = parts.map(part => [part.textContent.trim(), part.getBoundingClientRect()]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const hits = (box, i) => boxes.some(([_, other], j) => j > i && meet(box, other));
  return boxes.filter(([_, box], i) => box.right > innerWidth + 1 || hits(box, i)).map(([text]) => text);
}"""
# The controls that somebody cannot get at whole: beyond the screen, or with more in them than they show.
_CLIPPED = """() => {
  const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary, label.check, progress, meter';
  const elsewhere = '.visually-hidden, .skip, .trap, .table, .tabs';
  const clipped = (control) => {
    const box = control.getBoundingClientRect();
    const beyond = box.left < -1 || box.right > innerWidth + 1;
    const typed = control.matches('input, textarea, select'); // what is in them scrolls
    const flows = typed || getComputedStyle(control).display === 'inline';
    const hidden = !flows && control.scrollWidth > control.clientWidth + 1;
    return beyond || hidden;
  };
  return [...document.querySelectorAll(controls)]
    .filter(control => control.checkVisibility() && !control.closest(elsewhere) && clipped(control))
    .map(control => control.outerHTML.slice(0, 120));
}"""


def expect_to_fit(page: Page, width: int, what: str) -> None:
    """See that on a screen of this width nothing scrolls sideways, is cut off, or runs into something else."""
    page.set_viewport_size({"width": width, "height": 844})
    widest = page.evaluate("document.documentElement.scrollWidth")
    assert widest <= width, f"{what}: {widest} px wide on a screen of {width}"
    assert page.evaluate(_COLLISIONS) == [], f"{what}: in the header, {width} px wide"
    assert page.evaluate(_CUT) == [], f"{what}: cut off, {width} px wide"
    assert page.evaluate(_CUT_CELLS) == [], f"{what}: of a table, {width} px wide"
    assert page.evaluate(_CLIPPED) == [], f"{what}: controls, {width} px wide"


def double_text(page: Page) -> None:
    """Set the text size of the browser to 200 %, as people do who see less well; the screen stays as it is."""
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32, "fixed": 26}})
    page.wait_for_function("getComputedStyle(document.documentElement).fontSize === '32px'")


def violations(page: Page, scheme: str) -> list[dict]:
    """What axe finds on the page in these colours; in the dark it looks at them alone, as the page is the same."""
    page.emulate_media(color_scheme=scheme)
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if scheme == "dark":
        options["runOnly"] = ["cat.color"]
    return Axe().run(page, options=options).response["violations"]


def serious(page: Page, what: str, schemes: tuple[str, ...] = ("light", "dark")) -> list[str]:
    """Name every place on the page where axe finds something serious."""
    return [
        f"{what}, {scheme}: {violation['id']}: {node['html']}"
        for scheme in schemes
        for violation in violations(page, scheme)
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.fixture
def open_tab(hub: servers.ReferralHub, browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Open a browser for somebody new; when the test is over, none of them may have met with a mishap."""
    tabs: list[Tab] = []

    def open_(name: str, **options: object) -> Tab:
        context = browser.new_context(**options)
        tabs.append(Tab(context, hub, f"{name}{next(_numbers)}"))
        return tabs[-1]

    yield open_
    mishaps = [f"{tab.username}: {mishap}" for tab in tabs for mishap in tab.mishaps]
    for tab in tabs:
        tab.context.close()
    assert mishaps == []


@pytest.fixture
def busy(open_tab: Callable[..., Tab]) -> Callable[[], Tab]:
    """Open the dashboard of somebody whose first friend has just been confirmed."""

    def open_() -> Tab:
        tab, friend = open_tab("someone.with.a.long.name"), open_tab("a.friend.with.a.long.name")
        tab.sign_up()
        friend.go(tab.link)
        friend.sign_up()
        friend.confirm_address()
        tab.expect_stat("total_referrals", 1)
        tab.page.locator("#leaderboard [data-rank]").first.wait_for()
        return tab

    return open_


@pytest.fixture
def personal(hub: servers.ReferralHub) -> Iterator[None]:
    """Links lead to a page in the referrer's name; afterwards they do not."""
    hub.flask("program", "set", "personal_landing", "true")
    yield
    hub.flask("program", "set", "personal_landing", "false")


@pytest.fixture
def panel(open_tab, hub) -> Callable[..., Page]:
    """Open the panel as an admin of a program with some members."""
    if "create-admin" not in hub.done:
        hub.flask("seed", "bulk", "--members", "200")  # a few of them wait for a decision
        hub.flask("perks", "add", "Sticker", "--unlocked-at", "50")
        hub.flask("webhooks", "add", "https://shop.example.com/webhooks")
        hub.flask("webhooks", "test", "1")
        hub.flask("users", "create-admin", "--username", WARDEN, "--email", f"{WARDEN}@example.com", "--password-stdin",
                  typed=f"{WARDEN} likes tea\n")  # fmt: skip
        hub.done.add("create-admin")

    def open_(**options: object) -> Page:
        tab = open_tab("admin", reduced_motion="reduce", **options)
        tab.go("/login?next=/admin/")
        tab.page.locator("#username").fill(WARDEN)
        tab.page.locator("#password").fill(f"{WARDEN} likes tea")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_url(f"{hub.base_url}/admin/")
        return tab.page

    return open_
