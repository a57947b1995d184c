"""Signing in with two steps: the code after the password, recovery codes, and guessing."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from referralhub.models import RecoveryCode, SignIn
from tests.people import Person, all_at_once, user_named
from tests.two_factor import SETTINGS, App, codes_on, give_code, letters, set_up, sign_in, switch_off


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


class TestSigningIn:
    @pytest.fixture
    def with_app(self, alice: Person, clock) -> tuple[App, list[str]]:
        alice.sign_up()
        return set_up(alice, clock)

    def test_after_the_password_comes_the_code_and_then_the_page_that_was_wanted(self, alice: Person, with_app):
        app, _ = with_app
        here = alice.in_another_browser()
        asked = here.get("/dashboard/invite", 302)
        page = here.get(asked.location)
        answer = here.submit(page.form("/login"), username="alice", password=alice.password)
        code_page = here.follow(answer)
        done = here.submit(code_page.form("/login/code"), code=app.next_code())
        assert done.location == "/dashboard/invite"
        assert here.follow(done).one("h1")
        here.get("/login/code", 302)

    def test_the_password_alone_gives_nothing(self, alice: Person, with_app, records):
        here = alice.in_another_browser()
        here.get("/login")
        before, anonymous = records.everything(), here.session_id()
        here.sign_in()
        assert anonymous and here.session_id() != anonymous  # a planted id is worth nothing from here on
        for path in ("/dashboard/", "/account/data", "/account/export", "/account/password", SETTINGS):
            assert here.get(path, 302).location.startswith("/login?")
        here.get("/admin/", 404)
        assert here.get("/").all('a[href="/login"]')
        assert records.everything() == before

    def test_a_code_works_once(self, alice: Person, with_app, records):
        app, _ = with_app
        code = app.next_code()
        sign_in(alice.in_another_browser(), code)
        thief = alice.in_another_browser()
        refused = sign_in(thief, code, 422)
        assert refused.error_at("code")
        thief.get("/dashboard/", 302)
        assert len(records.all(SignIn)) == 2

    def test_a_code_of_before_the_latest_one_works_no_more(self, alice: Person, with_app, clock):
        app, _ = with_app
        early = app.next_code()
        sign_in(alice.in_another_browser(), app.next_code())
        sign_in(alice.in_another_browser(), early, 422)

    def test_the_code_that_switched_it_on_works_no_more(self, alice: Person, with_app):
        app, _ = with_app
        sign_in(alice.in_another_browser(), app.code(), 422)

    @pytest.mark.parametrize(("seconds", "expect"), [(-60, 422), (-30, 303), (0, 303), (30, 303), (60, 422)])
    @pytest.mark.one_database
    def test_a_phones_clock_may_differ_by_half_a_minute(
        self, alice: Person, with_app, clock, seconds: int, expect: int
    ):
        app, _ = with_app
        clock.advance(minutes=5)
        sign_in(alice.in_another_browser(), app.code(clock() + timedelta(seconds=seconds)), expect)

    def test_of_many_who_send_one_code_at_once_one_gets_in(self, alice: Person, with_app, records):
        app, _ = with_app
        browsers = [alice.in_another_browser() for _ in range(8)]
        for browser in browsers:
            browser.sign_in()
        code = app.next_code()
        forms = [browser.filled_in(browser.get("/login/code").form("/login/code"), code=code) for browser in browsers]
        send = [lambda b=b, f=f: b.post("/login/code", f, None) for b, f in zip(browsers, forms, strict=True)]
        assert Counter(page.status for page in all_at_once(send)) == {303: 1, 422: 7}
        assert len(records.all(SignIn)) == 2

    def test_it_has_to_come_within_ten_minutes(self, alice: Person, with_app, clock):
        app, _ = with_app
        here = alice.in_another_browser()
        here.sign_in()
        form = here.get("/login/code").form("/login/code")
        clock.advance(minutes=10, seconds=1)
        assert here.submit(form, code=app.code()).location.startswith("/login?")
        here.get("/dashboard/", 302)

    def test_a_new_password_ends_what_was_begun_with_the_old_one(self, alice: Person, with_app):
        app, _ = with_app
        thief = alice.in_another_browser()
        thief.sign_in()
        form = thief.get("/login/code").form("/login/code")
        new = "quite another secret"
        alice.submit(
            alice.get("/account/password").form("/account/password"),
            password=alice.password, new_password=new, new_password_confirm=new,
        )  # fmt: skip
        assert thief.submit(form, code=app.next_code()).location.startswith("/login?")

    @pytest.mark.one_database
    def test_an_account_that_was_switched_off_meanwhile_stays_out(self, alice: Person, with_app, records, app: Flask):
        code_app, _ = with_app
        here = alice.in_another_browser()
        here.sign_in()
        form = here.get("/login/code").form("/login/code")
        records.change(lambda: setattr(user_named("alice"), "is_active", False))
        assert here.submit(form, code=code_app.next_code()).location.startswith("/login?")

    def test_a_forgotten_password_does_not_get_round_it(self, alice: Person, with_app):
        app, _ = with_app
        here = alice.in_another_browser()
        here.submit(here.get("/password/forgot").form("/password/forgot"), 200, email=alice.email)
        path = here.mailed_path("/password/reset/")
        new = "quite another secret"
        answer = here.submit(here.get(path).form(path), password=new, password_confirm=new)
        here.get("/dashboard/", 302)
        assert here.submit(here.follow(answer).form("/login/code"), code=app.next_code()).location == "/dashboard/"

    def test_the_signup_form_sent_again_does_not_get_round_it(self, alice: Person, clock):
        """Name, address and password are proof enough for five minutes, but not in place of a code."""
        alice.sign_up()
        set_up(alice, clock)
        thief = alice.in_another_browser()
        assert thief.fill_in_signup().location.startswith("/login/code")
        thief.get("/dashboard/", 302)

    @pytest.mark.one_database
    def test_no_cache_keeps_what_is_secret_and_no_size_tells_of_it(self, alice: Person, clock):
        alice.sign_up()
        wants = {"Accept-Encoding": "br, gzip, zstd"}
        page = alice.get(SETTINGS)
        values = {"code": App(page.one("#totp-secret")["data-secret"], clock).code(), "password": alice.password}
        values = alice.filled_in(page.form(SETTINGS), **values)
        there = alice.in_another_browser()
        answers = [
            alice.client.get(SETTINGS, headers=wants),
            alice.client.post(SETTINGS, data=values, headers=wants),
            (there.sign_in(), there.client.get("/login/code", headers=wants))[1],
        ]
        for answer in answers:
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
            assert "Content-Encoding" not in answer.headers
            assert "form-action 'self'" in answer.headers["Content-Security-Policy"]

    def test_a_member_without_it_costs_no_more_than_before(self, alice: Person, count_queries: Callable):
        alice.sign_up()
        here = alice.in_another_browser()
        form = here.get("/login").form("/login")
        with count_queries() as statements:
            here.submit(form, username="alice", password=alice.password)
        assert len(statements) <= 4, statements
        assert not any("recovery_code" in each or "identity" in each for each in statements.sent)


class TestRecoveryCodes:
    @pytest.fixture
    def codes(self, alice: Person, clock) -> list[str]:
        alice.sign_up()
        return set_up(alice, clock)[1]

    def test_each_works_once_however_it_is_typed_and_the_member_is_told(self, alice: Person, codes, records):
        sign_in(alice.in_another_browser(), codes[0])
        sign_in(alice.in_another_browser(), codes[1].replace("-", " ").upper())
        sign_in(alice.in_another_browser(), codes[0], 422)
        assert alice.get(SETTINGS).one("[data-codes-left]")["data-codes-left"] == "8"
        assert [words for words in letters(alice) if "8 are left" in words]

    def test_of_many_who_send_one_at_once_one_gets_in(self, alice: Person, codes, records):
        browsers = [alice.in_another_browser() for _ in range(8)]
        forms = []
        for browser in browsers:
            browser.sign_in()
            forms.append(browser.filled_in(browser.get("/login/code").form("/login/code"), code=codes[0]))
        send = [lambda b=b, f=f: b.post("/login/code", f, None) for b, f in zip(browsers, forms, strict=True)]
        assert Counter(page.status for page in all_at_once(send)) == {303: 1, 422: 7}

    def test_those_of_another_member_are_worth_nothing(self, alice: Person, bob: Person, codes, clock):
        bob.sign_up()
        set_up(bob, clock)
        sign_in(bob.in_another_browser(), codes[0], 422)

    def test_new_ones_take_the_password_and_end_the_old_ones(self, alice: Person, codes, records):
        form = alice.get(SETTINGS).form(f"{SETTINGS}/codes")
        assert alice.submit(form, 422, **{"codes-password": "wrong"}).error_at("codes-password")
        new = codes_on(alice.submit(form, 200, **{"codes-password": alice.password}))
        assert len({*new, *codes}) == 20
        sign_in(alice.in_another_browser(), codes[0], 422)
        sign_in(alice.in_another_browser(), new[0])
        assert any("new recovery codes" in words for words in letters(alice))

    def test_made_twice_at_once_there_are_ten(self, alice: Person, codes, records):
        values = alice.filled_in(alice.get(SETTINGS).form(f"{SETTINGS}/codes"), **{"codes-password": alice.password})
        all_at_once([lambda: alice.post(f"{SETTINGS}/codes", values, 200)] * 4)
        assert len(records.all(RecoveryCode)) == 10

    @pytest.mark.one_database
    def test_they_outlive_a_changed_key(self, alice: Person, codes, make_app, clock):
        """Somebody loses SECRET_KEY: what apps show cannot be checked any more."""
        changed = make_app(secret_key="another key, as long as it has to be: 123456", ratelimit_enabled=False)
        here = Person(changed, alice.post_office, "alice")
        clock.advance(minutes=1)
        assert "key that protects codes was changed" in sign_in(here, "123456", 422).error_at("code")
        give_code(here, codes[0])
        here.get("/dashboard/")


class TestLimits:
    @pytest.fixture
    def app(self, lend_app) -> Flask:
        return lend_app()

    @pytest.mark.one_database
    def test_codes_cannot_be_guessed_from_many_addresses(self, alice: Person, clock):
        alice.sign_up()
        app, _ = set_up(alice, clock)
        for number in range(5):
            sign_in(alice.in_another_browser(REMOTE_ADDR=f"192.0.2.{number}"), "000000", 422)
        refused = sign_in(alice.in_another_browser(REMOTE_ADDR="192.0.2.99"), app.next_code(), 429)
        assert int(refused.headers["Retry-After"]) > 0

    @pytest.mark.one_database
    def test_right_codes_do_not_count(self, alice: Person, clock):
        alice.sign_up()
        _, codes = set_up(alice, clock)
        for code in codes[:7]:
            sign_in(alice.in_another_browser(), code)

    @pytest.mark.one_database
    def test_nor_can_they_be_guessed_where_it_is_switched_off(self, alice: Person, clock):
        alice.sign_up()
        app, _ = set_up(alice, clock)
        for _ in range(5):
            switch_off(alice, "000000", expect=422)
        switch_off(alice, app.next_code(), expect=429)
