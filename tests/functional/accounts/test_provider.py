"""Admins who sign in with their organization's provider (OpenID Connect), and those who would like to be them."""

import socket
from collections.abc import Callable, Iterator
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import AuditLine, Identity, SignIn, User
from referralhub.services.accounts import erasure, signup
from referralhub.words.referrals import FORMER_MEMBER
from tests.pages import Page
from tests.people import Person, PostOffice, all_at_once, path_of
from tests.provider import CLIENT, SECRET, Provider
from tests.two_factor import SETTINGS, App, letters, set_up

ASK = "/login/provider"
BACK = "/login/provider/return"
GRACE = "grace@example.com"


@pytest.fixture
def provider(clock) -> Iterator[Provider]:
    with Provider(clock) as provider:
        provider.vouch_for(GRACE)
        yield provider


@pytest.fixture
def app(make_app, provider: Provider) -> Flask:
    return make_app(ratelimit_enabled=False, **provider.settings)


@pytest.fixture
def grace(app: Flask, post_office: PostOffice, clock) -> Person:
    """An admin who has an account, and is signed in nowhere."""
    with app.app_context():
        signup.create_admin("grace", GRACE, "grace likes tea", clock())
    return Person(app, post_office, "grace")


def go(person: Person, provider: Provider, page: str = ASK) -> str:
    """Go to the provider and sign in there; gives the path to come back to."""
    return path_of(provider.authorize(person.get(page, 302).location))


def enter(person: Person, provider: Provider, expect: int = 303, page: str = ASK) -> Page:
    return person.get(go(person, provider, page), expect)


def change_user(records, **values: object) -> None:
    def change() -> None:
        for name, value in values.items():
            setattr(db.session.get_one(User, 1), name, value)

    records.change(change)


