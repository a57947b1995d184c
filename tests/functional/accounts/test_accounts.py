"""Signing up, in and out, and confirming an address."""

from urllib.parse import urlencode

import pytest

from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import OneTimeToken, Profile, TokenPurpose, User
from referralhub.services.accounts import passwords, signup, tokens
from tests.pages import Visitor
from tests.people import Person, path_of


def test_sign_in_by_user_name_or_address_in_any_case(alice: Person, subtests):
    alice.sign_up()
    for name in ("alice", "ALICE", "alice@example.com", "Alice@Example.COM", " alice "):
        with subtests.test(name=name):
            alice.sign_out()
            alice.sign_in(username=name)
            assert alice.get("/dashboard/").one("#referral-link")


@pytest.mark.parametrize(
    "wrong", [{"password": "not her password"}, {"username": "nobody"}, {"username": "nobody@example.com"}]
)
def test_wrong_credentials_are_refused_without_saying_which(alice: Person, wrong: dict[str, str]):
    alice.sign_up()
    alice.sign_out()
    page = alice.sign_in(expect=422, **wrong)
    assert "don't match an account" in page.text
    alice.get("/dashboard/", 302)


@pytest.mark.one_database
def test_signing_out_ends_the_session_in_redis_too(alice: Person, valkey):
    alice.sign_up()
    session_id = alice.session_id()
    assert valkey.client.exists(f"session:{session_id}")
    alice.sign_out()
    assert not valkey.client.exists(f"session:{session_id}")
    alice.client.set_cookie("referralhub", session_id)
    alice.get("/dashboard/", 302)


@pytest.mark.one_database
def test_signing_out_needs_the_token_of_a_page(alice: Person):
    alice.sign_up()
    alice.post("/logout", {}, expect=400)
    alice.get("/dashboard/")


@pytest.mark.one_database
def test_the_session_gets_a_new_id_at_signup_and_at_sign_in(alice: Person, valkey):
    alice.get("/signup")
    planted = alice.session_id()
    alice.sign_up()
    assert alice.session_id() != planted
    assert not valkey.client.exists(f"session:{planted}")
    alice.sign_out()
    alice.get("/login")
    planted = alice.session_id()
    alice.sign_in()
    assert alice.session_id() != planted
    assert not valkey.client.exists(f"session:{planted}")


@pytest.mark.one_database
def test_an_id_that_nobody_was_given_is_not_taken_over(alice: Person):
    alice.client.set_cookie("referralhub", "chosen-by-an-attacker")
    alice.sign_up()
    assert alice.session_id() != "chosen-by-an-attacker"


@pytest.mark.one_database
def test_remember_me_decides_whether_the_cookie_outlives_the_browser(alice: Person):
    alice.sign_up()
    alice.sign_out()
    alice.sign_in()
    assert alice.client.get_cookie("referralhub").expires is None
    alice.sign_out()
    alice.sign_in(remember="on")
    assert alice.client.get_cookie("referralhub").expires is not None


def test_a_member_who_is_switched_off_is_out_at_once(alice: Person, records):
    alice.sign_up()
    records.change(lambda: _switch_off("alice"))
    for path in ("/dashboard/", "/dashboard/stats", "/dashboard/recent"):
        alice.get(path, 302)
    page = alice.sign_in(expect=422)
    assert "don't match" in page.text


@pytest.mark.parametrize("path", ["/signup", "/login", "/"])
@pytest.mark.one_database
def test_a_member_has_no_business_at_the_door(alice: Person, path: str):
    alice.sign_up()
    assert path_of(alice.get(path, 302).location) == "/dashboard/"


@pytest.mark.parametrize("wanted", ["/leaderboard?period=week", "/dashboard/", "/a?b=c&d=e"])
@pytest.mark.one_database
def test_signing_in_leads_back_to_where_one_wanted_to_go(alice: Person, wanted: str):
    alice.sign_up()
    alice.sign_out()
    page = alice.get(f"/login?{urlencode({'next': wanted})}")
    answer = alice.submit(page.form("/login"), username="alice", password=alice.password)
    assert answer.location == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "/\t/evil.example", "/\n/evil.example", "http:evil.example", "evil.example", "///evil.example",
        "",
    ],
)  # fmt: skip
@pytest.mark.one_database
def test_next_never_leads_to_another_site(alice: Person, wanted: str):
    alice.sign_up()
    alice.sign_out()
    page = alice.get(f"/login?{urlencode({'next': wanted})}")
    answer = alice.submit(page.form("/login"), username="alice", password=alice.password)
    assert answer.location == "/dashboard/"


@pytest.mark.one_database
def test_a_page_for_members_sends_a_visitor_to_sign_in_and_back(alice: Person):
    alice.sign_up()
    alice.sign_out()
    answer = alice.get("/dashboard/?tab=1", 302)
    page = alice.follow(answer)
    done = alice.submit(page.form("/login"), username="alice", password=alice.password)
    assert done.location == "/dashboard/?tab=1"


def test_who_comes_every_day_signs_in_again_after_ninety(alice: Person, clock):
    alice.sign_up()
    for _ in range(89):
        clock.advance(days=1)
        assert alice.get("/account/profile")
    clock.advance(days=1)
    assert alice.get("/account/profile", 302).headers["Clear-Site-Data"]
    assert alice.get("/dashboard/", 302).location.startswith("/login")
    alice.sign_in()
    assert alice.get("/account/profile")


def test_a_verification_link_works_for_a_day(alice: Person, records, clock):
    alice.sign_up()
    path = alice.verification_path()
    form = alice.get(path).form(path)
    clock.advance(hours=25)
    page = alice.submit(form, expect=400)
    assert "no longer works" in page.text
    assert records.one(User).verified_at is None
    clock.advance(hours=-2)
    alice.submit(form)
    assert records.one(User).verified_at is not None


