"""Forms are what robots like: what one address may send in a minute, and what may be tried at one account."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from referralhub.services.program import rules
from tests.pages import Page, Visitor
from tests.people import Person, PostOffice, path_of

AT_ACCOUNT = 10  # tries at one account from one address in five minutes
AT_ADDRESS = 60  # tries from one address in a minute
IN_ALL = 100  # tries at one account in an hour, from wherever


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest) -> str:
    """One of the two: this is not about the database."""
    return str(request.param)


def try_to_sign_in(visitor: Visitor, expect: int = 422, username: str = "nobody", **headers: str) -> Page:
    if not hasattr(visitor, "form"):
        visitor.form = visitor.get("/login").form("/login")
    token = visitor.form.one('[name="csrf_token"]')["value"]
    values = {"csrf_token": token, "username": username, "password": "x"}
    return visitor.post("/login", values, expect, headers=headers)


def use_up(visitor: Visitor, **headers: str) -> None:
    for _ in range(AT_ACCOUNT):
        try_to_sign_in(visitor, **headers)


def send_signup(visitor: Visitor, expect: int = 422) -> Page:
    """Send the form as it is, empty."""
    return visitor.submit(visitor.get("/signup").form("/signup"), expect)


def join(app: Flask, number: int, expect: int = 303, **values: str) -> Page:
    """Make an account, in a browser of its own."""
    username, password = f"colleague{number}", "has a long password"
    usual = {"username": username, "email": f"{username}@example.com", "password": password}
    visitor = Visitor(app)
    return visitor.submit(
        visitor.get("/signup").form("/signup"), expect, **(usual | {"password_confirm": password} | values)
    )


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted here is tries; that each takes its time is tested elsewhere."""
    monkeypatch.setattr(
        "referralhub.services.accounts.passwords.matches", lambda digest, password: password == "the right one"
    )
    monkeypatch.setattr("referralhub.services.accounts.passwords.is_outdated", lambda digest: False)


class TestSigningUp:
    def test_the_sixth_account_is_refused_with_the_true_time_to_come_back(self, make_app):
        """Within a minute both limits are used up: after the minute the sixth would be refused again."""
        app = make_app(signup_limit="5 per minute; 5 per hour")
        for number in range(5):
            join(app, number)
        page = join(app, 6, 429)
        assert "too often" in page.text
        wait = int(page.headers["Retry-After"])
        assert 60 < wait <= 3601
        told = int(re.search(r"Please come back in (\d+) minutes", page.text)[1])
        assert abs(told - wait / 60) <= 1
        Visitor(app).get("/signup")  # looking is free
        send_signup(Visitor(app, REMOTE_ADDR="192.0.2.1"))

    def test_mistakes_use_up_nobodys_allowance(self, make_app):
        """An office shares an address."""
        app = make_app(signup_limit="5 per minute; 5 per hour")
        for number in range(5):
            join(app, number, 422, password_confirm="mistyped")
        for number in range(4):
            join(app, number)
        join(app, 1, 422)  # the name is taken
        join(app, 5)
        join(app, 6, 429)

    def test_tries_have_a_wider_limit_of_their_own(self, make_app):
        app = make_app(signup_limit="5 per hour")
        for _ in range(20):
            send_signup(Visitor(app))
        page = send_signup(Visitor(app), 429)
        assert 0 < int(page.headers["Retry-After"]) <= 61

    @pytest.fixture
    def invited(self, app: Flask, alice: Person, clock) -> Callable[[], Visitor]:
        """Somebody who followed a link of a program in which it leads to a page in the referrer's name."""
        with app.app_context():
            rules.change({"personal_landing": True}, clock())
        alice.sign_up()
        link = path_of(alice.link)

        def arrive() -> Visitor:
            visitor = Visitor(app)
            visitor.get(link, 302)
            return visitor

        return arrive

    def test_the_two_addresses_of_the_form_have_one_allowance_for_tries(self, app: Flask, invited):
        friend = invited()
        joining, signing_up = friend.get("/join").form("/join"), Visitor(app)
        before = 1  # Alice's own
        for number in range(20 - before):
            if number % 2:
                friend.submit(joining, 422)
            else:
                send_signup(signing_up)
        friend.submit(joining, 429)
        send_signup(signing_up, 429)
        page = friend.submit(joining, 429)
        assert 0 < int(page.headers["Retry-After"]) <= 61

    def test_and_one_for_accounts(self, make_app, clock):
        app = make_app(signup_limit="3 per hour")
        with app.app_context():
            rules.change({"personal_landing": True}, clock())
        alice = Person(app, PostOffice(app), "alice")
        alice.sign_up()
        link = path_of(alice.link)
        join(app, 1)
        friend = Visitor(app)
        friend.get(link, 302)
        form = friend.get("/join").form("/join")
        password = {"password": "has a long password", "password_confirm": "has a long password"}
        friend.submit(form, 303, username="friend", email="friend@example.com", **password)
        join(app, 2, 429)
        other = Visitor(app)
        other.get(link, 302)
        form = other.get("/join").form("/join")
        other.submit(form, 429, username="other", email="other@example.com", **password)

    def test_the_limit_is_a_setting(self, make_app):
        app = make_app(signup_limit="2 per minute")
        for number in range(2):
            join(app, number)
        page = join(app, 3, 429)
        wait = int(page.headers["Retry-After"])
        assert 0 < wait <= 61
        assert "seconds" in page.text

    def test_a_typed_code_is_no_new_start(self, make_app):
        app = make_app(signup_limit="2 per minute")
        for number in range(2):
            join(app, number)
        join(app, 3, 429, referral_code="abcd1234")

    def test_a_second_click_is_no_second_account(self, make_app):
        app = make_app(signup_limit="2 per hour")
        visitor = Visitor(app)
        form = visitor.get("/signup").form("/signup")
        values = {"username": "alice", "email": "alice@example.com", "password": "the right one"}
        visitor.submit_twice(form, **values, password_confirm=values["password"])
        join(app, 2)
        join(app, 3, 429)


