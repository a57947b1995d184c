"""Signing up goes well for people who click twice, change the browser, or come back to a form of yesterday."""

from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import Referral, User
from tests.pages import Element
from tests.people import Person, PostOffice, all_at_once, path_of

OURS = {"Origin": "http://localhost"}


def filled_in(person: Person, **values: str) -> dict[str, str]:
    usual = {"username": person.username, "email": person.email, "password": person.password}
    return usual | {"password_confirm": person.password} | values


def as_browsers_send(person: Person) -> Person:
    """Let a person's browser name the page of each form, as all of today do."""
    person.client.environ_base["HTTP_ORIGIN"] = OURS["Origin"]
    return person


class TestTwoClicks:
    @pytest.mark.parametrize("browser", [as_browsers_send, lambda person: person], ids=["today's", "old"])
    def test_the_second_is_answered_with_what_the_first_has_made(
        self, alice: Person, bob: Person, link: str, records, browser: Callable[[Person], Person]
    ):
        browser(bob).click(link)
        answer = bob.submit_twice(bob.get("/signup").form("/signup"), **filled_in(bob))
        assert bob.follow(answer).one("#referral-link")
        assert len(records.all(User)) == 2
        assert records.one(Referral).friend_id == 2
        bob.confirm_address()
        assert alice.get("/dashboard/").stat("total_referrals") == 1

    def test_it_may_come_while_the_first_is_at_work(self, app: Flask, post_office: PostOffice, records):
        browsers = [as_browsers_send(Person(app, post_office, "bob")) for _ in range(3)]
        form = browsers[0].get("/signup").form("/signup")
        for browser in browsers[1:]:
            browser.client.set_cookie("referralhub", browsers[0].session_id())
        answers = all_at_once([partial(each.submit, form, None, **filled_in(each)) for each in browsers])
        assert [answer.status for answer in answers] == [303] * 3
        assert records.one(User).username == "bob"
        for browser in browsers:
            assert browser.get("/dashboard/").one("#referral-link")

    @pytest.mark.parametrize("other", [{"email": "eve@example.com"}, {"password": "eve likes tea"}], ids=str)
    def test_another_form_gets_no_account_of_somebody_elses(self, bob: Person, other: dict[str, str], records):
        bob.sign_up()
        eve = bob.in_another_browser()
        values = other | ({"password_confirm": other["password"]} if "password" in other else {})
        page = eve.submit(eve.get("/signup").form("/signup"), 422, **filled_in(eve, **values))
        assert "taken" in page.error_at("username")
        eve.get("/dashboard/", 302)
        assert len(records.all(User)) == 1

    @pytest.mark.parametrize("headers", [{}, {"Origin": "null"}], ids=str)
    def test_another_site_signs_nobody_in_to_its_own_account(self, bob: Person, headers: dict[str, str]):
        bob.sign_up()
        victim = bob.in_another_browser()
        victim.post("/signup", filled_in(bob), 400, headers)
        assert victim.client.get_cookie("referralhub") is None or victim.get("/dashboard/", 302)

    def test_after_a_while_it_is_a_guess(self, bob: Person, clock):
        bob.sign_up()
        clock.advance(minutes=5)
        guest = bob.in_another_browser()
        guest.submit(guest.get("/signup").form("/signup"), 422, **filled_in(guest))
        guest.get("/dashboard/", 302)

    def test_a_closed_account_is_not_opened_by_it(self, bob: Person, records):
        bob.sign_up()
        records.change(lambda: db.session.execute(db.update(User).values(is_active=False)))
        twin = bob.in_another_browser()
        twin.submit(twin.get("/signup").form("/signup"), 422, **filled_in(twin))

    def test_signing_in(self, bob: Person):
        bob.sign_up()
        bob.sign_out()
        as_browsers_send(bob)
        form = bob.get("/login").form("/login")
        bob.follow(bob.submit_twice(form, username="bob", password=bob.password))

    def test_signing_out(self, bob: Person):
        as_browsers_send(bob).sign_up()
        assert bob.submit_twice(bob.get("/dashboard/").form("/logout")).location == "/"
        bob.get("/dashboard/", 302)

    def test_a_new_password(self, bob: Person):
        bob.sign_up()
        values = {
            "password": bob.password,
            "new_password": "bob likes coffee",
            "new_password_confirm": "bob likes coffee",
        }
        form = bob.get("/account/password").form("/account/password")
        page = bob.follow(bob.submit_twice(form, **values))
        assert "Your new password is set" in page.text
        bob.password = "bob likes coffee"
        bob.sign_out()
        bob.sign_in()