@pytest.mark.parametrize(
    "damage",
    [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t[5:], lambda t: "x", lambda t: t.swapcase()],
)
def test_a_verification_link_that_was_changed_confirms_nothing(alice: Person, records, damage):
    alice.sign_up()
    token = damage(alice.verification_path().removeprefix("/verify/"))
    form = alice.get(f"/verify/{token}").form(f"/verify/{token}")
    page = alice.submit(form, expect=400)
    assert "no longer works" in page.text
    assert records.one(User).verified_at is None


def test_a_verification_link_is_for_the_address_it_was_sent_to(alice: Person, records):
    alice.sign_up()
    path = alice.verification_path()
    records.change(lambda: _change_address("alice", "other@example.com"))
    alice.submit(alice.get(path).form(path), expect=400)
    assert records.one(User).verified_at is None


def test_what_the_database_keeps_of_a_link_confirms_nothing(alice: Person, records):
    alice.sign_up()
    token = alice.verification_path().removeprefix("/verify/")
    assert token not in str(records.everything())
    kept = records.one(OneTimeToken).digest
    alice.submit(alice.get(f"/verify/{kept}").form(f"/verify/{kept}"), expect=400)
    assert records.one(User).verified_at is None


@pytest.mark.parametrize("purpose", [TokenPurpose.RESET_PASSWORD, TokenPurpose.CHANGE_ADDRESS])
def test_a_token_for_something_else_confirms_nothing(app, alice: Person, records, clock, purpose: TokenPurpose):
    alice.sign_up()
    with app.app_context(), transaction() as session:
        other = tokens.issue(session, purpose, 1, alice.email, clock())
    alice.submit(alice.get(f"/verify/{other}").form(f"/verify/{other}"), expect=400)
    assert records.one(User).verified_at is None
    assert records.one(OneTimeToken).used_at is None


def test_a_used_verification_link_ends_like_any_other(alice: Person, records, clock):
    alice.sign_up()
    path = alice.verification_path()
    form = alice.get(path).form(path)
    alice.submit(form)
    confirmed = records.one(User).verified_at
    clock.advance(hours=25)
    alice.submit(form, expect=400)
    assert records.one(User).verified_at == confirmed


def test_each_mail_has_a_link_of_its_own_and_the_newest_works(alice: Person, records, clock):
    alice.sign_up()
    first = alice.verification_path()
    clock.advance(minutes=2)
    alice.submit(alice.get("/dashboard/").form("/verify/resend"))
    second = alice.verification_path()
    assert first != second
    assert "no longer works" in alice.submit(alice.get(first).form(first), 400).text
    alice.submit(alice.get(second).form(second))
    confirmed = records.one(User).verified_at
    clock.advance(minutes=2)
    answer = alice.follow(alice.submit(alice.get(second).form(second)))
    assert "confirmed before" in answer.text
    assert records.one(User).verified_at == confirmed


def test_a_code_that_is_taken_is_drawn_again(app, clock, records):
    with app.app_context():
        signup.sign_up("alice", "alice@example.com", "alice likes tea", None, clock(), draw_code=lambda: "aaaaaaaa")
        drawn = iter(["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])
        signup.sign_up("bob", "bob@example.com", "bob likes tea", None, clock(), draw_code=lambda: next(drawn))
    assert [profile.code for profile in records.all(Profile)] == ["aaaaaaaa", "bbbbbbbb"]


def test_when_no_code_is_free_nothing_is_written(app, clock, records):
    with app.app_context():
        signup.sign_up("alice", "alice@example.com", "alice likes tea", None, clock(), draw_code=lambda: "aaaaaaaa")
    before = records.everything()
    with app.app_context(), pytest.raises(RuntimeError, match="no free referral code"):
        signup.sign_up("bob", "bob@example.com", "bob likes tea", None, clock(), draw_code=lambda: "aaaaaaaa")
    assert records.everything() == before


def test_passwords_are_kept_as_argon2id(strong_passwords, alice: Person, records):
    alice.sign_up()
    kept = records.one(User).password_hash
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(kept, alice.password)
    assert not passwords.matches(kept, alice.password.upper())


def test_being_seen_is_written_at_most_once_an_hour(alice: Person, records, clock):
    alice.sign_up()
    joined = records.one(User).last_seen_at
    clock.advance(minutes=59)
    alice.get("/dashboard/")
    assert records.one(User).last_seen_at == joined
    clock.advance(minutes=2)
    alice.get("/dashboard/")
    assert records.one(User).last_seen_at == clock()


def _switch_off(username: str) -> None:
    db.session.scalars(db.select(User).filter_by(username=username)).one().is_active = False


def _change_address(username: str, email: str) -> None:
    db.session.scalars(db.select(User).filter_by(username=username)).one().email = email


def test_a_slow_request_does_not_sign_a_member_in_again_who_has_signed_out_meanwhile(app, alice: Person, valkey):
    alice.sign_up()
    session_id = alice.session_id()
    with app.test_request_context("/", headers={"Cookie": f"referralhub={session_id}"}) as slow:
        slow.session["note"] = "changed by a slow request"
        alice.sign_out()
        app.session_interface.save_session(app, slow.session, app.response_class())
    assert not valkey.client.exists(f"session:{session_id}")


def test_nobody_is_led_elsewhere_after_signing_in(visitor: Visitor, alice: Person):
    alice.sign_up()
    for wanted in ("//[", "//elsewhere.example", "/\\elsewhere.example", "https://a.example", "%00", "/%0a"):
        assert alice.get(f"/login?next={wanted}", 302).location == "/dashboard/", wanted
        visitor.get(f"/login?next={wanted}")