class TestSigningIn:
    def test_an_admin_goes_there_and_back_to_the_page_that_was_wanted(self, grace: Person, provider, records):
        login = grace.get("/login?next=/admin/members/")
        way = next(a for a in login.all("a") if a.text == "Sign in with example.com")
        answer = enter(grace, provider, page=way["href"])
        assert answer.location == "/admin/members/"
        grace.follow(answer)
        sign_in = records.one(SignIn)
        assert (sign_in.user_id, sign_in.by_provider) == (1, True)
        assert (records.one(Identity).issuer, records.one(Identity).subject) == (provider.issuer, "subject-1")

    @pytest.mark.one_database
    def test_what_is_asked_is_good_for_one_answer_alone(self, grace: Person, provider):
        asked = [parse_qs(urlsplit(grace.get(ASK, 302).location).query) for _ in range(2)]
        for each in asked:
            assert (each["response_type"], each["client_id"]) == (["code"], [CLIENT])
            assert each["redirect_uri"] == [f"http://localhost{BACK}"]
            assert set(each["scope"][0].split()) == {"openid", "email"}
            assert each["code_challenge_method"] == ["S256"]
        for name in ("state", "nonce", "code_challenge"):
            assert asked[0][name] != asked[1][name]
            assert len(asked[0][name][0]) >= 30

    @pytest.mark.one_database
    def test_somebody_elses_session_is_not_taken_over(self, grace: Person, provider):
        """A planted session id is worth nothing once somebody has signed in."""
        back = go(grace, provider)
        planted = grace.session_id()
        grace.get(back, 303)
        assert grace.session_id() != planted

    def test_the_account_stays_theirs_when_addresses_change_hands(self, grace: Person, provider, records):
        enter(grace, provider)
        change_user(records, email="grace.h@example.com")
        again = grace.in_another_browser()
        enter(again, provider)  # the same person, known by another address here
        provider.vouch_for("grace.h@example.com", subject="subject-2")  # the address is somebody else's there by now
        stranger = grace.in_another_browser()
        assert "no admin's account here is yours" in enter(stranger, provider, 403).text
        stranger.get("/admin/", 404)
        assert records.one(Identity).subject == "subject-1"

    def test_the_first_time_is_in_the_audit_log_and_in_a_mail(self, grace: Person, provider, records):
        for _ in range(2):
            enter(grace.in_another_browser(), provider)
        assert [line.action for line in records.all(AuditLine)] == ["admin.create", "member.link_provider"]
        assert ["for the first time" in words for words in letters(grace)] == [True]

    def test_an_operator_unties_an_admin(self, grace: Person, provider, records, ask):
        enter(grace, provider)
        words = ("users", "unlink-provider", "--username", "grace")
        assert ask(*words) == {"username": "grace", "linked": False, "changed": True}
        assert "have ended the tie" in letters(grace)[-1]
        grace.get("/dashboard/", 302)
        provider.vouch_for(GRACE, subject="subject-2")
        enter(grace.in_another_browser(), provider)
        assert records.one(Identity).subject == "subject-2"
        assert ask(*words)["changed"] and not ask(*words)["changed"]

    @pytest.mark.one_database
    def test_no_code_of_ours_is_asked_for_and_none_has_to_be_set_up(self, make_app, provider, post_office, clock):
        strict = make_app(ratelimit_enabled=False, require_admin_two_factor=True, **provider.settings)
        with strict.app_context():
            signup.create_admin("grace", GRACE, "grace likes tea", clock())
        grace = Person(strict, post_office, "grace")
        enter(grace, provider)
        grace.get("/admin/")
        set_up(grace, clock)
        other = grace.in_another_browser()
        enter(other, provider)
        other.get("/admin/")

    def test_a_stolen_password_sets_up_no_second_step_in_place_of_the_provider(self, grace: Person, provider, clock):
        enter(grace.in_another_browser(), provider)
        thief = grace
        thief.sign_in()
        page = thief.get(SETTINGS)
        code = App(page.one("#totp-secret")["data-secret"], clock).code()
        refused = thief.submit(page.form(SETTINGS), 422, code=code, password=grace.password)
        assert "Sign in with that" in refused.text
        owner = grace.in_another_browser()
        enter(owner, provider)
        set_up(owner, clock)

    @pytest.mark.one_database
    def test_the_address_may_be_in_the_userinfo_alone(self, grace: Person, provider):
        provider.vouch_for(GRACE, email=None, email_verified=None)
        provider.claims = {"sub": "subject-1"}
        provider.userinfo = {"sub": "subject-1", "email": GRACE, "email_verified": True}
        enter(grace, provider)

    @pytest.mark.one_database
    def test_that_the_address_is_verified_may_be_said_as_a_text(self, grace: Person, provider):
        provider.vouch_for(GRACE, email_verified="true")
        enter(grace, provider)

    @pytest.mark.one_database
    def test_but_not_in_that_of_another(self, grace: Person, provider):
        provider.claims = {"sub": "subject-1"}
        provider.userinfo = {"sub": "subject-2", "email": GRACE, "email_verified": True}
        enter(grace, provider, 403)

    @pytest.mark.one_database
    def test_a_provider_may_want_the_secret_in_the_form(self, grace: Person, provider):
        provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        enter(grace, provider)
        assert provider.tokens_asked[-1]["client_secret"] == SECRET

    @pytest.mark.one_database
    def test_an_organization_that_is_named_counts_before_the_address(self, grace: Person, provider):
        provider.vouch_for(GRACE, hd="elsewhere.example")
        enter(grace, provider, 403)
        provider.vouch_for(GRACE, hd="Example.com")
        enter(grace, provider)


