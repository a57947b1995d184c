"""Whatever is sent, a person is told what to do, nothing is written, and nothing breaks."""

from functools import partial

import pytest
from werkzeug.routing import UnicodeConverter

from referralhub import compression, languages
from referralhub.landing import callers
from referralhub.models import User
from tests.conftest import DATABASES
from tests.everybody import everybody, in_paths
from tests.pages import Visitor
from tests.people import Person

FIELDS = ("username", "email", "password", "password_confirm", "referral_code")


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest) -> str:
    """One of the two, where it is the forms that refuse; what reaches a database is tried on both."""
    return str(request.param)


both = pytest.mark.parametrize("database", DATABASES, indirect=True)


@pytest.fixture(autouse=True)
def nothing_is_written(request: pytest.FixtureRequest, records):
    """Compare the whole database before and after; a test that first lets somebody join calls `start`."""
    before = [records.everything()]

    def start() -> None:
        before[0] = records.everything()

    yield start
    assert records.everything() == before[0]


@pytest.fixture
def app(unlimited_app):
    return unlimited_app


class TestLinks:
    @pytest.mark.parametrize("code", ["aaaaaaaa", "ABCDEFGH", "123456789012"])
    def test_unknown_codes_lead_home_with_a_notice(self, visitor: Visitor, code: str):
        home = visitor.follow(visitor.get(f"/{code}/", 302))
        assert home.response.request.path == "/"
        assert "isn't active" in home.text

    @pytest.mark.parametrize(
        "path",
        [
            "/short/", "/thirteen00000/", "/abc-1234/", "/abcd123é/", "/abcd123%00/", "/%00/", "/💥💥💥💥💥💥💥💥/",
            "/abcd1234.php", "/abcd12 4/", "/abcd1234%0a/", "/abcd1234/more",
            "/..%2f..%2fetc%2fpasswd", "/" + "a" * 5000,
            "/ⅷⅷⅷⅷⅷⅷⅷⅷ/", "/%ff%fe%fd%fc%fb%fa%f9%f8/",
        ],
    )  # fmt: skip
    def test_what_cannot_be_a_code_is_not_found(self, visitor: Visitor, path: str):
        page = visitor.get(path, 404)
        assert "nothing here" in page.text

    @pytest.mark.parametrize("path", ["/aaaaaaaa/", "/login", "/leaderboard", "/dashboard/referrals", "/nowhere"])
    def test_bytes_that_no_browser_sends_in_an_address_are_refused(self, visitor: Visitor, path: str):
        answer = visitor.client.get(path, environ_overrides={"QUERY_STRING": "via=\xff&next=\xfe&page=\x80"})
        assert answer.status_code == 400

    @pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
    def test_a_link_can_only_be_followed(self, visitor: Visitor, method: str):
        answer = getattr(visitor.client, method)("/abcd1234/")
        assert answer.status_code in {400, 405}  # 400: the page's token is asked for first


