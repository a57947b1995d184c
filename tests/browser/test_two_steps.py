"""Signing in with two steps, in a real browser, with scripts and without."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from referralhub.services.accounts import totp
from tests.browser.conftest import expect_to_fit, violations


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
@pytest.mark.parametrize("javascript", [True, False])
def test_a_member_sets_it_up_and_signs_in_with_it(open_tab, javascript: bool):
    alice = open_tab("alice", java_script_enabled=javascript)
    alice.sign_up()
    alice.go("/account/two-factor")
    expect(alice.page.locator("svg.qr")).to_be_visible()
    secret = alice.page.locator("#totp-secret").get_attribute("data-secret")
    alice.page.locator("[name=code]").fill(totp.code_at(secret, datetime.now(UTC)))
    alice.page.locator("[name=password]").fill(alice.password)
    alice.page.locator("form[action='/account/two-factor'] [type=submit]").click()
    expect(alice.page.locator("[data-recovery-code]")).to_have_count(10)
    recovery_code = alice.page.locator("[data-recovery-code]").first.inner_text()
    if javascript:
        expect_to_fit(alice.page, 320, "recovery codes")
        assert violations(alice.page, "light") == []

    alice.context.clear_cookies()
    alice.go("/login")
    alice.page.locator("[name=username]").fill(alice.username)
    alice.page.locator("[name=password]").fill(alice.password)
    alice.page.locator("form[action='/login'] [type=submit]").click()
    alice.page.wait_for_url("**/login/code**")
    if javascript:
        expect_to_fit(alice.page, 320, "the code")
        assert violations(alice.page, "light") == []
    later = datetime.now(UTC) + timedelta(seconds=30)  # the code that switched it on is used up
    alice.page.locator("[name=code]").fill(totp.code_at(secret, later) if javascript else recovery_code)
    alice.page.locator("form[action^='/login/code'] [type=submit]").click()
    alice.page.wait_for_url("**/dashboard/")