ATTACKS: dict[str, Callable[[Provider], None]] = {
    "a nonce of another question": lambda p: p.claims.update(nonce="another"),
    "no nonce": lambda p: p.claims.update(nonce=None),
    "another issuer": lambda p: p.claims.update(iss="https://evil.example"),
    "an issuer that begins alike": lambda p: p.claims.update(iss=f"{p.issuer}/"),
    "another audience": lambda p: p.claims.update(aud="another application"),
    "another audience, with us as the party": lambda p: p.claims.update(aud="another application", azp=CLIENT),
    "us among others, for another party": lambda p: p.claims.update(aud=[CLIENT, "another"], azp="another"),
    "no audience": lambda p: p.claims.update(aud=None),
    "expired": lambda p: p.claims.update(exp=int(p.clock().timestamp()) - 120),
    "no end": lambda p: p.claims.update(exp=None),
    "of tomorrow": lambda p: p.claims.update(iat=int(p.clock().timestamp()) + 86400),
    "no subject": lambda p: p.claims.update(sub=None),
    "not signed": lambda p: setattr(p, "sign", p.unsigned),
    "signed by somebody else": lambda p: setattr(p, "sign", p.signed_by_another),
    "signed with our secret": lambda p: setattr(p, "sign", p.signed_with_our_secret),
    "signed with the public key as a secret": lambda p: setattr(p, "sign", p.signed_with_the_public_key),
    "no token at all": lambda p: setattr(p, "sign", lambda _: None),
    "nonsense for a token": lambda p: setattr(p, "sign", lambda _: "a.b.c"),
    "a list for a token": lambda p: setattr(p, "sign", lambda _: ["a"]),
}
STRANGERS: dict[str, Callable[[Provider], None]] = {
    "an address that is not verified": lambda p: p.claims.update(email_verified=False),
    "an address that may be verified": lambda p: p.claims.update(email_verified=None),
    "an address that is verified in other words": lambda p: p.claims.update(email_verified="yes"),
    "an address of another domain": lambda p: p.claims.update(email="grace@example.org"),
    "an address of a domain below": lambda p: p.claims.update(email="grace@evil.example.com"),
    "an address with two ends": lambda p: p.claims.update(email="grace@example.com@evil.example"),
    "no address": lambda p: p.claims.update(email=None),
    "a list of addresses": lambda p: p.claims.update(email=[GRACE]),
    "an address that nobody has": lambda p: p.claims.update(email="nobody@example.com"),
    "an ordinary member": lambda p: p.claims.update(email="bob@example.com"),
    "a subject without end": lambda p: p.claims.update(sub="x" * 256),
}


class TestAttacks:
    @pytest.fixture(autouse=True)
    def nobody_gets_in(self, grace: Person, bob: Person, records) -> Iterator[None]:
        bob.sign_up()
        bob.confirm_address()
        before = records.everything()
        yield
        assert records.everything() == before
        grace.get("/dashboard/", 302)
        grace.get("/admin/", 404)

    @pytest.mark.parametrize("attack", ATTACKS)
    @pytest.mark.one_database
    def test_a_token_that_is_not_for_us_now_is_not_believed(self, grace: Person, provider, attack: str):
        ATTACKS[attack](provider)
        assert "did not say who you are" in enter(grace, provider, 403).text

    @pytest.mark.parametrize("stranger", STRANGERS)
    def test_whoever_is_no_admin_is_told_so_and_gets_no_account(self, grace: Person, provider, stranger: str):
        STRANGERS[stranger](provider)
        assert "no admin's account here is yours" in enter(grace, provider, 403).text

    @pytest.mark.parametrize("back", [f"{BACK}?error=access_denied&state=", f"{BACK}?state="])
    @pytest.mark.one_database
    def test_who_says_no_there_is_not_signed_in(self, grace: Person, provider, back: str):
        state = parse_qs(urlsplit(grace.get(ASK, 302).location).query)["state"][0]
        assert "did not say who you are" in grace.get(f"{back}{state}", 403).text
        assert provider.tokens_asked == []

    @pytest.mark.parametrize("back", [BACK, f"{BACK}?code=x&state=x", f"{BACK}?code=x&state=", f"{BACK}?state=%F0%9F"])
    @pytest.mark.one_database
    def test_an_answer_to_no_question_is_not_looked_at(self, grace: Person, provider, back: str):
        grace.client.get(back)
        go(grace, provider)
        assert grace.client.get(back).status_code == 400
        assert provider.tokens_asked == []

    @pytest.mark.one_database
    def test_an_answer_to_somebody_elses_question_is_not_looked_at(self, grace: Person, bob: Person, provider):
        """Mallory signs in there and sends the address to come back by to her victim."""
        theirs = go(bob.in_another_browser(), provider)
        go(grace, provider)
        assert "begun in another browser" in grace.get(theirs, 400).text
        assert provider.tokens_asked == []

    @pytest.mark.one_database
    def test_a_code_for_another_question_is_worth_nothing(self, grace: Person, provider):
        stolen = parse_qs(urlsplit(go(grace.in_another_browser(), provider)).query)["code"][0]
        back = go(grace, provider)
        state = parse_qs(urlsplit(back).query)["state"][0]
        assert "did not say who you are" in grace.get(f"{BACK}?code={stolen}&state={state}", 403).text

    @pytest.mark.one_database
    def test_a_question_that_was_answered_badly_is_not_open_any_more(self, grace: Person, provider):
        provider.claims["nonce"] = "another"
        back = go(grace, provider)
        grace.get(back, 403)
        provider.vouch_for(GRACE)
        assert "was used before" in grace.get(back, 400).text
        assert len(provider.tokens_asked) == 1

    @pytest.mark.one_database
    def test_a_question_is_open_for_ten_minutes(self, grace: Person, provider, clock):
        back = go(grace, provider)
        clock.advance(minutes=10, seconds=1)
        grace.get(back, 400)


