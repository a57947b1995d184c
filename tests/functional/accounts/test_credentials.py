"""What a member signs in with: a forgotten password, a new one, another address, and the tokens that are mailed."""

from collections import Counter
from hashlib import sha256
from threading import BoundedSemaphore

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import (
    OneTimeToken,
    OutboxMessage,
    Referral,
    ReferralState,
    ResetRequest,
    RewardEntry,
    SignIn,
    User,
)
from referralhub.services.accounts import erasure, passwords
from referralhub.words.referrals import FORMER_MEMBER
from tests.pages import Page, Visitor
from tests.people import Person, all_at_once, user_named

NEW = "quite another secret"
TODAYS_SETTINGS = "$argon2id$v=19$m=19456,t=2,p=1$"


@pytest.fixture
def app(unlimited_app: Flask) -> Flask:
    return unlimited_app


def ask_for_reset(visitor: Visitor, email: str) -> Page:
    return visitor.submit(visitor.get("/password/forgot").form("/password/forgot"), 200, email=email)


def reset_path(person: Person) -> str:
    """Forget the password, and give the path in the mail."""
    ask_for_reset(Visitor(person.post_office.app), person.email)
    return person.mailed_path("/password/reset/")


def send_password(visitor: Visitor, path: str, password: str, expect: int = 303) -> Page:
    return visitor.submit(visitor.get(path).form(path), expect, password=password, password_confirm=password)


def change_password(person: Person, old: str, new: str, expect: int = 303) -> Page:
    form = person.get("/account/password").form("/account/password")
    return person.submit(form, expect, password=old, new_password=new, new_password_confirm=new)


def ask_for_address(person: Person, email: str, password: str = "", expect: int = 303) -> Page:
    form = person.get("/account/email").form("/account/email")
    return person.submit(form, expect, email=email, password=password or person.password)


def press(visitor: Visitor, path: str, expect: int = 303) -> Page:
    """Press the one button of a page."""
    return visitor.submit(visitor.get(path).form(path), expect)


def subjects(person: Person, email: str = "") -> list[str]:
    person.post_office.deliver()
    return [letter["Subject"] for letter in person.post_office.letters(email or person.email)]


