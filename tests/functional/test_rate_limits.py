"""Forms are what robots like: each address may send twenty a minute."""

import pytest
from flask import Flask

from tests.pages import Page, Visitor

ALLOWED = 20


def try_to_sign_in(visitor: Visitor, expect: int = 422, **headers: str) -> Page:
    if not hasattr(visitor, "form"):
        visitor.form = visitor.get("/login").form("/login")
    token = visitor.form.one('[name="csrf_token"]')["value"]
    values = {"csrf_token": token, "username": "nobody", "password": "x"}
    return visitor.post("/login", values, expect, headers=headers)


def use_up(visitor: Visitor, **headers: str) -> None:
    for _ in range(ALLOWED):
        try_to_sign_in(visitor, **headers)


def test_the_twenty_first_try_in_a_minute_is_refused_with_a_time_to_come_back(visitor: Visitor):
    use_up(visitor)
    page = try_to_sign_in(visitor, expect=429)
    assert "too often" in page.text
    assert "20 per 1 minute" in page.text
    assert 0 < int(page.headers["Retry-After"]) <= 60
    visitor.get("/login")  # looking is free
    visitor.get("/signup")


def test_one_form_does_not_use_up_another(app: Flask, visitor: Visitor):
    use_up(visitor)
    visitor.submit(visitor.get("/signup").form("/signup"), 422)


def test_a_new_cookie_is_no_new_address(app: Flask):
    use_up(Visitor(app))
    try_to_sign_in(Visitor(app), expect=429)


def test_another_address_is_not_held_up(app: Flask):
    use_up(Visitor(app))
    try_to_sign_in(Visitor(app, REMOTE_ADDR="192.0.2.1"))


def test_a_forged_forwarded_address_is_ignored(visitor: Visitor):
    for number in range(ALLOWED):
        try_to_sign_in(visitor, **{"X-Forwarded-For": f"192.0.2.{number}"})
    try_to_sign_in(visitor, expect=429, **{"X-Forwarded-For": "192.0.2.99"})


def test_behind_one_proxy_the_address_it_names_counts_and_nothing_before_it(make_app):
    visitor = Visitor(make_app(trusted_proxies=1))
    for number in range(ALLOWED):
        try_to_sign_in(visitor, **{"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.1"})
    try_to_sign_in(visitor, expect=429, **{"X-Forwarded-For": "203.0.113.99, 192.0.2.1"})
    try_to_sign_in(visitor, **{"X-Forwarded-For": "192.0.2.2"})


def test_one_ipv6_home_is_one_address(app: Flask):
    for number in range(ALLOWED):
        try_to_sign_in(Visitor(app, REMOTE_ADDR=f"2001:db8:0:1::{number:x}"))
    try_to_sign_in(Visitor(app, REMOTE_ADDR="2001:db8:0:1:ffff::1"), expect=429)
    try_to_sign_in(Visitor(app, REMOTE_ADDR="2001:db8:0:2::1"))


def test_two_processes_count_together(make_app):
    first, second = Visitor(make_app()), Visitor(make_app())
    for _ in range(ALLOWED // 2):
        try_to_sign_in(first)
        try_to_sign_in(second)
    try_to_sign_in(first, expect=429)
    try_to_sign_in(second, expect=429)


def test_resending_the_mail_has_a_limit_of_its_own(alice):
    form = alice.sign_up().form("/verify/resend")
    for _ in range(5):
        alice.submit(form)
    alice.submit(form, 429)


def test_limits_can_be_off_in_development(unlimited_app: Flask):
    visitor = Visitor(unlimited_app)
    for _ in range(ALLOWED + 5):
        try_to_sign_in(visitor)


@pytest.fixture
def redis_that_cannot_write(valkey):
    yield lambda: valkey.client.config_set("maxmemory", 1)
    valkey.client.config_set("maxmemory", 0)


def test_a_redis_that_takes_no_writes_does_not_open_the_gate(visitor: Visitor, redis_that_cannot_write):
    try_to_sign_in(visitor)
    redis_that_cannot_write()
    use_up(visitor)  # counted by this process alone now
    try_to_sign_in(visitor, expect=429)