class TestSignup:
    @pytest.mark.parametrize(
        ("values", "field", "words"),
        [
            ({"username": "ALICE"}, "username", "taken"),
            ({"username": ""}, "username", "Choose a user name"),
            ({"username": "al"}, "username", "3 to 30"),
            ({"username": "   "}, "username", "3 to 30"),
            ({"username": "bo b"}, "username", "letters"),
            ({"username": "-bob"}, "username", "letters"),
            ({"username": "bob\nBcc: x@example.com"}, "username", "letters"),
            ({"username": "bob@example.com"}, "username", "letters"),
            ({"username": "<script>alert(1)</script>"}, "username", "letters"),
            ({"username": "böb"}, "username", "letters"),
            ({"email": ""}, "email", "Enter your e-mail"),
            ({"email": "bob"}, "email", "e-mail address"),
            ({"email": "bob@localhost"}, "email", "e-mail address"),
            ({"email": "bob@intranet"}, "email", "dot"),
            ({"email": "bob@example.com\r\nBcc: eve@example.com"}, "email", "e-mail address"),
            ({"email": "bob@exämple.com, eve@example.com"}, "email", "e-mail address"),
            ({"email": "böb@example.com"}, "email", "e-mail address"),
            ({"password": "short"}, "password", "8 to 128"),
            ({"password": "password1"}, "password", "first that attackers try"),
            ({"password": "12345678"}, "password", "first that attackers try"),
            ({"password": "PassWord1"}, "password", "first that attackers try"),
            ({"password": "aaaaaaaabb"}, "password", "first that attackers try"),
            ({"username": "bob.the.great", "password": "Bob.The.Great"}, "password", "must be more than your name"),
            ({"password": "bob@example.com"}, "password", "must be more than your name"),
            ({"password_confirm": "bob likes coffee"}, "password_confirm", "not the same"),
            ({"password_confirm": ""}, "password_confirm", "once more"),
            ({"referral_code": "sho"}, "referral_code", "4 to 20"),
            ({"referral_code": "short"}, "referral_code", "don't know this code"),
            ({"referral_code": "zzzzzzzz"}, "referral_code", "don't know this code"),
            ({"referral_code": "abc-1234"}, "referral_code", "don't know this code"),
            ({"referral_code": "abc--1234"}, "referral_code", "4 to 20"),
            ({"referral_code": "-abc1234"}, "referral_code", "4 to 20"),
        ],
    )
    def test_the_message_stands_at_the_field(
        self, alice: Person, bob: Person, nothing_is_written, values: dict[str, str], field: str, words: str
    ):
        alice.sign_up()
        nothing_is_written()
        page = bob.fill_in_signup(expect=422, **values)
        assert words in page.error_at(field)
        assert page.wrong_fields == {field}
        for name, typed in values.items():
            if not name.startswith("password"):
                assert page.one(f'[name="{name}"]').attributes.get("value", "").lower() == typed.strip().lower()
        assert all(not box.attributes.get("value") for box in page.all('[type="password"]'))
        bob.get("/dashboard/", 302)

    @both
    @pytest.mark.parametrize("field", FIELDS)
    @pytest.mark.parametrize(
        "value",
        [
            "x" * 300,
            "\0",
            "bob\0bob\0bob",
            "💥💥💥💥💥💥💥💥",
            "\ud7ff\ufffd\u202e",
            "'; DROP TABLE user; --",
            "{{7*7}}{{7*7}}",
        ],
        ids=["long", "nul", "inner-nul", "emoji", "odd-unicode", "sql", "template"],
    )
    def test_nonsense_in_a_field_is_refused_at_that_field(
        self, bob: Person, field: str, value: str, nothing_is_written
    ):
        page = bob.submit(
            bob.get("/signup").form("/signup"),
            422,
            **{
                "username": "bob", "email": "bob@example.com", "password": "bob likes tea",
                "password_confirm": "bob likes tea", "referral_code": "", field: value,
            },
        )  # fmt: skip
        expected = {"password_confirm"} if field == "password" and "password" not in page.wrong_fields else {field}
        assert expected <= page.wrong_fields <= {field, "password_confirm"}
        assert "49494949" not in page.text

    def test_an_empty_form_names_every_field_that_is_needed(self, visitor: Visitor):
        page = visitor.submit(visitor.get("/signup").form("/signup"), 422)
        assert page.wrong_fields == {"username", "email", "password", "password_confirm"}


@both
class TestLogin:
    @pytest.mark.parametrize("field", ["username", "password"])
    @pytest.mark.parametrize("value", ["", "x" * 300, "\0", "💥" * 8, "' OR 1=1 --"])
    def test_nonsense_is_refused(self, alice: Person, nothing_is_written, field: str, value: str):
        alice.sign_up()
        nothing_is_written()
        stranger = Visitor(alice.client.application)
        form = stranger.get("/login").form("/login")
        page = stranger.submit(form, 422, **({"username": "alice", "password": alice.password} | {field: value}))
        assert page.wrong_fields or "don't match an account" in page.text