@pytest.mark.one_database
def test_an_answer_works_once(grace: Person, provider, records):
    back = go(grace, provider)
    cookie_of_before = grace.in_another_browser()
    grace.get(back, 303)
    assert cookie_of_before.get(back, 400)
    grace.sign_out()
    grace.get(back, 400)
    grace.get("/admin/", 404)
    assert len(provider.tokens_asked) == 1


@pytest.mark.parametrize(
    "address", ["grace@example.org", "grace@evil.example.com", "grace@com", "grace@notexample.com"]
)
def test_an_admin_with_an_address_of_another_domain_types_a_password(grace: Person, provider, records, address: str):
    change_user(records, email=address)
    provider.vouch_for(address)
    enter(grace, provider, 403)
    assert records.all(Identity) == []


@pytest.mark.parametrize("change", [{"is_admin": False}, {"is_active": False}])
def test_who_was_an_admin_and_is_no_more_stays_out(grace: Person, provider, records, change: dict[str, bool]):
    enter(grace, provider)
    change_user(records, **change)
    enter(grace.in_another_browser(), provider, 403)


@pytest.mark.parametrize("change", [{"verified_at": None}, {"is_active": False}, {"is_admin": False}])
def test_nor_is_one_tied_whose_address_is_not_confirmed_here(grace: Person, provider, records, change):
    change_user(records, **change)
    enter(grace, provider, 403)
    assert records.all(Identity) == []


def test_of_an_erased_account_nothing_is_left(app: Flask, grace: Person, provider, records, clock):
    enter(grace, provider)
    with app.app_context():
        erasure.erase(1, FORMER_MEMBER, clock())
    assert records.all(Identity) == []
    enter(grace.in_another_browser(), provider, 403)


@pytest.mark.one_database
class TestTheProviderIsAway:
    FAULTS: dict[str, Callable[[Provider], None]] = {  # noqa: RUF012 - nobody changes it
        "an error": lambda p: p.failing.update({urlsplit(p.discovery_url).path: (500, b"oops")}),
        "no JSON": lambda p: p.failing.update({urlsplit(p.discovery_url).path: (200, b"<html>")}),
        "a list": lambda p: p.failing.update({urlsplit(p.discovery_url).path: (200, b"[]")}),
        "another issuer": lambda p: p.metadata.update(issuer="https://evil.example"),
        "no place for tokens": lambda p: p.metadata.update(token_endpoint=None),
        "a file for its keys": lambda p: p.metadata.update(jwks_uri="file:///etc/passwd"),
        "nobody there": lambda p: p._server.server_close(),
    }

    @pytest.mark.parametrize("fault", FAULTS)
    def test_the_page_says_so_and_the_password_still_works(self, grace: Person, provider, fault: str):
        if fault == "nobody there":
            provider._server.shutdown()
        self.FAULTS[fault](provider)
        answer = grace.get(ASK, 503)
        assert "does not answer right now" in answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert grace.submit(answer.form("/login"), username="grace", password=grace.password).location == "/dashboard/"

    @pytest.mark.parametrize("path", ["/token", "/keys", "/userinfo"])
    def test_also_on_the_way_back(self, grace: Person, provider, path: str):
        provider.vouch_for(GRACE) if path != "/userinfo" else provider.claims.pop("email")
        provider.failing[path] = (500, b"oops")
        assert "does not answer right now" in enter(grace, provider, 503).text
        grace.sign_in()

    def test_one_that_says_nothing_is_waited_for_a_few_seconds_and_by_one_thread(self, make_app):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/.well-known/openid-configuration"
            settings = {"oidc_client_id": "x", "oidc_client_secret": "x", "oidc_domain": "example.com"}
            app = make_app(oidc_discovery_url=url, **settings)

            def ask() -> float:
                begun = monotonic()
                assert app.test_client().get(ASK).status_code == 503
                return monotonic() - begun

            waited = sorted(all_at_once([ask] * 4))
            assert max(waited[:3]) < 2 < waited[3] < 6, waited

    def test_keys_that_were_changed_work_at_once_and_nonsense_does_not(self, grace: Person, provider):
        provider.failing["/keys"] = (200, b'{"keys": [{"kty": "x"}]}')
        enter(grace, provider, 403)