class TestForgottenPassword:
    def test_the_answer_does_not_say_whether_there_is_an_account(self, app, alice: Person, visitor: Visitor, records):
        alice.sign_up()
        known, unknown = ask_for_reset(visitor, "Alice@Example.com"), ask_for_reset(visitor, "nobody@example.com")
        assert known.response.data == unknown.response.data
        assert (known.status, set(known.headers.keys())) == (unknown.status, set(unknown.headers.keys()))
        assert subjects(alice)[1:] == ["Set a new password for ReferralHub"]
        assert [row.kind.value for row in records.all(OutboxMessage)] == ["verify_address", "reset_password"]

    @pytest.mark.parametrize("address", ["alice@example.com", "nobody@example.com"])
    def test_the_page_does_the_same_for_both_and_the_worker_looks(
        self, app, alice: Person, visitor: Visitor, records, count_queries, address: str
    ):
        """Who looked at the clock would learn the answer else."""
        alice.sign_up()
        form, before = visitor.get("/password/forgot").form("/password/forgot"), records.everything()
        with count_queries() as statements:
            visitor.submit(form, 200, email=address)
        assert [statement.split()[:3] for statement in statements.sent] == [["INSERT", "INTO", "reset_request"]]
        after = records.everything()
        assert {table for table, rows in after.items() if rows != before[table]} == {"reset_request"}
        alice.post_office.deliver()
        assert records.all(ResetRequest) == []

    def test_the_link_sets_a_password_once_signs_in_here_and_out_everywhere_else(self, app, alice, records):
        alice.sign_up()
        elsewhere = alice.in_another_browser()
        elsewhere.sign_in()
        path = reset_path(alice)
        before = records.everything()
        here = alice.in_another_browser()
        form = here.get(path).form(path)
        assert here.client.head(path).status_code == 200
        assert records.everything() == before
        session_id = here.session_id()

        answer = here.submit(form, password=NEW, password_confirm=NEW)
        assert here.follow(answer).one("#referral-link")
        assert here.session_id() != session_id
        for browser in (alice, elsewhere):
            browser.get("/dashboard/", 302)
        elsewhere.sign_in(expect=422)
        elsewhere.sign_in(password=NEW)
        assert subjects(alice)[-1] == "Your password at ReferralHub was changed"

        late = Visitor(app)
        assert "no longer works" in late.get(path, 400).text
        assert (
            "no longer works"
            in here.submit(form, 400, password="a third secret", password_confirm="a third secret").text
        )
        assert passwords.matches(records.one(User).password_hash, NEW)

    def test_the_link_works_for_twenty_minutes_from_when_the_mail_is_written(self, app, alice, visitor, records, clock):
        alice.sign_up()
        before = records.one(User).password_hash
        ask_for_reset(visitor, alice.email)
        clock.advance(minutes=30)  # the worker was away
        path = alice.mailed_path("/password/reset/")
        clock.advance(minutes=19, seconds=59)
        form = visitor.get(path).form(path)
        clock.advance(seconds=1)
        assert "no longer works" in visitor.get(path, 400).text
        assert "no longer works" in visitor.submit(form, 400, password=NEW, password_confirm=NEW).text
        assert records.one(User).password_hash == before

    def test_a_weak_password_is_refused_at_its_field_and_the_link_still_works(self, app, alice, visitor):
        alice.sign_up()
        path = reset_path(alice)
        for weak in ("password1", "short", alice.email):
            page = send_password(visitor, path, weak, expect=422)
            assert page.error_at("password")
            assert page.wrong_fields == {"password"}
        send_password(visitor, path, NEW)

    def test_a_member_who_was_switched_off_gets_no_link_and_can_use_none(self, app, alice, visitor, records):
        alice.sign_up()
        path = reset_path(alice)
        records.change(lambda: setattr(user_named("alice"), "is_active", False))
        assert "no longer works" in send_password(visitor, path, NEW, expect=400).text
        ask_for_reset(visitor, alice.email)
        assert len([row for row in records.all(OutboxMessage) if row.kind == "reset_password"]) == 1

    def test_of_fifty_who_use_one_link_at_once_one_succeeds(self, app, alice, records):
        alice.sign_up()
        path = reset_path(alice)
        forms = [(visitor, visitor.get(path).form(path)) for visitor in (Visitor(app) for _ in range(50))]
        winners = []

        def send(number: int) -> Page:
            visitor, form = forms[number]
            values = {box["name"]: box.attributes.get("value", "") for box in form.all("input[name]")}
            values |= dict.fromkeys(("password", "password_confirm"), f"secret number {number}")
            page = visitor.post(path, values, expect=None)
            if page.status == 303:
                winners.append(number)
            return page

        pages = all_at_once([lambda number=number: send(number) for number in range(50)])
        assert Counter(page.status for page in pages) == {303: 1, 400: 49}
        assert all("no longer works" in page.text for page in pages if page.status == 400)
        assert passwords.matches(records.one(User).password_hash, f"secret number {winners[0]}")
        records.one(SignIn)
        assert len([row for row in records.all(OutboxMessage) if row.kind == "password_changed"]) == 1


def test_of_fifty_who_use_one_verification_link_at_once_one_counts(app, alice: Person, bob: Person, records):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    path = bob.verification_path()
    forms = [(visitor, visitor.get(path).form(path)) for visitor in (Visitor(app) for _ in range(50))]

    pages = all_at_once([lambda pair=pair: pair[0].submit(pair[1]) for pair in forms])
    assert Counter(page.status for page in pages) == {303: 50}
    told = [visitor.get("/login").text for visitor, _ in forms]
    assert Counter("Welcome aboard" in text for text in told) == {True: 1, False: 49}
    assert sum("was confirmed before" in text for text in told) == 49
    assert records.one(RewardEntry).amount == 10


class TestChangeOfPassword:
    def test_it_takes_the_old_one(self, alice: Person, records):
        alice.sign_up()
        before = records.everything()
        page = change_password(alice, "not hers at all", NEW, expect=422)
        assert "not your password" in page.error_at("password")
        page = change_password(alice, alice.password, "password1", expect=422)
        assert page.wrong_fields == {"new_password"}
        assert records.everything() == before

    def test_it_ends_the_other_sessions_and_what_was_asked_for_with_the_old_one(self, alice: Person, visitor, records):
        alice.sign_up()
        elsewhere = alice.in_another_browser()
        elsewhere.sign_in()
        forgotten = reset_path(alice)
        ask_for_address(elsewhere, "eve@example.com")  # by somebody who knew the old password
        planted = elsewhere.mailed_path("/account/email/", to="eve@example.com")
        ask_for_address(elsewhere, "mallory@example.com")  # and this mail is still on its way

        page = alice.follow(change_password(alice, alice.password, NEW))
        assert "Your new password is set" in page.text
        elsewhere.get("/dashboard/", 302)
        elsewhere.sign_in(expect=422)
        elsewhere.sign_in(password=NEW)
        assert subjects(alice)[-1] == "Your password at ReferralHub was changed"
        visitor.get(forgotten, 400)
        assert "no longer works" in press(visitor, planted, 400).text
        assert alice.post_office.letters("mallory@example.com") == []
        assert records.one(User).email == alice.email


