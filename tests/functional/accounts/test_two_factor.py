"""The second step of signing in: an app's code after the password, and recovery codes."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from referralhub.models import AuditLine, RecoveryCode, Role, SignIn, User
from referralhub.services.accounts import erasure, totp
from referralhub.services.shared import sealing
from referralhub.words.referrals import FORMER_MEMBER
from tests.conftest import SECRET_KEY
from tests.pages import Page
from tests.people import Person, all_at_once, text_of
from tests.two_factor import SETTINGS, App, codes_on, give_code, set_up, sign_in


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


def letters(person: Person) -> list[str]:
    person.post_office.deliver()
    about = "How you sign in to ReferralHub was changed"
    return [text_of(letter) for letter in person.post_office.letters(person.email) if letter["Subject"] == about]


def switch_off(person: Person, code: str, password: str = "", expect: int = 303) -> Page:
    form = person.get(SETTINGS).form(f"{SETTINGS}/off")
    return person.submit(form, expect, code=code, password=password or person.password)


@pytest.mark.one_database
class TestCodes:
    @pytest.mark.parametrize(
        ("seconds", "code"),
        [
            (1111111109, "081804"),
            (1111111111, "050471"),
            (1234567890, "005924"),
            (2000000000, "279037"),
        ],
    )
    def test_they_are_those_of_the_standard(self, seconds: int, code: str):
        """RFC 6238, appendix B, of which apps show the last six digits."""
        secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        moment = datetime.fromtimestamp(seconds, UTC)
        assert totp.code_at(secret, moment) == code
        assert totp.step_of(secret, code, moment) == seconds // 30
        assert [totp.step_of(secret, code, moment + timedelta(seconds=30 * n)) for n in (-2, 2)] == [None, None]

    def test_no_two_accounts_have_the_same_secret(self):
        secrets = {totp.new_secret() for _ in range(100)}
        assert len(secrets) == 100
        assert all(re.fullmatch("[A-Z2-7]{32}", each) for each in secrets)

    def test_what_the_app_is_given_says_whose_it_is(self):
        address = totp.address("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "alice", "ReferralHub")
        assert address.startswith("otpauth://totp/ReferralHub:alice?")
        assert "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" in address


class TestSettingUp:
    def test_a_code_of_the_app_switches_it_on_and_signs_out_elsewhere(self, alice: Person, records, clock):
        alice.sign_up()
        elsewhere = alice.in_another_browser()
        elsewhere.sign_in()
        page = alice.get(SETTINGS)
        secret = page.one("#totp-secret")
        assert page.all('svg[class="qr"]') and secret.text.replace(" ", "") == secret["data-secret"]
        assert alice.get(SETTINGS).one("#totp-secret")["data-secret"] == page.one("#totp-secret")["data-secret"]

        _, codes = set_up(alice, clock)
        assert len(set(codes)) == 10
        assert all(re.fullmatch(r"([a-z2-9]{4}-){3}[a-z2-9]{4}", code) for code in codes)
        alice.get("/dashboard/")
        elsewhere.get("/dashboard/", 302)
        assert alice.get(SETTINGS).one("[data-codes-left]")["data-codes-left"] == "10"
        assert not codes_on(alice.get(SETTINGS))
        assert ["you are asked for a code" in words for words in letters(alice)] == [True]

    def test_neither_secret_nor_recovery_codes_are_in_the_database(self, alice: Person, records, clock, valkey):
        alice.sign_up()
        secret = alice.get(SETTINGS).one("#totp-secret")["data-secret"]
        in_redis = b"".join(valkey.client.get(key) for key in valkey.client.keys("session:*"))
        assert secret.encode() not in in_redis
        _, codes = set_up(alice, clock)
        held = str(records.everything())
        assert all(each not in held for each in (secret, *codes, *(code.replace("-", "") for code in codes)))
        sealed = records.one(User).totp_secret
        assert sealing.unseal(sealed, SECRET_KEY) == secret
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(sealed, "another key, as long as it has to be: 123456")

    @pytest.mark.parametrize(
        ("field", "value"), [("code", "000000"), ("code", "x"), ("code", ""), ("password", "wrong")]
    )
    def test_nothing_is_switched_on_without_code_and_password(self, alice: Person, records, field, value):
        alice.sign_up()
        page = alice.get(SETTINGS)
        app = App(page.one("#totp-secret")["data-secret"], alice.post_office.app.config["CLOCK"])
        values = {"code": app.code(), "password": alice.password} | {field: value}
        refused = alice.submit(page.form(SETTINGS), 422, **values)
        assert refused.error_at(field)
        assert refused.one("#totp-secret")["data-secret"] == app.secret
        assert records.one(User).totp_secret is None
        assert records.all(RecoveryCode) == []

    def test_the_form_sent_twice_says_that_it_is_on(self, alice: Person, clock, records):
        alice.sign_up()
        page = alice.get(SETTINGS)
        app = App(page.one("#totp-secret")["data-secret"], clock)
        values = {"code": app.code(), "password": alice.password}
        alice.submit(page.form(SETTINGS), 200, **values)
        before = records.everything()
        again = alice.follow(alice.submit(page.form(SETTINGS), **values))
        assert "already" in again.text
        assert records.everything() == before

    def test_of_many_at_once_one_switches_it_on(self, app: Flask, alice: Person, clock, records):
        alice.sign_up()
        page = alice.get(SETTINGS)
        code = App(page.one("#totp-secret")["data-secret"], clock).code()
        values = alice.filled_in(page.form(SETTINGS), code=code, password=alice.password)
        pages = all_at_once([lambda: alice.post(SETTINGS, values, None)] * 8)
        shown = [codes_on(page) for page in pages if page.status == 200]
        assert len(shown) == 1
        assert len(records.all(RecoveryCode)) == 10


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
        records.change(lambda: setattr(user_of(1), "is_active", False))
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


class TestSwitchingOff:
    def test_it_takes_password_and_code(self, alice: Person, records, clock):
        alice.sign_up()
        app, _ = set_up(alice, clock)
        assert switch_off(alice, app.next_code(), "wrong", expect=422).error_at("password")
        assert switch_off(alice, "000000", expect=422).error_at("code")
        assert switch_off(alice, app.code(), expect=303)
        assert (records.one(User).totp_secret, records.all(RecoveryCode)) == (None, [])
        alice.in_another_browser().sign_in()
        assert any("your password alone" in words for words in letters(alice))

    def test_a_recovery_code_will_do(self, alice: Person, clock):
        alice.sign_up()
        _, codes = set_up(alice, clock)
        switch_off(alice, codes[0])
        assert alice.get(SETTINGS).form(SETTINGS)

    def test_set_up_anew_it_is_another_secret(self, alice: Person, clock):
        alice.sign_up()
        first, _ = set_up(alice, clock)
        switch_off(alice, first.next_code())
        second, _ = set_up(alice, clock)
        assert second.secret != first.secret
        sign_in(alice.in_another_browser(), first.next_code(), 422)
        sign_in(alice.in_another_browser(), second.code())


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


class TestAdmins:
    def test_who_must_have_it_is_led_to_it_before_the_panel(self, make_app, admin: Person, clock):
        strict = make_app(require_admin_two_factor=True)
        grace = Person(strict, admin.post_office, "grace")
        grace.sign_in()
        for path in ("/admin/", "/admin/members/", "/admin/nothing", "/admin"):
            assert grace.get(path, 303).location == SETTINGS
        token = grace.get(SETTINGS).all('[name="csrf_token"]')[0]["value"]
        assert grace.post("/admin/costs", {"csrf_token": token, "paid_customer_cost": "5"}, 303).location == SETTINGS
        assert grace.get(SETTINGS).text.count("the panel opens") == 1
        set_up(grace, clock)
        grace.get("/admin/")

    @pytest.mark.one_database
    def test_others_and_strangers_still_find_no_panel(self, make_app, post_office):
        strict = make_app(require_admin_two_factor=True)
        alice = Person(strict, post_office, "alice")
        alice.get("/admin/", 404)
        alice.sign_up()
        alice.get("/admin/", 404)
        alice.get("/dashboard/")

    def test_each_change_is_in_the_audit_log(self, admin: Person, records, clock, run):
        app, codes = set_up(admin, clock)
        sign_in(admin.in_another_browser(), codes[0])
        admin.submit(admin.get(SETTINGS).form(f"{SETTINGS}/codes"), 200, **{"codes-password": admin.password})
        switch_off(admin, app.next_code())
        lines = [(line.action, line.role, line.actor_id, line.subject_id) for line in records.all(AuditLine)]
        actions = ("two_factor_on", "recovery_code", "recovery_codes", "two_factor_off")
        assert lines[1:] == [(f"member.{action}", Role.ADMIN, 1, 1) for action in actions]
        run("audit", "verify")

    def test_a_members_changes_are_their_own_affair(self, alice: Person, records, clock):
        alice.sign_up()
        set_up(alice, clock)
        assert records.all(AuditLine) == []


class TestOperator:
    def test_it_is_taken_off_for_somebody_who_is_locked_out(self, alice: Person, records, clock, ask, run):
        alice.sign_up()
        set_up(alice, clock)
        words = ("users", "two-factor-off", "--username", "Alice", "--reason", "showed her passport")
        assert ask(*words) == {"username": "Alice", "two_factor": False, "changed": True}
        assert (records.one(User).totp_secret, records.all(RecoveryCode)) == (None, [])
        alice.in_another_browser().sign_in()
        line = records.one(AuditLine)
        assert (line.action, line.role, line.reason) == ("member.two_factor_off", Role.OPERATOR, "showed her passport")
        assert any("those who run this site" in words for words in letters(alice))
        before = records.everything()
        assert ask(*words)["changed"] is False
        assert records.everything() == before
        assert "no account" in run(*words[:3], "nobody", *words[4:], expect=1).output


def test_of_an_erased_account_nothing_is_left(app: Flask, alice: Person, records, clock):
    alice.sign_up()
    set_up(alice, clock)
    with app.app_context():
        erasure.erase(1, FORMER_MEMBER, clock())
    gone = records.one(User)
    assert (gone.totp_secret, gone.totp_step, records.all(RecoveryCode)) == (None, None, [])


def user_of(user_id: int) -> User:
    from referralhub.extensions import db

    return db.session.get_one(User, user_id)
