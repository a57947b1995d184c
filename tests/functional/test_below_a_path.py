"""ReferralHub at https://example.com/refer, beside other things of that site, whatever the proxy in front does."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import segno
from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.test import Client

from referralhub import test_program
from referralhub.extensions import db
from referralhub.models import MessageKind, Referral, ReferralState, Scope
from referralhub.public_address import OUR_PAGES
from referralhub.services.mailing import outbox
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.services.shared.audit import OPERATOR
from tests.callers import CRAWLERS
from tests.pages import Visitor, parse
from tests.people import Person, PostOffice, links_in, path_of, read_letters, text_of

pytestmark = pytest.mark.one_database
ROOT = "/refer"
ADDRESSES = {"href", "src", "action", "hx-get", "data-hx-get"}
POSTED = {"formaction", "hx-post", "data-hx-post"}


class Proxy:
    """WSGI middleware in place of a proxy: what is not below the path is not ours."""

    def __init__(self, application: Callable[..., Iterable[bytes]], takes_off: bool, says: bool) -> None:
        self.application, self.takes_off, self.says = application, takes_off, says

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not f"{path}/".startswith(f"{ROOT}/"):
            return NotFound("This is something else.")(environ, start_response)
        if self.takes_off:
            environ["PATH_INFO"] = path.removeprefix(ROOT)
        if self.says:
            environ["HTTP_X_FORWARDED_PREFIX"] = ROOT
        return self.application(environ, start_response)


PROXIES = {
    "passes all of it on": (False, False),
    "takes it off": (True, False),
    "takes it off and says so": (True, True),
    "passes all of it on and says so": (False, True),
}


@pytest.fixture
def proxy() -> tuple[bool, bool]:
    return PROXIES["passes all of it on"]


every_proxy = pytest.mark.parametrize("proxy", PROXIES.values(), ids=PROXIES)


@pytest.fixture
def app(lend_app, proxy: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> Flask:
    app = lend_app(base_url=f"http://localhost{ROOT}", trusted_proxies=1, ratelimit_enabled=False)
    monkeypatch.setattr(app, "wsgi_app", Proxy(app.wsgi_app, *proxy))
    return app


@pytest.fixture(autouse=True)
def below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Person, "root", ROOT)


@every_proxy
def test_a_friend_comes_by_a_link_and_a_member_back_to_where_they_were(app, alice: Person, bob: Person, records):
    signed_up = alice.fill_in_signup()
    assert signed_up.location == f"{ROOT}/dashboard/"
    assert f"Path={ROOT};" in f"{signed_up.headers['Set-Cookie']};"
    alice.confirm_address()
    assert re.fullmatch(rf"http://localhost{ROOT}/[a-z0-9]{{8}}/", alice.link)

    assert "Referred by alice" in bob.click(f"{alice.link}?via=whatsapp").text  # on the fast path
    bob.sign_up()
    bob.confirm_address()
    assert records.one(Referral).state is ReferralState.CONFIRMED
    alice.fragment(f"{ROOT}/dashboard/stats")
    alice.fragment(f"{ROOT}/dashboard/recent")

    assert alice.sign_out().location == f"{ROOT}/"
    asked = alice.get(f"{ROOT}/dashboard/referrals?state=confirmed", 302)
    form = alice.follow(asked).form(f"{ROOT}/login")
    back = alice.submit(form, username="alice", password=alice.password)
    assert back.location == f"{ROOT}/dashboard/referrals?state=confirmed"
    assert alice.follow(back).referrals == [("bob", "confirmed")]
    assert bob.get(f"{ROOT}/{'z' * 8}/", 302).location == f"{ROOT}/"
    assert alice.fragment(f"{ROOT}/dashboard/stats").status == 200
    assert bob.get(path_of(alice.link), 302).location == f"{ROOT}/dashboard/"


@every_proxy
@pytest.mark.parametrize("away", [False, True], ids=["on the fast path", "while Redis is away"])
def test_a_link_leads_to_the_form_with_the_visit_in_its_address(app, alice: Person, bob: Person, valkey, away: bool):
    alice.sign_up()
    link = path_of(alice.link)
    with valkey.away() if away else nullcontext():
        arrived = bob.get(link, 302)
    assert arrived.location.startswith(f"{ROOT}/signup?visit=")
    page = bob.in_another_browser().get(arrived.location)
    assert "Referred by alice" in page.text
    assert page.form(f"{ROOT}/signup")


def test_a_program_that_only_asks_for_the_headers_is_led_to_the_form(app, alice: Person):
    alice.sign_up()
    answer = Visitor(app).client.head(path_of(alice.link))
    assert (answer.status_code, answer.location) == (302, f"{ROOT}/signup")


def test_the_page_for_what_is_not_there_leads_back_below_it(visitor: Visitor):
    page = visitor.get(f"{ROOT}/nothing-here", 404)
    found = [address for address, _ in addresses(page.response.get_data(as_text=True), ROOT)]
    assert found and all(address.startswith(f"{ROOT}/") for address in found)


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ("https://example.com/refer/signup", 303),
        ("https://example.com/", 303),
        ("https://evil.example/refer/signup", 400),
    ],
)
def test_a_form_is_taken_from_pages_of_the_site_and_no_other(make_app, page: str, status: int):
    app = make_app(base_url="https://example.com/refer", trusted_proxies=1)
    proxied = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "example.com"}
    alice = Person(app, PostOffice(app), "alice", HTTP_REFERER=page, **proxied)
    assert alice.fill_in_signup(status).status == status


def test_a_fragment_of_somebody_who_is_signed_out_leads_to_the_form(app, visitor: Visitor):
    answer = visitor.client.get(f"{ROOT}/dashboard/stats", headers={"HX-Request-Type": "partial"})
    assert answer.headers["HX-Redirect"].startswith(f"{ROOT}/login?next=")


@pytest.mark.parametrize("wanted", ["/other/", "//evil.example", "/refers/", "/refer", "refer/", ""])
def test_after_the_sign_in_nobody_is_led_to_another_part_of_the_site(app, alice: Person, wanted: str):
    alice.sign_up()
    assert alice.get(f"{ROOT}/login?next={wanted}", 302).location == f"{ROOT}/dashboard/"


@pytest.fixture
def everybody(app: Flask, alice: Person, bob: Person, admin: Person, clock) -> dict[str, Visitor]:
    """Who looks at pages: a visitor, a member with something on each page of hers, an admin."""
    with app.app_context():
        rules.change(rules.PRESETS["paypal"], clock())
        catalogue.add("Mug", "", clock(), price=10, unit="USD")
    alice.sign_up()
    alice.confirm_address()
    bob.click(alice.link)
    bob.sign_up()
    bob.confirm_address()
    invite = f"{ROOT}/dashboard/invite"
    preview = alice.submit(alice.get(invite).form(invite), 200, addresses="dan@example.com")
    alice.submit(preview.form(invite), send="yes")
    with app.app_context():
        outbox.queue(db.session(), MessageKind.REVIEW_REMINDER, 1, "waits", {"waiting": 2}, clock())
        db.session.commit()
    alice.post_office.deliver()
    return {"visitor": Visitor(app), "member": alice, "admin": admin}


@every_proxy
def test_links_in_mail_lead_below_it(app: Flask, everybody: dict[str, Visitor], alice: Person):
    letters = read_letters(alice.post_office.folder)
    links = {link for letter in letters for link in links_in(letter)}
    assert any("/login?next=" in link for link in links)
    for link in links:
        assert link.startswith(f"http://localhost{ROOT}/")
        assert Visitor(app).client.get(path_of(link)).status_code in (200, 302), link
    buttons = [letter["List-Unsubscribe"].strip("<>") for letter in letters if letter["List-Unsubscribe"]]
    assert buttons
    for button in buttons:
        answer = Visitor(app).client.post(path_of(button), data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200


def test_who_follows_the_mail_to_the_review_arrives_there(everybody: dict[str, Visitor], admin: Person, alice: Person):
    texts = [text_of(letter) for letter in read_letters(alice.post_office.folder)]
    link = next(link for text in texts for link in re.findall(r"\S+/login\?next=\S+", text))
    admin.sign_out()
    form = admin.get(path_of(link)).form(f"{ROOT}/login")
    there = admin.submit(form, username=admin.username, password=admin.password)
    assert there.location == f"{ROOT}/admin/review/"
    admin.follow(there)


def addresses(html: str, at: str) -> Iterator[tuple[str, str]]:
    """Give every address of this site that a page has for a browser, and the method it is asked by."""
    for element in parse(html).walk():
        for name in (ADDRESSES | POSTED) & element.attributes.keys():
            address = urlsplit(urljoin(f"http://localhost{at}", element[name]))
            if address.netloc != "localhost" or element[name].startswith("#"):
                continue
            posts = name in POSTED or element.attributes.get("method", "").lower() == "post"
            yield path_of(address.geturl()), "POST" if posts else "GET"


def walk(visitor: Visitor, app: Flask) -> set[str]:
    """Open every page that one can come to from the first, and give the paths; each address on them must answer."""
    routes = app.url_map.bind("localhost")
    seen, waiting = {f"{ROOT}/dev/mailbox"}, [f"{ROOT}/"]  # other people's mail has addresses for others
    while waiting:
        at = waiting.pop()
        with visitor.client.get(at) as answer:
            assert answer.status_code in (200, 302), at
            leads_to = [(answer.location, "GET")] if answer.location else []
            html = answer.get_data(as_text=True) if answer.mimetype == "text/html" and not leads_to else ""
        assert not re.search(r"localhost(?!/refer/|%2Frefer%2F|/refer$)", html), at
        for address, method in [*leads_to, *addresses(html, at)]:
            path = urlsplit(address).path
            assert path.startswith(f"{ROOT}/"), f"{address} on {at}"
            if method == "POST":
                routes.match(path.removeprefix(ROOT), "POST")
            elif path not in seen:
                seen.add(path)
                waiting.append(address)
    return seen


@pytest.mark.parametrize("proxy", [PROXIES["passes all of it on"], PROXIES["takes it off and says so"]])
@pytest.mark.parametrize(("who", "pages"), [("visitor", 12), ("member", 25), ("admin", 55)])
def test_every_address_on_every_page_is_below_it_and_answers(app, everybody, who: str, pages: int):
    assert len(walk(everybody[who], app)) >= pages


def test_the_panel_goes_on_where_one_was(admin: Person, clock):
    clock.advance(hours=3)
    asked = admin.get(f"{ROOT}/admin/members/?q=a", 303)
    form = admin.follow(asked).form(f"{ROOT}/account/confirm")
    assert admin.submit(form, password=admin.password).location == f"{ROOT}/admin/members/?q=a"


def test_the_preview_and_the_picture_behind_it(app: Flask, alice: Person):
    alice.sign_up()
    page = Visitor(app).get(path_of(alice.link), headers={"User-Agent": CRAWLERS[0]})
    assert page.one('[property="og:url"]')["content"] == alice.link
    picture = page.one('[property="og:image"]')["content"]
    assert picture == f"{alice.link}picture.png"
    assert Visitor(app).file(path_of(picture)).mimetype == "image/png"


def test_the_qr_code_is_of_the_same_link(alice: Person):
    alice.sign_up()
    drawn = io.BytesIO()
    segno.make(f"{alice.link}?via=qr", error="m").save(
        drawn, kind="svg", scale=8, border=4, light="#fff", xmldecl=False, title="ReferralHub"
    )
    assert alice.file(f"{ROOT}/dashboard/qr.svg").data == drawn.getvalue()


def test_a_whole_link_can_be_pasted_for_its_code(app: Flask, alice: Person, bob: Person, records):
    alice.sign_up()
    bob.sign_up(referral_code=alice.link)
    assert records.one(Referral).referrer_id == 1


def test_the_home_page_has_its_address_with_and_without_a_slash(visitor: Visitor):
    assert visitor.get(ROOT).one("h1").text == visitor.get(f"{ROOT}/").one("h1").text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", f"{ROOT}/healthz", f"{ROOT}/readyz"])
def test_probes_come_directly_and_know_nothing_of_it(app: Flask, path: str):
    assert Client(app.wsgi_app.application).get(path).status_code == 200


def test_a_path_that_only_begins_alike_is_no_part_of_it(app: Flask):
    assert Client(app.wsgi_app.application).get("/refers/signup").status_code == 404


class TestWhoeverSaysSo:
    """`X-Forwarded-Prefix`, where BASE_URL has no path."""

    def answers(self, app: Flask, said: str | None) -> list[tuple[int, str | None, bool, bytes]]:
        headers = {"X-Forwarded-Prefix": said} if said else {}
        found = []
        for path in ("/signup", "/dashboard/", "/zzzzzzzz/", "/nothing-here"):
            answer = Client(app, use_cookies=False).get(path, headers=headers)
            html = re.sub(rb'value="[^"]*"', b"", answer.data)  # the token of the form
            cookie = "Path=/;" in answer.headers.get("Set-Cookie", "Path=/;") + ";"
            found.append((answer.status_code, answer.headers.get("Location"), cookie, html))
        return found

    def test_a_trusted_proxy_is_obeyed(self, make_app):
        app = make_app(trusted_proxies=1)
        signup, dashboard, link, nothing = self.answers(app, "/join/us/")
        assert b'href="/join/us/login"' in signup[3] and b'action="/join/us/signup"' in signup[3]
        assert b'href="/join/us/static/css/app.css?v=' in nothing[3]
        assert (dashboard[1], link[1]) == ("/join/us/login?next=/join/us/dashboard/", "/join/us/")
        cookie = Client(app).get("/signup", headers={"X-Forwarded-Prefix": "/join/us"}).headers["Set-Cookie"]
        assert "Path=/join/us" in cookie

    def test_nobody_else_is(self, make_app):
        app = make_app(trusted_proxies=0)
        assert self.answers(app, "/join/us") == self.answers(app, None)

    @pytest.mark.parametrize(
        "said", ["/", "//evil.example", "https://evil.example", "/a b", '/"><script>', "/../x", "x"]
    )
    def test_what_is_no_path_is_not_obeyed(self, make_app, said: str):
        app = make_app(trusted_proxies=1)
        assert self.answers(app, said) == self.answers(app, None)


@every_proxy
def test_a_test_program_is_below_the_path_of_the_other(app: Flask, clock):
    with app.app_context():
        _, secret = test_program.create_key("shop", [*Scope], OPERATOR, clock(), for_tests=True)
    headers = {"Authorization": f"Bearer {secret}"}
    made = app.test_client().put(f"{ROOT}/api/v1/members/42", json={}, headers=headers).json
    assert made["link"] == f"http://localhost{ROOT}{test_program.MOUNT}/{made['code']}/"
    page = Visitor(app).get(path_of(made["link"]), 302)
    assert page.location.startswith(f"{ROOT}{test_program.MOUNT}/signup?")
    assert f"Path={ROOT}{test_program.MOUNT};" in f"{page.headers['Set-Cookie']};"
    with app.app_context():
        test_program.delete(OPERATOR, clock())


def test_no_path_of_a_site_can_be_mistaken_for_a_page_of_ours(app: Flask):
    """A proxy that takes the path off could not be told from one that does not."""
    first = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    assert {name for name in first if not name.startswith("<")} - {""} <= set(OUR_PAGES.split("|"))
