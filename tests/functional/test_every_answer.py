"""What every answer carries, whoever gives it: each route, each error, each shortcut, each kind of file."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.callers import NAVIGATES
from tests.pages import Visitor
from tests.people import Person, PostOffice, path_of
from tests.servers import Valkey

pytestmark = pytest.mark.one_database

HTTPS = "https://refer.example.com"
CARRIED = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
DRAWN = "private, max-age=600"
FOR_CACHES = {  # where an answer is nobody's own, or takes long to draw
    "/dashboard/qr.png": DRAWN,
    "/dashboard/picture/square.png": DRAWN,
    "/dashboard/picture/tall.png": DRAWN,
    "/static/css/app.css": "public, max-age=60",
    "picture.png": "public, max-age=3600",
    "/brand/e5342b.css": "public, max-age=60",
    "/brand/e5342b.svg": "public, max-age=60",
    "/brand/e5342b/sample.css": "public, max-age=60",
    "/brand/icon-192.png": "public, max-age=60",
    "/manifest.webmanifest": "public, max-age=60",
    "/robots.txt": "public, max-age=3600",
    "/sitemap.xml": "public, max-age=3600",
    "/llms.txt": "public, max-age=3600",
}


def lacks(answer: TestResponse) -> set[str]:
    """Name what an answer should carry and does not, or carries twice."""
    expected = CARRIED | {"Cache-Control": "no-store"}
    is_file = answer.status_code in (200, 304) and answer.request.method in ("GET", "HEAD")
    for path, value in FOR_CACHES.items():
        if is_file and answer.request.path.endswith(path):
            expected["Cache-Control"] = value
    if is_file and answer.request.path.startswith("/api/v1/"):
        expected["Cache-Control"] = "private, no-cache"  # asked for anew each time, and mostly not sent again
    if is_file and answer.request.path.endswith("picture.png"):
        expected["Cross-Origin-Resource-Policy"] = "cross-origin"  # other sites show it beside the link
    wrong = {name for name, value in expected.items() if answer.headers.getlist(name) != [value]}
    features = answer.headers.get("Permissions-Policy", "")
    return wrong | {
        f"{each} allowed" for each in ("camera", "geolocation", "payment", "usb") if f"{each}=()" not in features
    }


@pytest.fixture
def app(lend_app) -> Flask:
    return lend_app(base_url=HTTPS, ratelimit_enabled=False)


@pytest.fixture
def everybody(app: Flask, post_office: PostOffice, admin: Person, alice: Person) -> dict[str, Visitor]:
    alice.sign_up()
    return {"visitor": Visitor(app), "member": alice, "admin": admin}


def answers(app: Flask, visitor: Visitor, code: str) -> Iterator[TestResponse]:
    """Ask for every route there is, each by every method that it has."""
    values = {"code": code, "filename": "css/app.css", "token": "nonsense", "step": "hold", "which": "monthly"}
    values |= {"accent": "e5342b", "digest": "0" * 64, "extension": "png", "decision": "confirm", "icon": "icon-192"}
    site = app.url_map.bind("refer.example.com")
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule == "/logout"):
        path = site.build(rule.endpoint, {name: values.get(name, 1) for name in rule.arguments})
        for method in sorted(rule.methods or ()):
            with visitor.client.open(path, method=method) as answer:
                yield answer


@pytest.mark.parametrize("who", ["visitor", "member", "admin"])
def test_each_route_by_each_method(app: Flask, everybody: dict[str, Visitor], alice: Person, who: str):
    seen = list(answers(app, everybody[who], alice.code))
    assert {each.status_code for each in seen} >= {200, 302, 400, 404}
    assert {
        f"{each.request.method} {each.request.path} {each.status}": lacks(each) for each in seen if lacks(each)
    } == {}


@pytest.mark.parametrize(
    ("path", "status", "environ"),
    [
        ("/static/css/app.css", 200, {}), ("/static/nothing.css", 404, {}), ("/nothing/here", 404, {}),
        ("/static/css/app.css", 405, {"REQUEST_METHOD": "POST"}), ("/login", 405, {"REQUEST_METHOD": "DELETE"}),
        ("/login", 400, {"REQUEST_METHOD": "POST"}), ("/", 400, {"HTTP_HOST": "a..b"}),
        ("/login", 413, {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "99999999"}),
        ("/login", 400, {"QUERY_STRING": "\xff"}), ("/dashboard/", 302, {}),
        ("/dashboard/stats", 401, {"HTTP_HX_REQUEST_TYPE": "partial"}),
        ("/zzzzzzzz/", 302, {}), ("/zzzzzzzz/picture.png", 404, {}), ("/zzzzzzzz/", 403, {"HTTP_PURPOSE": "prefetch"}),
    ],
)  # fmt: skip
def test_errors_and_detours(app: Flask, path: str, status: int, environ: dict[str, str]):
    with app.test_client().get(path, environ_overrides=environ) as answer:
        assert (answer.status_code, lacks(answer)) == (status, set())


def test_too_many_requests(lend_app):
    visitor = Visitor(lend_app(base_url=HTTPS))
    form = visitor.get("/login").form("/login")
    values = visitor.filled_in(form, username="nobody", password="a wrong one")
    refused = [visitor.client.post("/login", data=values) for _ in range(12)][-1]
    assert (refused.status_code, lacks(refused)) == (429, set())


def test_a_file_that_the_browser_has(visitor: Visitor):
    tag = visitor.file("/static/css/app.css").headers["ETag"]
    answer = visitor.client.get("/static/css/app.css", headers={"If-None-Match": tag})
    assert (answer.status_code, lacks(answer)) == (304, set())


def test_a_click_that_is_answered_early(app: Flask, alice: Person, monkeypatch: pytest.MonkeyPatch):
    alice.sign_up()
    by_the_view = Visitor(app).client.get(path_of(alice.link), headers=NAVIGATES)
    monkeypatch.setitem(app.view_functions, "landing.follow", lambda **_: 1 / 0)
    early = Visitor(app).client.get(path_of(alice.link), headers=NAVIGATES)
    assert [(answer.status_code, lacks(answer)) for answer in (by_the_view, early)] == [(302, set())] * 2


def test_an_answer_that_is_given_again_and_one_that_has_not_changed(
    app: Flask, alice: Person, monkeypatch: pytest.MonkeyPatch
):
    alice.sign_up()
    for _ in range(3):
        alice.get("/dashboard/")
    monkeypatch.setitem(app.view_functions, "dashboard.home", lambda: 1 / 0)
    given = alice.client.get("/dashboard/")
    part = {"HX-Request-Type": "partial"}
    tag = alice.client.get("/dashboard/stats", headers=part).headers["HX-PTag"]
    same = alice.client.get("/dashboard/stats", headers=part | {"HX-PTag": tag})
    assert [(answer.status_code, lacks(answer)) for answer in (given, same)] == [(200, set()), (304, set())]


def test_a_fault_of_ours(make_app, monkeypatch: pytest.MonkeyPatch):
    app = make_app(base_url=HTTPS)
    monkeypatch.setitem(app.view_functions, "landing.privacy", lambda: 1 / 0)
    assert lacks(answer := app.test_client().get("/privacy")) == set()
    assert answer.status_code == 500
    monkeypatch.setattr("referralhub.urls.BelowPath.__call__", lambda *_: 1 / 0)  # before Flask is entered
    assert lacks(answer := app.test_client().get("/privacy")) == set()
    assert answer.status_code == 500


def test_while_redis_is_away(make_app):
    visitor = Visitor(make_app(base_url=HTTPS, redis_url="redis://127.0.0.1:1"))
    for path, status in (("/login", 503), ("/readyz", 503), ("/healthz", 200), ("/zzzzzzzz/", 302)):
        answer = visitor.client.get(path)
        assert (path, answer.status_code, lacks(answer)) == (path, status, set())


class TestTheBrowserForgets:
    """Where a sign-in ends, what the browser keeps of the member's pages goes with it; other hosts' cookies stay."""

    def test_at_the_sign_out(self, alice: Person):
        alice.sign_up()
        page = alice.get("/dashboard/")
        assert "Clear-Site-Data" not in page.headers
        assert alice.submit(page.form("/logout")).headers["Clear-Site-Data"] == '"cache"'

    def test_with_the_account(self, alice: Person):
        alice.sign_up()
        form = alice.get("/account/data").form("/account/delete")
        assert alice.submit(form, password=alice.password).headers["Clear-Site-Data"] == '"cache"'

    @pytest.mark.parametrize("by", ["another password", "the list of sign-ins"])
    def test_in_every_other_browser_that_is_signed_out(self, app: Flask, alice: Person, by: str):
        alice.sign_up()
        elsewhere = Person(app, PostOffice(app), "alice")
        elsewhere.sign_in()
        if by == "another password":
            form = alice.get("/account/password").form("/account/password")
            fresh = "a-new-one-for-all-of-it"
            page = alice.submit(form, password=alice.password, new_password=fresh, new_password_confirm=fresh)
        else:
            page = alice.submit(alice.get("/account/sessions").form("/account/sessions/end-others"))
        assert "Clear-Site-Data" not in page.headers
        page = elsewhere.get("/dashboard/", 302)
        assert page.headers["Clear-Site-Data"] == '"cache"'
        assert page.location.startswith("/login")


class TestTheCookie:
    """Its name tells the browser who may set it, and no other application's cookie is taken for it."""

    @pytest.mark.parametrize(
        ("base_url", "name", "path"),
        [
            (HTTPS, "__Host-referralhub", "/"), (f"{HTTPS}/refer", "__Secure-referralhub", "/refer"),
            ("http://localhost", "referralhub", "/"), ("http://localhost/refer", "referralhub", "/refer"),
        ],
    )  # fmt: skip
    def test_its_name(self, make_app, base_url: str, name: str, path: str):
        app = make_app(base_url=base_url)
        cookie = app.test_client().get(f"{path.rstrip('/')}/signup").headers["Set-Cookie"]
        assert cookie.startswith(f"{name}=")
        attributes = set(cookie.split("; ")[1:])
        assert {"HttpOnly", f"Path={path}", "SameSite=Lax"} <= attributes
        assert ("Secure" in attributes) == base_url.startswith("https")
        assert "Domain" not in cookie

    def test_it_is_for_the_whole_host_where_only_the_proxy_knows_of_a_path(self, make_app):
        client = make_app(base_url=HTTPS, trusted_proxies=1).test_client()
        cookie = client.get("/signup", headers={"X-Forwarded-Prefix": "/join"}).headers["Set-Cookie"]
        assert cookie.startswith("__Host-referralhub=") and "; Path=/;" in f"{cookie};"

    def test_a_click_sets_the_same(self, app: Flask, alice: Person):
        alice.sign_up()
        for _ in range(2):  # by the view, and early
            cookie = Visitor(app).client.get(path_of(alice.link), headers=NAVIGATES).headers["Set-Cookie"]
            assert cookie.startswith("__Host-referralhub=") and "Secure" in cookie and "Path=/;" in f"{cookie};"

    def test_a_browser_can_drop_it(self, make_app):
        app = make_app(base_url=HTTPS)

        @app.get("/emptied")
        def emptied() -> str:
            from flask import session

            session.clear()
            session.modified = True
            return ""

        cookie = app.test_client().get("/emptied").headers["Set-Cookie"]
        assert cookie.startswith("__Host-referralhub=;") and "Secure" in cookie and "Max-Age=0" in cookie