class TestChangeOfAddress:
    def test_it_takes_the_password(self, alice: Person, records):
        alice.sign_up()
        before = records.everything()
        page = ask_for_address(alice, "new@example.com", password="not hers at all", expect=422)
        assert "not your password" in page.error_at("password")
        assert records.everything() == before

    def test_the_old_one_stays_until_the_new_one_is_confirmed(self, alice: Person, bob: Person, visitor, records):
        alice.sign_up()
        bob.click(alice.link)
        bob.sign_up()
        unused = bob.verification_path()
        ask_for_address(bob, "new@example.com")
        path = bob.mailed_path("/account/email/", to="new@example.com")
        assert "/account/email/" not in "".join(map(str, bob.post_office.letters(bob.email)))
        before = records.everything()
        form = visitor.get(path).form(path)
        assert records.everything() == before

        visitor.submit(form)
        changed = records.one(User, username="bob")
        assert (changed.email, changed.verified_at is not None) == ("new@example.com", True)
        assert records.one(Referral).state is ReferralState.CONFIRMED  # what waited for an address has one
        assert subjects(bob)[-1] == "Your address at ReferralHub was changed"
        assert "new@example.com" not in str(bob.post_office.letters(bob.email)[-1])
        assert "no longer works" in press(visitor, unused, 400).text
        press(visitor, path)  # a second click does no harm
        bob.sign_out()
        bob.sign_in(expect=422, username=bob.email)
        bob.sign_in(username="new@example.com")
        records.one(RewardEntry)

    def test_an_address_that_is_taken_meanwhile_is_refused_when_confirmed(self, alice, charlie, records):
        alice.sign_up()
        ask_for_address(alice, charlie.email)
        path = alice.mailed_path("/account/email/", to=charlie.email)
        charlie.sign_up()
        charlie.confirm_address()
        before = records.everything()
        assert "already an account" in press(alice, path, 400).text
        assert records.everything() == before

    def test_a_mistyped_address_gets_nothing_once_the_right_one_was_asked_for(self, alice: Person, visitor, records):
        alice.sign_up()
        ask_for_address(alice, "typo@example.com")
        mistyped = alice.mailed_path("/account/email/", to="typo@example.com")
        ask_for_address(alice, "new@example.com")
        before = records.everything()
        assert "no longer works" in press(visitor, mistyped, 400).text
        assert records.everything() == before
        press(visitor, alice.mailed_path("/account/email/", to="new@example.com"))
        assert "no longer works" in press(visitor, mistyped, 400).text
        assert records.one(User).email == "new@example.com"

    def test_what_was_still_to_be_mailed_to_a_mistyped_address_is_not(self, alice: Person, records):
        alice.sign_up()
        alice.post_office.deliver()
        ask_for_address(alice, "typo@example.com")
        ask_for_address(alice, "new@example.com")
        alice.post_office.deliver()
        assert alice.post_office.letters("typo@example.com") == []
        assert len(alice.post_office.letters("new@example.com")) == 1

    def test_a_confirmed_change_ends_every_other_link(self, alice: Person, visitor, records):
        alice.sign_up()
        verification = alice.verification_path()
        forgotten = reset_path(alice)
        ask_for_address(alice, "new@example.com")
        path = alice.mailed_path("/account/email/", to="new@example.com")
        press(visitor, path)
        assert "no longer works" in press(visitor, verification, 400).text
        visitor.get(forgotten, 400)
        press(visitor, path)  # it says that it was done before

    @pytest.mark.parametrize("end", ["switched off", "erased"])
    def test_the_link_is_dead_when_the_member_is_gone(self, app, alice, visitor, records, clock, end: str):
        alice.sign_up()
        ask_for_address(alice, "new@example.com")
        path = alice.mailed_path("/account/email/", to="new@example.com")
        if end == "erased":
            records.change(lambda: erasure.erase(1, FORMER_MEMBER, clock()))
        else:
            records.change(lambda: setattr(user_named("alice"), "is_active", False))
        before = records.everything()
        assert "no longer works" in press(visitor, path, 400).text
        assert records.everything() == before


def test_a_mail_that_is_late_does_not_end_the_link_of_a_newer_one(alice: Person, visitor, clock, records):
    alice.sign_up()
    alice.post_office.deliver()
    ask_for_reset(visitor, alice.email)
    late = records.all(OutboxMessage)[-1].id
    clock.advance(minutes=2)
    path = reset_path(alice)
    records.change(lambda: setattr(db.session.get(OutboxMessage, late), "attempts", 1))
    clock.advance(minutes=1)
    alice.post_office.deliver()
    assert (
        len([letter for letter in alice.post_office.letters(alice.email) if "new password" in letter["Subject"]]) == 1
    )
    send_password(visitor, path, NEW)