class TestSigningIn:
    def test_the_eleventh_try_in_five_minutes_is_refused_with_a_time_to_come_back(self, visitor: Visitor):
        use_up(visitor)
        page = try_to_sign_in(visitor, expect=429)
        assert "too often" in page.text
        wait = int(page.headers["Retry-After"])
        assert 0 < wait <= 301
        assert "come back in 5 minutes" in page.text
        visitor.get("/login")  # looking is free
        visitor.get("/signup")

    def test_sixty_tries_a_minute_are_the_most_for_one_address(self, visitor: Visitor):
        for number in range(AT_ADDRESS):
            try_to_sign_in(visitor, username=f"nobody{number}")
        page = try_to_sign_in(visitor, expect=429, username="somebody.else")
        assert 0 < int(page.headers["Retry-After"]) <= 61

    def test_another_account_is_not_held_up(self, visitor: Visitor):
        use_up(visitor)
        try_to_sign_in(visitor, username="somebody.else")

    @pytest.mark.parametrize("spelling", ["NOBODY", " nobody ", "Nobody"])
    def test_another_spelling_is_no_other_account(self, visitor: Visitor, spelling: str):
        use_up(visitor)
        try_to_sign_in(visitor, expect=429, username=spelling)

    def test_one_form_does_not_use_up_another(self, visitor: Visitor):
        use_up(visitor)
        send_signup(visitor)

    def test_a_new_cookie_is_no_new_address(self, app: Flask):
        use_up(Visitor(app))
        try_to_sign_in(Visitor(app), expect=429)

    def test_another_address_is_not_held_up(self, app: Flask):
        use_up(Visitor(app))
        try_to_sign_in(Visitor(app, REMOTE_ADDR="192.0.2.1"))

    def test_redis_holds_no_name(self, app: Flask, alice: Person, valkey):
        alice.sign_up()
        thief = Visitor(app, REMOTE_ADDR="192.0.2.1")
        for name in ("alice", alice.email):
            try_to_sign_in(thief, username=name)
        keys = [key.decode() for key in valkey.client.scan_iter()]
        assert any(key.startswith("LIMITS:") for key in keys)
        assert [key for key in keys if "alice" in key] == []


