"""What each page is for, done once with the keyboard alone, and once with a mouse but without JavaScript."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.services.accounts import totp
from tests.browser.conftest import Tab
from tests.browser.test_panel import tab_to

pytestmark = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
_numbers = count(1)


class Keyboard:
    """Somebody without a mouse."""

    javascript = True

    def __init__(self, page: Page) -> None:
        self.page = page

    def write(self, field: str, text: str) -> None:
        tab_to(self.page, field)
        if self.page.locator(field).evaluate("field => field.matches('input, textarea') && field.value !== ''"):
            self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def press(self, button: str) -> None:
        tab_to(self.page, button)
        self.page.keyboard.press(
            "Space" if self.page.locator(button).first.get_attribute("type") == "checkbox" else "Enter"
        )

    def choose(self, field: str, label: str) -> None:
        tab_to(self.page, field)
        self.page.keyboard.type(label)


class MouseAlone:
    """Somebody whose browser runs no scripts."""

    javascript = False

    def __init__(self, page: Page) -> None:
        self.page = page

    def write(self, field: str, text: str) -> None:
        self.page.locator(field).fill(text)

    def press(self, button: str) -> None:
        self.page.locator(button).first.click()

    def choose(self, field: str, label: str) -> None:
        self.page.locator(field).select_option(label=label)


@dataclass
class Somebody:
    """One person's page, how they use it, and what they find on it."""

    tab: Tab
    hand: Keyboard | MouseAlone

    @property
    def page(self) -> Page:
        return self.tab.page

    @property
    def base_url(self) -> str:
        return self.tab.hub.base_url

    @property
    def name(self) -> str:
        return self.tab.username

    def go(self, path: str) -> "Somebody":
        self.page.goto(self.base_url + path)
        return self

    def do(self, *steps: tuple[str, ...]) -> "Somebody":
        """Press each button, and write or choose what stands beside a field."""
        for selector, *text in steps:
            if not text:
                self.hand.press(selector)
            elif self.page.locator(selector).first.evaluate("field => field.matches('select')"):
                self.hand.choose(selector, text[0])
            else:
                self.hand.write(selector, text[0])
        return self

    def finds(self, words: str, at: str = "main") -> None:
        expect(self.page.locator(at).first).to_contain_text(words)

    def sign_in(self, username: str) -> None:
        self.go("/login").do(("#username", username), ("#password", DEMO_PASSWORD), (SEND.format("/login"),))
        self.page.wait_for_url("**/dashboard/")


SEND = "form[action='{}'] [type=submit]"


@pytest.fixture(params=[Keyboard, MouseAlone], ids=["keyboard", "without JavaScript"])
def somebody(request: pytest.FixtureRequest, open_tab, hub) -> Iterator[Callable[[str], Somebody]]:
    """Open a browser for somebody of the demo, or for a visitor."""
    if "demo" not in hub.done:
        hub.flask("seed", "demo")
        hub.done.add("demo")

    def open_(username: str = "") -> Somebody:
        hand = request.param
        tab = open_tab("newcomer", reduced_motion="reduce", java_script_enabled=hand.javascript)
        person = Somebody(tab, hand(tab.page))
        if username:
            person.sign_in(username)
        return person

    yield open_


def test_what_visitors_come_for(somebody):
    person: Somebody = somebody()
    person.go("/").do((".hero .button.primary",))
    person.page.wait_for_url("**/signup")
    person.go("/leaderboard").do((".tabs a[href*='period=week']",)).finds("This week")
    if person.hand.javascript:
        person.go("/privacy").do(("a.skip",))
        assert person.page.url.endswith("#main")
    person.go("/password/forgot").do(("#email", "nobody@example.com"), (SEND.format("/password/forgot"),))
    person.finds("Look into your mail")


def test_what_a_newcomer_comes_for(somebody):
    person: Somebody = somebody()
    password = "a few words in a row"
    person.go("/signup").do(
        ("#username", person.name), ("#email", f"{person.name}@example.com"), ("#password", password),
        ("#password_confirm", password), (SEND.format("/signup"),),
    )  # fmt: skip
    person.page.wait_for_url("**/dashboard/")
    person.go("/account/email").do(
        ("#email", f"{person.name}@example.org"), ("#password", password), (SEND.format("/account/email"),)
    )
    person.finds("We sent a link to the new address.")
    changed = "quite another one than before"
    person.go("/account/password").do(
        ("#password", password), ("#new_password", changed), ("#new_password_confirm", changed),
        (SEND.format("/account/password"),),
    )  # fmt: skip
    expect(person.page.get_by_role("status").first).to_be_visible()
    person.go("/account/two-factor")
    secret = person.page.locator("#totp-secret").get_attribute("data-secret")
    code = totp.code_at(secret, datetime.now(UTC))
    person.do(("#code", code), ("#password", changed), (SEND.format("/account/two-factor"),))
    expect(person.page.locator("[data-recovery-code]")).to_have_count(10)
    person.go("/account/data").do(("#password", changed), (SEND.format("/account/delete"),))
    person.page.wait_for_url(f"{person.base_url}/")