@pytest.mark.one_database
class TestThePanelAsksAgain:
    """After two hours an unlocked screen is not enough; the provider may ask in our place, if it really does."""

    def ask_again(self, grace: Person, clock) -> str:
        clock.advance(hours=3)
        confirm = grace.get(grace.get("/admin/members/", 303).location)
        return next(a["href"] for a in confirm.all("a") if a.text == "Go on with example.com")

    def test_the_provider_is_told_to_ask_and_says_that_it_did(self, grace: Person, provider, clock):
        enter(grace, provider)
        way = self.ask_again(grace, clock)
        url = grace.get(way, 302).location
        asked = parse_qs(urlsplit(url).query)
        assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
        provider.vouch_for(GRACE, auth_time=int(clock().timestamp()))
        answer = grace.get(path_of(provider.authorize(url)), 303)
        assert answer.location == "/admin/members/"
        grace.follow(answer)

    @pytest.mark.parametrize("seconds", [None, 3 * 3600])
    def test_a_word_that_is_old_or_of_no_time_is_not_enough(self, grace: Person, provider, clock, seconds: int | None):
        enter(grace, provider)
        way = self.ask_again(grace, clock)
        provider.vouch_for(GRACE, auth_time=seconds and int(clock().timestamp()) - seconds)
        refused = enter(grace, provider, page=way)
        assert refused.location == "/account/confirm?next=/admin/members/"
        page = grace.get(refused.location)
        assert "did not ask who you are just now" in page.text
        grace.get("/admin/", 303)

    def test_nor_is_that_for_another_admin(self, app, grace: Person, provider, clock, post_office):
        enter(grace, provider)
        with app.app_context():
            signup.create_admin("harry", "harry@example.com", "harry likes tea", clock())
        way = self.ask_again(grace, clock)
        provider.vouch_for("harry@example.com", subject="subject-2", auth_time=int(clock().timestamp()))
        assert "not the account" in grace.get(enter(grace, provider, page=way).location).text
        grace.get("/admin/", 303)


@pytest.mark.one_database
class TestWithoutOne:
    def test_there_is_no_button_and_no_page(self, make_app, post_office):
        person = Person(make_app(), post_office, "grace")
        assert not [a for a in person.get("/login").all("a") if "Sign in with" in a.text]
        person.get(ASK, 404)
        person.get(BACK, 404)


@pytest.mark.one_database
def test_the_address_to_come_back_to_is_that_of_the_settings(make_app, provider, post_office):
    """A Host header must not decide where a code goes."""
    app = make_app(base_url="https://refer.example.com/hub", **provider.settings)
    answer = app.test_client().get(f"/hub{ASK}", headers={"Host": "evil.example"})
    asked = parse_qs(urlsplit(answer.location).query)
    assert asked["redirect_uri"] == [f"https://refer.example.com/hub{BACK}"]