class TestTheCookieOfBefore:
    """It was called `session`: who has one goes on as who they were, and nothing newer is believed."""

    def as_before(self, visitor: Visitor, valkey: Valkey) -> str:
        """Make of a browser what the release before left: a shorter id, under the former name."""
        sid = visitor.session_id() or ""
        former = sid[1:]
        valkey.client.rename(f"session:{sid}", f"session:{former}")
        visitor.client.delete_cookie(visitor.cookie_name)
        visitor.client.set_cookie("session", former)
        return former

    @pytest.mark.parametrize("path", ["/dashboard/", "/account/profile", "/leaderboard"])
    def test_a_member_stays_signed_in(self, alice: Person, valkey: Valkey, path: str):
        alice.sign_up()
        self.as_before(alice, valkey)
        page = alice.get(path)
        assert [each.partition("=")[0] for each in page.headers.getlist("Set-Cookie")] == [
            "__Host-referralhub",
            "session",
        ]
        assert alice.client.get_cookie("session") is None
        assert alice.get("/dashboard/").one("#referral-link")

    def test_a_followed_link_still_counts(self, app: Flask, alice: Person, bob: Person, valkey: Valkey):
        alice.sign_up()
        bob.click(alice.link)
        self.as_before(bob, valkey)
        assert "Referred by alice" in bob.get("/signup").text

    def test_a_click_adds_to_the_session_of_before(self, alice: Person, bob: Person, charlie: Person, valkey: Valkey):
        alice.sign_up()
        charlie.sign_up()
        bob.click(alice.link)
        self.as_before(bob, valkey)
        assert bob.client.get(path_of(charlie.link), headers=NAVIGATES).status_code == 302
        assert "Referred by charlie" in bob.get("/signup").text

    def test_two_requests_at_once_find_the_same(self, app: Flask, alice: Person, valkey: Valkey):
        alice.sign_up()
        former = self.as_before(alice, valkey)
        tabs = [
            app.test_client(use_cookies=False).get("/dashboard/", headers={"Cookie": f"session={former}"})
            for _ in range(2)
        ]
        assert [tab.status_code for tab in tabs] == [200, 200]

    def test_nothing_that_began_since_is_believed_under_the_former_name(self, app: Flask, alice: Person):
        alice.sign_up()
        answer = app.test_client(use_cookies=False).get(
            "/dashboard/", headers={"Cookie": f"session={alice.session_id()}"}
        )
        assert answer.status_code == 302

    def test_another_applications_cookie_of_that_name_stays(self, app: Flask, alice: Person):
        theirs = "session=eyJhIjoxfQ.aSXf3Q.of-another-application"
        answer = app.test_client(use_cookies=False).get("/signup", headers={"Cookie": theirs})
        assert [each.partition("=")[0] for each in answer.headers.getlist("Set-Cookie")] == ["__Host-referralhub"]

    def test_who_signed_out_is_not_signed_in_by_it(self, app: Flask, alice: Person, valkey: Valkey):
        alice.sign_up()
        former = self.as_before(alice, valkey)
        alice.submit(alice.get("/dashboard/").form("/logout"))
        assert (
            app.test_client(use_cookies=False).get("/dashboard/", headers={"Cookie": f"session={former}"}).status_code
            == 302
        )