@pytest.mark.one_database
class TestAFormWithoutItsSession:
    @pytest.fixture
    def form(self, bob: Person, link: str, valkey) -> Element:
        """Bob's form, whose session has gone."""
        bob.click(link)
        form = bob.get("/signup").form("/signup")
        valkey.client.flushdb()
        return form

    def test_it_works_where_the_browser_names_the_page(self, bob: Person, form: Element, records):
        bob.follow(as_browsers_send(bob).submit(form, **filled_in(bob)))
        assert records.one(Referral).friend_id == 2

    def test_else_it_is_shown_again_with_what_was_typed_and_who_referred(self, bob: Person, form: Element, records):
        page = bob.submit(form, 400, **filled_in(bob))
        assert "open for too long" in page.text
        assert "Referred by alice" in page.text
        assert len(records.all(User)) == 1
        again = page.form("/signup")
        assert [again.one(f'[name="{name}"]')["value"] for name in ("username", "email")] == ["bob", bob.email]
        assert not again.one('[name="password"]')["value"]
        bob.submit(again, password=bob.password, password_confirm=bob.password)
        assert len(records.all(Referral)) == 1

    def test_another_site_cannot_send_it(self, bob: Person, form: Element, records):
        bob.client.environ_base["HTTP_ORIGIN"] = "https://evil.example"
        bob.submit(form, 400, **filled_in(bob))
        assert len(records.all(User)) == 1

    def test_a_form_of_last_week_keeps_its_referrer(self, bob: Person, link: str, clock, records):
        bob.click(link)
        form = bob.get("/signup").form("/signup")
        clock.advance(days=7)
        bob.client.delete_cookie("referralhub")
        page = bob.submit(form, 400, **filled_in(bob))
        bob.submit(page.form("/signup"), password=bob.password, password_confirm=bob.password)
        assert len(records.all(Referral)) == 1


@pytest.mark.one_database
class TestWithoutCookies:
    @pytest.fixture
    def bob(self, bob: Person) -> Person:
        """Bob, whose browser keeps no cookies."""
        bob.client = bob.client.application.test_client(use_cookies=False)
        return as_browsers_send(bob)

    def test_the_signup_form_says_so_and_makes_no_account(self, bob: Person, link: str, records):
        form = bob.click(link).form("/signup")
        for _ in range(2):
            page = bob.submit(form, 400, **filled_in(bob))
            assert "Allow cookies" in page.text
            form = page.form("/signup")
            assert form.one('[name="username"]')["value"] == "bob"
        assert len(records.all(User)) == 1

    def test_the_other_forms_do_too(self, bob: Person):
        form = bob.get("/login").form("/login")
        assert "Allow cookies" in bob.submit(form, 400, username="bob", password="x").text


class TestAnotherBrowser:
    """An app shows the form in a browser of its own, and "open in browser" takes the address along, but no cookie."""

    @pytest.fixture
    def moved(self, bob: Person, link: str) -> Person:
        """Bob, who opened the signup page of Alice's link in his real browser."""
        in_app = bob.in_another_browser()
        page = in_app.click(f"{link}?via=whatsapp")
        address = path_of(page.response.request.url)
        assert "Referred by alice" in bob.get(address).text
        return bob

    def test_the_friend_is_known_and_counted_once(self, alice: Person, moved: Person, records):
        moved.sign_up()
        referral = records.one(Referral)
        assert (referral.referrer_id, referral.friend_id, referral.channel.value) == (1, 2, "whatsapp")
        assert [(day.visits, day.visitors) for day in records.visits()] == [(1, 1)]
        moved.confirm_address()
        assert alice.get("/dashboard/").stat("total_referrals") == 1

    def test_looking_around_first_loses_nothing(self, moved: Person, records):
        for path in ("/", "/leaderboard", "/login"):
            moved.get(path)
        assert "Referred by alice" in moved.get("/signup").text
        moved.sign_up()
        assert records.one(Referral).referrer_id == 1

    def test_a_link_followed_there_before_gives_way_to_the_latest(
        self, bob: Person, charlie: Person, link: str, clock, records
    ):
        charlie.sign_up()
        bob.click(path_of(charlie.link))
        clock.advance(minutes=1)
        address = path_of(bob.in_another_browser().click(link).response.request.url)
        clock.advance(minutes=1)
        assert "Referred by alice" in bob.get(address).text
        bob.sign_up()
        assert records.one(Referral).referrer_id == 1

    def test_whoever_followed_the_link_is_credited_though_the_address_went_round(
        self, app: Flask, post_office: PostOffice, bob: Person, charlie: Person, link: str, records
    ):
        """Bob sends the address of the page on to Charlie instead of the link. It is good for one more, not for all."""
        address = path_of(bob.click(link).response.request.url)
        charlie.get(address)
        charlie.sign_up()
        bob.sign_up()
        dora = Person(app, post_office, "dora")
        assert "Referred by" not in dora.get(address).text
        dora.sign_up()
        assert [referral.friend_id for referral in records.all(Referral)] == [2, 3]

    def test_the_address_names_nobody(self, bob: Person, link: str):
        address = bob.get(link, 302).location
        assert "alice" not in address
        assert len(address) < 250

    def test_the_back_button_after_signing_up_shows_no_referrer_for_the_next(self, moved: Person, records):
        address = "/signup"
        form = moved.get(address).form("/signup")
        moved.sign_up()
        moved.sign_out()
        visit = form.one('[name="visit"]')["value"]
        assert "Referred by" not in moved.get(f"/signup?visit={visit}").text
