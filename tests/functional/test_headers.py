"""What every answer carries, so that a browser protects its owner."""

import pytest
from flask import Flask

from referralhub.models import User
from referralhub.services.accounts import signup
from tests.pages import Page, Visitor
from tests.people import Person, PostOffice

PAGES = ("/", "/signup", "/login", "/leaderboard", "/nothing-here", "/dashboard/", "/verify/x")


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest) -> str:
    """One of the two: this is not about the database."""
    return str(request.param)


def directives(page: Page) -> dict[str, set[str]]:
    parts = [part.split() for part in page.headers["Content-Security-Policy"].split(";")]
    return {name: set(sources) for name, *sources in parts}


@pytest.mark.parametrize("path", PAGES)
def test_only_our_own_files_run(visitor: Visitor, path: str):
    page = Page(visitor.client.get(path), None)
    policy = directives(page)
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == {"'self'"}
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == {"'none'"}
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "*" not in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", [*PAGES, "/dashboard/stats", "/abcd1234/"])
def test_no_cache_keeps_a_page(visitor: Visitor, path: str):
    assert visitor.client.get(path).headers["Cache-Control"] == "no-store"


def test_a_members_figures_are_not_kept_either(alice: Person):
    alice.sign_up()
    for path in ("/dashboard/", "/dashboard/stats", "/dashboard/recent"):
        assert alice.client.get(path).headers["Cache-Control"] == "no-store"


def test_static_files_are_named_by_their_content_and_kept_for_long(alice: Person, visitor: Visitor):
    pages = [visitor.get("/"), visitor.get("/signup"), alice.arrive()]
    files = {e[a] for page in pages for tag, a in (("link", "href"), ("script", "src"), ("img", "src"), ("use", "href"))
             for e in page.all(f"{tag}[{a}]") if e.attributes.get("rel") != "canonical"}  # fmt: skip
    assert files
    for file in files:
        assert "?v=" in file and "v=missing" not in file
        answer = visitor.file(file)
        assert answer.status_code == 200, file
        assert answer.cache_control.max_age >= 30 * 24 * 3600
        assert "Set-Cookie" not in answer.headers


def test_icons_that_pages_name_are_in_the_sprite(alice: Person, visitor: Visitor):
    pages = [visitor.get("/"), visitor.get("/signup"), alice.arrive(), visitor.get("/leaderboard")]
    for href in {use["href"] for page in pages for use in page.all("use")}:
        file, _, name = href.partition("#")
        assert f'id="{name}"' in visitor.file(file).get_data(as_text=True), name


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: Visitor):
    cookie = visitor.get("/signup").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # this one is http


def test_on_https_cookies_are_secure_and_the_browser_stays_on_https(make_app):
    app = make_app(base_url="https://refer.example.com")
    answer = app.test_client().get("/signup", base_url="https://refer.example.com")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age=" in answer.headers["Strict-Transport-Security"]


def test_on_http_nothing_is_promised_about_https(visitor: Visitor):
    assert "Strict-Transport-Security" not in visitor.get("/").headers


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/css/app.css", "/static/nothing"])
def test_what_needs_no_session_gets_none(app: Flask, valkey, path: str):
    answer = Visitor(app).file(path)
    assert "Set-Cookie" not in answer.headers
    assert valkey.client.dbsize() == 0


def test_a_link_that_leads_nowhere_and_a_page_without_form_cost_little(app: Flask, valkey):
    assert "Set-Cookie" not in app.test_client().get("/leaderboard").headers
    assert not valkey.client.keys("session:*")


def test_an_answer_with_a_session_is_not_for_shared_caches(alice: Person):
    alice.sign_up()
    assert "Cookie" in alice.get("/dashboard/").headers["Vary"]


@pytest.mark.parametrize("path", ["/dev/mailbox", "/dev/styleguide", "/dev/styleguide?summary=1"])
def test_what_is_for_development_is_not_there_in_production(make_app, visitor: Visitor, path: str):
    assert visitor.get(path).all("h1")
    production = Visitor(make_app(referralhub_env="production"))
    production.get(path, 404)