class TestOneAccountFromEverywhere:
    @pytest.fixture
    def guessed_at(self, app: Flask, alice: Person) -> Person:
        """Somebody whose password was tried from a hundred addresses in this hour."""
        alice.sign_up()
        alice.sign_out()
        for number in range(IN_ALL):
            try_to_sign_in(Visitor(app, REMOTE_ADDR=f"198.51.100.{number}"), username="alice")
        return alice

    def test_guessing_ends_wherever_it_comes_from(self, app: Flask, guessed_at: Person):
        try_to_sign_in(Visitor(app, REMOTE_ADDR="192.0.2.1"), expect=429, username="alice")
        try_to_sign_in(Visitor(app, REMOTE_ADDR="192.0.2.1"), username="bob")

    def test_the_owner_is_let_in_by_a_browser_that_knows_her(self, guessed_at: Person):
        guessed_at.password = "the right one"
        assert guessed_at.sign_in().location == "/dashboard/"

    def test_knowing_somebody_else_does_not_help(self, app: Flask, guessed_at: Person, bob: Person):
        bob.sign_up()
        bob.sign_out()
        try_to_sign_in(bob, expect=429, username="alice")

    def test_the_owner_at_a_new_machine_waits_and_is_told_for_how_long(self, guessed_at: Person):
        page = guessed_at.in_another_browser(REMOTE_ADDR="192.0.2.7").sign_in(429)
        assert 0 < int(page.headers["Retry-After"]) <= 3601
        assert "minutes" in page.text


def test_a_forged_forwarded_address_is_ignored(visitor: Visitor):
    for number in range(AT_ACCOUNT):
        try_to_sign_in(visitor, **{"X-Forwarded-For": f"192.0.2.{number}"})
    try_to_sign_in(visitor, expect=429, **{"X-Forwarded-For": "192.0.2.99"})


def test_behind_one_proxy_the_address_it_names_counts_and_nothing_before_it(make_app):
    visitor = Visitor(make_app(trusted_proxies=1))
    for number in range(AT_ACCOUNT):
        try_to_sign_in(visitor, **{"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.1"})
    try_to_sign_in(visitor, expect=429, **{"X-Forwarded-For": "203.0.113.99, 192.0.2.1"})
    try_to_sign_in(visitor, **{"X-Forwarded-For": "192.0.2.2"})


def test_one_ipv6_home_is_one_address(app: Flask):
    for number in range(AT_ACCOUNT):
        try_to_sign_in(Visitor(app, REMOTE_ADDR=f"2001:db8:0:1::{number:x}"))
    try_to_sign_in(Visitor(app, REMOTE_ADDR="2001:db8:0:1:ffff::1"), expect=429)
    try_to_sign_in(Visitor(app, REMOTE_ADDR="2001:db8:0:2::1"))


def test_two_processes_count_together(make_app):
    first, second = Visitor(make_app()), Visitor(make_app())
    for _ in range(AT_ACCOUNT // 2):
        try_to_sign_in(first)
        try_to_sign_in(second)
    try_to_sign_in(first, expect=429)
    try_to_sign_in(second, expect=429)


def test_resending_the_mail_has_a_limit_of_its_own(alice):
    form = alice.arrive().form("/verify/resend")
    for _ in range(5):
        alice.submit(form)
    alice.submit(form, 429)


def test_limits_can_be_off_in_development(unlimited_app: Flask):
    visitor = Visitor(unlimited_app)
    for _ in range(AT_ADDRESS + 5):
        try_to_sign_in(visitor)


@pytest.fixture
def redis_that_cannot_write(valkey):
    yield lambda: valkey.client.config_set("maxmemory", 1)
    valkey.client.config_set("maxmemory", 0)


def test_a_redis_that_takes_no_writes_does_not_open_the_gate(visitor: Visitor, redis_that_cannot_write):
    try_to_sign_in(visitor)
    redis_that_cannot_write()
    for _ in range(AT_ACCOUNT):
        try_to_sign_in(visitor, expect=503)  # no password is looked at