class TestRequests:
    @pytest.mark.parametrize("path", ["/signup", "/login", "/logout", "/verify/resend", "/verify/x"])
    def test_a_post_without_a_token_is_refused(self, visitor: Visitor, path: str):
        values = {"username": "bob", "password": "bob likes tea"}
        page = visitor.post(path, values, expect=400)
        assert "sent no cookie" in page.text

    def test_a_token_of_another_session_is_refused(self, app, bob: Person):
        other = Visitor(app)
        token = other.get("/signup").form("/signup").one('[name="csrf_token"]')["value"]
        bob.get("/signup")
        page = bob.post("/signup", {"csrf_token": token, "username": "bob"}, expect=400)
        assert "open for too long" in page.text

    def test_a_form_whose_session_has_ended_says_so(self, bob: Person, valkey):
        form = bob.get("/login").form("/login")
        valkey.client.flushdb()
        page = bob.submit(form, 400, username="bob", password="x")
        assert "open for too long" in page.text
        assert "reload" in page.text

    @both
    @pytest.mark.parametrize("number", ["2147483648", "9223372036854775808", "9" * 40])
    @pytest.mark.parametrize(
        "path", ["/account/sessions/{}/end", "/dashboard/invitations/{}/remind", "/dashboard/perks/{}/redeem"]
    )
    def test_a_number_that_no_row_can_have_is_not_found(
        self, alice: Person, nothing_is_written, path: str, number: str
    ):
        alice.sign_up()
        nothing_is_written()
        token = alice.get("/privacy").all('[name="csrf_token"]')[0]["value"]
        page = alice.post(path.format(number), {"csrf_token": token}, expect=None)
        fits = path.startswith("/account") and number == "2147483648"  # sign-ins have longer numbers
        assert page.status == (303 if fits else 404)

    @pytest.mark.parametrize("path", ["/signup", "/login", "/logout", "/verify/resend"])
    def test_a_part_of_a_form_without_a_name_is_refused(self, visitor: Visitor, path: str):
        body = b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"
        answer = visitor.client.post(path, data=body, content_type="multipart/form-data; boundary=x")
        assert answer.status_code == 400

    @pytest.mark.parametrize("path", ["/signup", "/login"])
    def test_too_much_is_refused(self, visitor: Visitor, path: str):
        form = visitor.get(path).form(path)
        page = visitor.submit(form, 413, username="x" * 2 * 1024 * 1024)
        assert "too much" in page.text

    @pytest.mark.parametrize(("method", "path"), [("put", "/signup"), ("delete", "/login"), ("get", "/logout")])
    def test_a_method_that_a_page_does_not_have(self, visitor: Visitor, method: str, path: str):
        token = visitor.get("/signup").form("/signup").one('[name="csrf_token"]')["value"]
        page = visitor._page(getattr(visitor.client, method)(path, headers={"X-CSRFToken": token}), 405)
        assert "can't be done here" in page.text
        assert "POST" in page.headers["Allow"]

    @pytest.mark.parametrize("path", ["/nothing", "/static/nothing.css", "/admin/secret", "/.env", "/wp-login.php"])
    def test_what_is_not_there_is_not_found(self, visitor: Visitor, path: str):
        assert "nothing here" in visitor.get(path, 404).text

    @both
    def test_a_nul_in_a_path_breaks_nothing(self, app, post_office, clock, records, nothing_is_written):
        people = everybody(app, post_office, clock)
        values, site = in_paths(people, records), app.url_map.bind("localhost")
        nothing_is_written()
        typed = [
            (rule, name)
            for rule in app.url_map.iter_rules()
            for name, converter in rule._converters.items()
            if type(converter) is UnicodeConverter and "GET" in rule.methods
        ]
        assert len(typed) > 5
        for rule, name in typed:
            path = site.build(rule.endpoint, {each: values[each] for each in rule.arguments} | {name: "a\0b"}, "GET")
            for person in people.values():
                with person.client.get(path) as answer:
                    assert answer.status_code < 500, path

    @pytest.mark.parametrize("path", ["/brand/logo/a%00b.png", "/brand/logo/abc.png", "/brand/nocolour.css"])
    def test_what_names_no_content_is_not_found(self, visitor: Visitor, path: str):
        visitor.get(path, 404)

    def test_an_address_that_no_proxy_would_carry_is_not_come_back_to(self, alice: Person, nothing_is_written):
        alice.sign_up()
        alice.sign_out()
        form = alice.get(f"/login?next=/leaderboard?period={'x' * 8000}").form("/login")
        assert alice.submit(form, username="alice", password=alice.password).location == "/dashboard/"
        alice.sign_out()
        nothing_is_written()
        page = alice.get(f"/dashboard/referrals?after={'x' * 8000}", 302)
        assert page.location == "/login?next=/dashboard/referrals"

    @pytest.mark.parametrize(
        ("judged", "judge"),
        [
            (languages.negotiated, languages.negotiated),
            (compression.best_of, partial(compression.best_of, ("zstd",))),
            (callers._is_crawler, lambda said: callers.caller({"HTTP_USER_AGENT": said})),
        ],
    )
    def test_of_what_strangers_send_at_length_little_is_remembered(self, judged, judge):
        known = judged.__wrapped__
        known.cache_clear()
        for number in range(3):
            judge("x" * 4000 + str(number))
        assert known.cache_info().currsize == 1

    @pytest.mark.parametrize("cookie", ["x", "x" * 3000, "../../etc/passwd", "%00", "a" * 43])
    def test_a_cookie_of_nonsense_is_a_new_visitor(self, app, cookie: str):
        stranger = Visitor(app)
        stranger.client.set_cookie("referralhub", cookie)
        stranger.get("/signup")
        stranger.get("/dashboard/", 302)

    def test_repeated_and_unknown_fields_do_no_harm(self, app, bob: Person, records, nothing_is_written):
        form = bob.get("/signup").form("/signup")
        token = form.one('[name="csrf_token"]')["value"]
        values = {
            "csrf_token": token, "username": ["bob", "eve"], "email": "bob@example.com", "password": "bob likes tea",
            "password_confirm": "bob likes tea", "is_admin": "true", "verified_at": "2026-01-01", "id": "99",
        }  # fmt: skip
        bob.post("/signup", values, expect=303)
        user = records.one(User)
        assert (user.username, user.is_admin, user.verified_at, user.id) == ("bob", False, None, 1)
        nothing_is_written()
