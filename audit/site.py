"""A ReferralHub of its own with the demo in it, and browsers of those who look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import select

from referralhub import create_app
from referralhub.clock import now
from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.extensions import db
from referralhub.migrations import upgrade
from referralhub.models import Channel, User
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.integration import members
from referralhub.services.integration.members import Given
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.services.recourse import answers, missing
from referralhub.services.sample import demo
from referralhub.services.shared.audit import OPERATOR
from tests import chromium, servers
from tests.conftest import make_settings, sqlite_url
from tests.people import links_in, path_of, read_letters

# Who looks, from who sees least to who sees most; the friend has followed a member's link, the newcomer just joined.
VISITOR, FRIEND, NEWCOMER, MEMBER, ADMIN = PEOPLE = ("visitor", "friend", "newcomer", "member", "admin")
SIGNED_IN = {NEWCOMER: "robin", MEMBER: DEMO_MEMBER, ADMIN: DEMO_ADMIN}
FOUND_LATE = ("katherine", "dorothy")  # whom the member claims to have brought; the first agrees, the other is asked
OLD_ADDRESS, NEW_ADDRESS = "robin@example.com", "robin@example.net"
WIDTH, HEIGHT = 1280, 900


@dataclass
class Site:
    """The running program, its routes, and a browser for each of those who look at it."""

    hub: servers.ReferralHub
    valkey: servers.Valkey
    app: Flask  # the same program on the same database, for what cannot be seen from outside: the routes
    browser: Browser
    executable: str  # the browser's program
    people: dict[str, BrowserContext]
    handed_out: list[str]  # paths that a product got for its customers
    link: str = ""  # the member's, as a path

    @property
    def base_url(self) -> str:
        """Return where it is, without a slash at the end."""
        return self.hub.base_url

    def mailed_paths(self) -> list[str]:
        """Return every path to which the mails that were sent lead."""
        letters = read_letters(self.hub.instance / "mail")
        return list(dict.fromkeys(path_of(link) for letter in letters for link in links_in(letter)))

    def cookies(self, who: str) -> str:
        """Return what somebody's browser says of who it is, as a header."""
        return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in self.people[who].cookies())

    @contextmanager
    def page(self, who: str, path: str) -> Iterator[Page]:
        """Open a page as one of the people."""
        page = self.people[who].new_page()
        page.goto(path)
        yield page
        page.close()


@contextmanager
def running() -> Iterator[Site]:
    """Run it on a free port with files of its own, and let everybody come in."""
    with servers.short_folder() as folder, servers.Valkey(folder) as valkey, sync_playwright() as playwright:
        url = sqlite_url(folder / "audit.sqlite3").replace("mode=rw&", "mode=rwc&")
        settings = make_settings(url, valkey.url, folder)
        executable = chromium.find() or playwright.chromium.executable_path
        hub = servers.ReferralHub(folder, f"sqlite:///{folder}/audit.sqlite3", valkey.url, RATELIMIT_ENABLED="false")
        app = create_app(settings)
        with app.app_context():
            paths = _fill(now())
        with hub:
            browser = playwright.chromium.launch(executable_path=executable, args=list(chromium.OPTIONS))
            people = {who: _context(browser, hub.base_url) for who in PEOPLE}
            site = Site(hub, valkey, app, browser, executable, people, paths)
            hub.flask("webhooks", "add", "https://shop.example.com/webhooks")
            hub.flask("webhooks", "test", "1")
            _come_in(site)
            yield site
            browser.close()
        with app.app_context():
            db.engine.dispose()
        app.extensions["redis"].close()


def _context(browser: Browser, base_url: str) -> BrowserContext:
    return browser.new_context(
        base_url=base_url, viewport={"width": WIDTH, "height": HEIGHT}, locale="en", reduced_motion="reduce"
    )


def _fill(at: datetime) -> list[str]:
    """Load the demo, and what it has nothing of; return the paths of links that sign somebody in."""
    upgrade()
    demo.load(at, lambda _: None)
    rules.change({"personal_landing": True}, at)
    catalogue.add("Sticker sheet", "Twelve stickers, sent by post.", at, price=30)
    catalogue.add("A call with the founders", "", at, unlocked_at=10)
    catalogue.add("Poster", "", at, price=5000, stock=3)
    claimant = db.session.scalars(select(User).where(User.username == DEMO_MEMBER)).one()
    for name in FOUND_LATE:
        members.put(name, Given(f"{name}@example.org"), OPERATOR, at)
        missing.claim(claimant, f"{name}@example.org", at.date(), Channel.EMAIL, "She told me so.", at)
    missing.ask_friends(at)
    answers.answer(1, members.get(FOUND_LATE[0]).profile_id, True, RequestOrigin(), at)
    return [f"/sign-in/{members.sign_in_token(FOUND_LATE[0], OPERATOR, at)[0]}"]


def _come_in(site: Site) -> None:
    """Sign in who has an account, follow the member's link, make the newcomer's account, and cause mails."""
    for who in (MEMBER, ADMIN):
        with site.page(who, "/login") as page:
            _send(page, "/login", username=SIGNED_IN[who], password=DEMO_PASSWORD)
            page.wait_for_url("**/dashboard/")
            site.link = site.link or path_of(page.locator("#referral-link").input_value())
    for who in (FRIEND, NEWCOMER):
        site.people[who].request.get(site.link)
    with site.page(NEWCOMER, "/signup") as page:
        again = {"password": DEMO_PASSWORD, "password_confirm": DEMO_PASSWORD}
        _send(page, path_of(page.url), username=SIGNED_IN[NEWCOMER], email=OLD_ADDRESS, **again)
        page.wait_for_url("**/dashboard/")
        page.goto("/account/email")
        _send(page, "/account/email", email=NEW_ADDRESS, password=DEMO_PASSWORD)
    with site.page(VISITOR, "/password/forgot") as page:
        _send(page, "/password/forgot", email=OLD_ADDRESS)
    with site.page(MEMBER, "/dashboard/invite") as page:
        _send(page, "/dashboard/invite", addresses="ada@example.org, grace@example.org", words="You will like this.")
        with page.expect_navigation():
            page.locator("[name=send]").click()
    wanted = ("/verify/", "/account/email/", "/password/reset/", "/account/unsubscribe/", "/claims/")
    servers.wait_until(lambda: all(any(p.startswith(w) for p in site.mailed_paths()) for w in wanted), "mails", 60)


def _send(page: Page, action: str, **values: str) -> None:
    """Fill in a form, press its button, and wait for the next page: one that is closed while it loads may never be."""
    form = page.locator(f"main form[action='{action}']")
    for name, value in values.items():
        form.locator(f"[name={name}]").fill(value)
    with page.expect_navigation():
        form.locator("[type=submit]").click()
