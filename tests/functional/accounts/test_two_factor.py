"""The second step of signing in: an app's code after the password, and recovery codes."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from referralhub.models import AuditLine, RecoveryCode, Role, User
from referralhub.services.accounts import erasure, totp
from referralhub.services.shared import sealing
from referralhub.words.referrals import FORMER_MEMBER
from tests.conftest import SECRET_KEY
from tests.people import Person, all_at_once
from tests.two_factor import SETTINGS, App, codes_on, letters, set_up, sign_in, switch_off


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


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
        assert all(re.fullmatch(r"([a-z2-9]{4}-){5}[a-z2-9]{4}", code) for code in codes)
        alice.get("/dashboard/")
        elsewhere.get("/dashboard/", 302)
        assert alice.get(SETTINGS).one("[data-codes-left]")["data-codes-left"] == "10"
        assert not codes_on(alice.get(SETTINGS))
        assert ["You are asked for a code" in words for words in letters(alice)] == [True]

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


class TestSwitchingOff:
    def test_it_takes_password_and_code(self, alice: Person, records, clock):
        alice.sign_up()
        app, _ = set_up(alice, clock)
        assert switch_off(alice, app.next_code(), "wrong", expect=422).error_at("password")
        assert switch_off(alice, "000000", expect=422).error_at("code")
        assert switch_off(alice, app.code(), expect=303)
        assert (records.one(User).totp_secret, records.all(RecoveryCode)) == (None, [])
        alice.in_another_browser().sign_in()
        assert any("Your password alone" in words for words in letters(alice))

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
        assert any("Those who run this site" in words for words in letters(alice))
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