def test_the_host_header_decides_nothing(app: Flask, alice: Person):
    """A link with a forged host would be mailed or shown to others."""
    alice.sign_up()
    page = alice.get("/dashboard/", headers={"Host": "localhost"})
    assert page.one("#referral-link")["value"].startswith("http://localhost/")
    forged = app.test_client().get("/login", headers={"Host": "evil.example"}).get_data(as_text=True)
    assert "evil.example" not in forged


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize("who", ["visitor", "member", "admin"])
def test_no_answer_repeats_a_forged_host(make_app, clock, who: str, proxies: int):
    """So an address that nobody knows need not be refused: probes and proxies come by some that are not BASE_URL's."""
    app = make_app(ratelimit_enabled=False, trusted_proxies=proxies)
    person = Person(app, PostOffice(app), "grace")
    if who == "admin":
        with app.app_context():
            signup.create_admin(person.username, person.email, person.password, clock())
        person.sign_in()
    elif who == "member":
        person.sign_up()
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    forged |= {"Cookie": f"{person.cookie_name}={person.session_id() or ''}"}
    client = app.test_client(use_cookies=False)  # which would keep it for its own host
    site = app.url_map.bind("localhost")
    answered = 0
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        values = {"filename": "css/app.css", "code": "zzzzzzzz", "token": "x", "which": "monthly"}
        path = site.build(rule.endpoint, {name: values.get(name, 1) for name in rule.arguments})
        with client.get(path, headers=forged) as answer:
            answered += answer.status_code == 200
            told = str(answer.headers).encode() + answer.get_data()
        assert b"evil.example" not in told, path
    assert answered >= {"visitor": 9, "member": 25, "admin": 45}[who]


def test_no_mail_repeats_a_forged_host(app: Flask, alice: Person, post_office: PostOffice):
    alice.sign_up()
    stranger = Visitor(app, HTTP_HOST="evil.example")
    stranger.submit(stranger.get("/password/forgot").form("/password/forgot"), 200, email=alice.email)
    post_office.deliver()
    letters = [letter.as_string() for letter in post_office.letters(alice.email)]
    assert len(letters) == 2 and not any("evil.example" in letter for letter in letters)


def test_a_host_that_is_none_gets_a_plain_400(visitor):
    for host in ("a..b", "x" * 70 + ".example"):
        for path in ("/", "/privacy", "/nowhere"):
            answer = visitor.client.get(path, environ_overrides={"HTTP_HOST": host})
            assert (answer.status_code, answer.mimetype) == (400, "text/plain"), (host, path)


class TestWhereAFormWas:
    """The browser names the page that a form was on; over https some name none, and are believed for their token."""

    OURS = "https://refer.example.com:8443"

    @pytest.fixture
    def person(self, make_app) -> Person:
        app = make_app(base_url=self.OURS, trusted_proxies=1)
        usual = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
        return Person(app, PostOffice(app), "alice", **usual)

    @pytest.mark.parametrize(
        "headers",
        [
            {}, {"Origin": OURS}, {"Origin": "null"}, {"Referer": f"{OURS}/signup"}, {"Origin": OURS.upper()},
            {"Origin": "https://localhost"}, {"Origin": "https://localhost:443"},
        ],
    )  # fmt: skip
    def test_our_own_pages_and_browsers_that_name_none(self, person: Person, headers: dict[str, str]):
        form = person.get("/signup").form("/signup")
        values = {"username": "alice", "email": "alice@example.com", "password": person.password}
        token = form.one('[name="csrf_token"]')["value"]
        person.post(
            "/signup", values | {"password_confirm": person.password, "csrf_token": token}, 303, headers=headers
        )

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"}, {"Referer": "https://evil.example/refer.example.com:8443/"},
            {"Origin": "https://refer.example.com:8443.evil.example"}, {"Origin": "http://localhost"},
            {"Origin": "https://evil.example", "Referer": f"{OURS}/signup"}, {"Origin": "https://[bad"},
        ],
    )  # fmt: skip
    def test_a_page_of_another_site_is_refused_even_with_the_token(self, person: Person, records, headers):
        token = person.get("/signup").form("/signup").one('[name="csrf_token"]')["value"]
        values = {"username": "alice", "email": "alice@example.com", "password": person.password}
        person.post(
            "/signup", values | {"password_confirm": person.password, "csrf_token": token}, 400, headers=headers
        )
        assert records.all(User) == []