def test_what_members_come_for(somebody):
    give_points(somebody(DEMO_ADMIN), DEMO_MEMBER)
    person: Somebody = somebody(DEMO_MEMBER)
    if person.hand.javascript:
        person.do(("[data-copy]",)).finds("Copied!", "[data-copy]")
    person.go("/dashboard/referrals").do((".tabs a[href*='state=confirmed']",))
    expect(person.page.locator("[data-status=pending]")).to_have_count(0)
    claim_a_mug(person)
    person.go("/dashboard/network").finds("people below you")
    friend = f"friend{next(_numbers)}"
    person.go("/dashboard/invite").do(("#addresses", f"{friend}@example.com"), (SEND.format("/dashboard/invite"),))
    person.finds("Look before you send")
    person.do(("[name=send]",)).finds(f"{friend}@example.com")
    person.go("/account/profile").do(("#display_name", "Mira"), (SEND.format("/account/profile"),)).finds("Saved")
    person.go("/account/notifications").do(("[name=friend_joined]",), (SEND.format("/account/notifications"),))
    person.finds("Saved")
    person.go("/account/language").do(("#language", "Deutsch"), (SEND.format("/account/language"),))
    expect(person.page.locator("html")).to_have_attribute("lang", "de")
    person.do(("#language", "English"), (SEND.format("/account/language"),))
    expect(person.page.locator("html")).to_have_attribute("lang", "en")
    other = somebody(DEMO_MEMBER)
    person.go("/account/sessions").do((SEND.format("/account/sessions/end-others"),))
    expect(person.page.locator("[data-sign-in]")).to_have_count(1)
    other.go("/dashboard/")
    assert "/login" in other.page.url
    person.go("/account/confirm").do(("#password", DEMO_PASSWORD), (SEND.format("/account/confirm"),))
    person.page.wait_for_url("**/dashboard/")
    person.do((".menu > summary",), (SEND.format("/logout"),))
    person.page.wait_for_url(f"{person.base_url}/")


def test_what_admins_come_for(somebody):
    admin: Somebody = somebody(DEMO_ADMIN)
    number = next(_numbers)
    case = admin.go("/admin/review/").page.locator("[data-case]").first
    which = case.get_attribute("data-case")
    admin.do((f"[data-case='{which}'] input",), ("#reason", "they know each other"), ("[name=step][value=confirm]",))
    expect(admin.page.get_by_role("status").first).to_contain_text("1 case confirmed.")
    admin.go(f"/admin/referrals/{which}/").do(("#reason", "they do not"), ("[formaction$='/reverse']",))
    admin.finds("they do not")
    give_points(admin, DEMO_ADMIN)
    claim_a_mug(admin)
    admin.go("/admin/claims/?flt_state=waiting").do(("[data-row] [type=submit]",))
    expect(admin.page.get_by_role("status").first).to_be_visible()
    admin.go("/admin/perks/new").do(
        ("#name", f"Sticker {number}"), ("#unlocked_at", "3"), (SEND.format("/admin/perks/new"),)
    )
    admin.finds(f"Sticker {number}", "h1")
    admin.do(("form[action$='/off'] [type=submit]",)).finds("switched off")
    admin.go("/admin/program/edit").do(("#window_days", str(30 - number % 9)), (SEND.format("/admin/program/preview"),))
    admin.finds("What changes")
    admin.do(("form[action='/admin/program/'] .primary",)).finds("In force: version")
    admin.go("/admin/texts/friend_joined/en/").do(("#subject", f"Number {number}"), ("[formaction$='/preview']",))
    admin.finds(f"Number {number}", "[data-reads]")
    admin.go("/admin/brand/").do(("#headline", f"Ripe friends {number}"), ("[formaction$='/preview']",))
    admin.finds(f"Ripe friends {number}", "#brand-sample")
    admin.go("/admin/audit/").do(("main .button[href$='/verify']",)).finds("unbroken")
    admin.go("/admin/referrals/").do(("#flt_state", "confirmed"), (SEND.format("/admin/referrals/"),))
    expect(admin.page.locator("[data-row]").first).to_contain_text("confirmed")
    for path in ("/admin/rewards/", "/admin/invitations/", "/admin/mail/"):
        admin.go(path).do((SEND.format(path),))
        expect(admin.page.locator("h1")).to_be_visible()
    admin.go("/admin/customers/").do(("[name=check]",))
    expect(admin.page.locator("[aria-invalid=true]")).to_have_count(1)
    admin.tab.mishaps.clear()  # the browser notes the 422 itself
    admin.go("/admin/").do((SEND.format("/admin/"),)).finds("Signups by month")


def give_points(admin: Somebody, username: str) -> None:
    page = admin.go("/admin/members/").do(("#search", username), (SEND.format("/admin/members/"),)).page
    page.wait_for_url("**search=**")  # the member is on the page before, too
    called = re.compile(rf"^{username}( |$)")  # with the other names behind it, if there are any
    member = page.get_by_role("link", name=called).get_attribute("href")
    admin.do((f"[data-row] td + td a[href='{member}']",))
    admin.do(("#adjust-amount", "100"), ("#adjust-reason", "for the trial"), ("form[action$='/adjust'] [type=submit]",))
    expect(page.get_by_role("status").first).to_be_visible()
    admin.finds("for the trial")


def claim_a_mug(person: Somebody) -> None:
    claimed = person.go("/dashboard/rewards").page.locator("[data-claim='Travel mug']").count()
    person.do(("[data-perk='Travel mug'] [type=submit]",))
    expect(person.page.locator("[data-claim='Travel mug']")).to_have_count(claimed + 1)