def test_asking_for_a_reset_does_not_end_a_link_before_the_new_one_is_made(alice: Person, visitor, clock):
    alice.sign_up()
    path = reset_path(alice)
    clock.advance(minutes=2)
    ask_for_reset(Visitor(alice.post_office.app), alice.email)  # by a stranger, say
    send_password(visitor, path, NEW)


def test_a_newer_link_to_reset_a_password_ends_the_older(alice: Person, visitor, clock):
    alice.sign_up()
    first = reset_path(alice)
    clock.advance(minutes=2)
    second = reset_path(alice)
    assert first != second
    visitor.get(first, 400)
    send_password(visitor, second, NEW)


def test_an_address_is_typed_at_sign_in_as_it_was_at_signup(alice: Person):
    alice.sign_up(email="bo@bücher.example")
    for typed in ("bo@bücher.example", "BO@BÜCHER.example", "bo@xn--bcher-kva.example"):
        alice.sign_out()
        alice.sign_in(username=typed)


class TestPasswords:
    def test_an_accent_is_the_same_in_one_character_or_in_two(self, alice: Person, records):
        composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
        for at_signup, at_sign_in in ((composed, decomposed), (decomposed, composed)):
            member = Person(alice.post_office.app, alice.post_office, f"member{len(records.all(User))}")
            member.sign_up(password=at_signup)
            member.sign_out()
            member.sign_in(password=at_sign_in)

    def test_a_password_of_before_that_was_hashed_as_typed_still_works(self, alice: Person, records):
        alice.sign_up()
        alice.sign_out()
        decomposed = "cafe\u0301 au lait"
        of_before = passwords._hash(decomposed)
        records.change(lambda: setattr(user_named("alice"), "password_hash", of_before))
        alice.sign_in(password=decomposed)

    def test_every_character_counts(self, app, alice: Person):
        typed = ["  spaces around  ", "ключ 密码 \u00e9 e\u0301 🔑", "".join(map(chr, range(0x4E00, 0x4E80)))]
        assert len(typed[2]) == 128
        for number, password in enumerate(typed):
            member = Person(app, alice.post_office, f"member{number}")
            member.sign_up(password=password)
            member.sign_out()
            for wrong in (password.strip(" ")[:-1], password[:-1], password + " "):
                member.sign_in(expect=422, password=wrong)
            member.sign_in(password=password)
        member.sign_out()
        member.sign_in(expect=422, password=typed[0].strip())

    def test_a_hash_with_weaker_settings_is_made_anew_at_sign_in(self, monkeypatch, alice: Person, records):
        alice.sign_up()
        alice.sign_out()
        monkeypatch.setattr(passwords, "_cost", passwords.Cost(passes=1, memory=1024))
        weak = passwords.hash_password(alice.password)
        monkeypatch.setattr(passwords, "_cost", passwords.OWASP)
        records.change(lambda: setattr(user_named("alice"), "password_hash", weak))
        alice.sign_in(expect=422, password="not hers at all")
        assert records.one(User).password_hash == weak
        alice.sign_in()
        kept = records.one(User).password_hash
        assert kept.startswith(TODAYS_SETTINGS)
        alice.sign_out()
        alice.sign_in()
        assert records.one(User).password_hash == kept

    def test_when_too_many_are_checked_at_once_the_others_are_asked_to_wait(self, alice, bob, records, monkeypatch):
        alice.sign_up()
        bob.sign_up()
        bob.sign_out()
        before = records.everything()
        full = BoundedSemaphore(1)
        full.acquire()
        with monkeypatch.context() as patch:
            patch.setattr(passwords, "_room", full)
            page = bob.sign_in(expect=503)
            assert "in a moment" in page.text
            assert page.headers["Retry-After"] == "1"
            assert alice.get("/dashboard/").one("#referral-link")
        assert records.everything() == before
        bob.sign_in()


def test_of_a_mailed_token_only_the_hash_is_kept(alice: Person, records, valkey):
    alice.sign_up()
    ask_for_address(alice, "new@example.com")
    raw = [
        path.rpartition("/")[2]
        for path in (
            alice.verification_path(),
            reset_path(alice),
            alice.mailed_path("/account/email/", to="new@example.com"),
        )
    ]
    kept = {row.digest for row in records.all(OneTimeToken)}
    assert kept == {sha256(token.encode()).hexdigest() for token in raw}
    tables = str(records.everything())
    waiting = str(valkey.client.lrange("huey.redis.referralhub", 0, -1))
    assert not [token for token in raw if token in tables or token in waiting]
