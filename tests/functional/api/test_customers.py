"""What a product's customers are called on their pages and in their mail, and how the panel finds them."""

import csv
import io
from urllib.parse import quote

import pytest

from referralhub.extensions import db
from referralhub.models import MessageKind, Profile, User
from referralhub.services.accounts import erasure, exports
from referralhub.services.mailing import outbox
from referralhub.services.program import rules
from referralhub.words.referrals import FORMER_MEMBER
from tests.pages import Page, Visitor
from tests.people import Person, Records, link_in, path_of, text_of

ADDRESS = "bo@example.com"
OPENED = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
MADE_UP = "member-"
BORIS, OESTEN, NAMELESS = NUMBERS = ("cust-1001", "cust-1002", "4200417")


def sign_in_path(shop) -> str:
    return path_of(shop.ask("POST", "/members/cust-1001/sign-in-links", expect=201)["url"])


def come_from(shop, app) -> Visitor:
    """The customer, sent here by the shop."""
    person = Visitor(app)
    person.get(sign_in_path(shop), 303, headers=OPENED)
    return person


def rows(page: Page) -> list[str]:
    return [row.text for row in page.all("tr[data-row]")]


class TestTheirName:
    @pytest.mark.parametrize(
        ("told", "greeting"),
        [
            ({"name": "Bo"}, "Hello Bo,"), ({}, "Hello,"),
            ({"name": "Bo", "language": "de"}, "Hallo Bo,"), ({"language": "de"}, "Hallo,"),
        ],
    )  # fmt: skip
    def test_begins_their_mail(self, shop, post_office, alice: Person, told: dict[str, str], greeting: str):
        link = shop.ask("PUT", "/members/cust-1001", {"email": ADDRESS, **told}, 201)["link"]
        alice.click(path_of(link))
        alice.sign_up()
        post_office.deliver()
        (letter,) = post_office.letters(ADDRESS)
        assert text_of(letter).splitlines()[0] == greeting
        assert MADE_UP not in text_of(letter) + letter.get_body(("html",)).get_content()

    def test_that_came_with_an_event_begins_their_mail(self, shop, post_office, alice: Person, app, clock):
        alice.sign_up()
        alice.confirm_address()
        with app.app_context():
            rules.change({"qualifies_on": "purchase"}, clock())
        who = {"external_id": "cust-1001", "email": ADDRESS, "name": "Bo"}
        shop.ask("POST", "/events", {"id": "1", "type": "signup", "customer": who, "code": alice.code}, 202)
        carl = Person(app, post_office, "carl")
        carl.click(path_of(shop.ask("GET", "/members/cust-1001")["link"]))
        carl.sign_up()
        post_office.deliver()
        assert "Hello Bo," in text_of(post_office.letters(ADDRESS)[-1])

    def test_is_not_written_to_an_address_that_may_be_somebody_elses(self, shop, post_office, app, clock):
        shop.ask("PUT", "/members/cust-1001", {"email": ADDRESS, "name": "You have won"}, 201)
        with app.app_context():
            outbox.queue(db.session(), MessageKind.CHANGE_ADDRESS, 1, "one", {}, clock(), address="carl@example.com")
            db.session.commit()
        post_office.deliver()
        (letter,) = post_office.letters("carl@example.com")
        assert text_of(letter).startswith("Hello,\n")
        assert "won" not in text_of(letter)

    def test_is_what_who_has_their_address_already_is_called(self, shop, post_office, alice: Person):
        shop.ask("PUT", "/members/cust-1001", {"email": ADDRESS, "name": "Bo"}, 201)
        alice.email = ADDRESS
        alice.sign_up()
        post_office.deliver()
        said = text_of(post_office.letters(ADDRESS)[-1])
        assert "belongs to an account of yours" in said
        assert "Hello Bo," in said
        assert MADE_UP not in said

    @pytest.mark.parametrize(("told", "who"), [({"name": "Bo"}, "Signed in as Bo"), ({}, "Signed in")])
    def test_is_in_their_menu(self, shop, app, told: dict[str, str], who: str):
        shop.ask("PUT", "/members/cust-1001", told, 201)
        page = come_from(shop, app).get("/dashboard/")
        assert page.one('p[class="who"]').text == who
        assert MADE_UP not in page.text
        if told:
            assert page.one('summary[aria-label="Your account"]').text == "B"

    def test_with_a_full_stop_ends_no_sentence_with_two(self, shop, app):
        shop.ask("PUT", "/members/cust-1001", {"name": "Bo B."}, 201)
        for language in ("en", "de"):
            page = Visitor(app, HTTP_ACCEPT_LANGUAGE=language).get(sign_in_path(shop)).text
            assert "Bo B." in page
            assert "Bo B.." not in page

    def test_is_asked_of_nobody_who_has_none(self, shop, app):
        shop.ask("PUT", "/members/cust-1001", {}, 201)
        page = Visitor(app).get(sign_in_path(shop)).text
        assert "This link signs you in." in page
        assert MADE_UP not in page

    def test_that_somebody_chose_here_stays(self, alice: Person, post_office, bob: Person):
        alice.sign_up()
        alice.confirm_address()
        alice.submit(alice.get("/account/profile").form("/account/profile"), display_name="Alice Liddell")
        assert alice.get("/dashboard/").one('p[class="who"]').text == "Signed in as alice"
        bob.click(alice.link)
        bob.sign_up()
        post_office.deliver()
        assert "Hello alice," in text_of(post_office.letters(alice.email)[-1])


class TestInThePanel:
    @pytest.fixture
    def customers(self, shop, admin) -> None:
        for number, name in zip(NUMBERS, ("Boris Berg", "Östen Ärlig", ""), strict=True):
            shop.ask("PUT", f"/members/{number}", {"name": name}, 201)

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("cust-1001", {BORIS}), (NAMELESS, {NAMELESS}), ("cust-1", set()), ("*ust-1", {BORIS, OESTEN}),
            ("boris", {BORIS}), ("BORIS BERG", {BORIS}), (" Boris  B", {BORIS}), ("boris *erg", {BORIS}),
            ("berg", set()), ("*berg", {BORIS}), ("Boris cust-1001", {BORIS}), ("Boris 4200417", set()),
            ("östen", {OESTEN}), ("Östen", {OESTEN}), ("ÖSTEN Ä", {OESTEN}), ("Boris_Berg", set()),
        ],
    )  # fmt: skip
    def test_they_are_found_by_name_and_number(self, customers, admin: Person, typed: str, found: set[str]):
        listed = rows(admin.get(f"/admin/members/?search={quote(typed)}"))
        assert {number for number in NUMBERS for row in listed if number in row} == found
        assert len(listed) == len(found)

    def test_list_and_page_show_both(self, customers, admin: Person, records: Records):
        (row,) = rows(admin.get("/admin/members/?search=cust-1001"))
        assert "Boris Berg cust-1001" in row
        assert MADE_UP not in row
        (nameless,) = rows(admin.get("/admin/members/?search=4200417"))
        assert MADE_UP in nameless
        page = admin.get(f"/admin/members/{records.one(User, display_name='Boris Berg').id}/")
        assert page.one("h1").text == "Boris Berg"
        assert "Name Boris Berg" in page.text
        assert "Customer number cust-1001" in page.text
        assert "Customer number" not in admin.get("/admin/members/1/").text

    def test_the_download_has_both(self, customers, admin: Person):
        text = admin.file("/admin/members/rows.csv?search=cust-1001").get_data().decode("utf-8-sig")
        (row,) = csv.DictReader(io.StringIO(text))
        assert (row["Name"], row["Customer"]) == ("Boris Berg", "cust-1001")

    def test_their_referrals_and_their_mail_are_found_too(self, customers, shop, admin: Person, alice: Person):
        alice.click(path_of(shop.ask("PUT", "/members/cust-1001", {"email": ADDRESS})["link"]))
        alice.sign_up()
        for name in ("referrals", "mail"):
            for typed in ("cust-1001", "Boris Berg"):
                (row,) = rows(admin.get(f"/admin/{name}/?search={quote(typed)}"))
                assert "Boris Berg" in row
                assert MADE_UP not in row
            assert rows(admin.get(f"/admin/{name}/?search=cust-1002")) == []
        page = admin.get("/admin/referrals/1/").text
        assert "brought by Boris Berg" in page
        assert MADE_UP not in page

    def test_who_is_forgotten_has_neither(self, customers, app, admin: Person, clock, records: Records):
        user_id = records.one(User, display_name="Boris Berg").id
        with app.app_context():
            erasure.erase(user_id, FORMER_MEMBER, clock())
        assert rows(admin.get("/admin/members/?search=cust-1001")) == []
        assert "Customer number" not in admin.get(f"/admin/members/{user_id}/").text

    def test_many_cost_no_more_statements_than_few(self, customers, shop, admin: Person, count_queries):
        paths = [f"/admin/members/{rest}" for rest in ("", "?search=Boris", "?search=Boris+Berg", "rows.csv")]
        with count_queries() as few:
            for path in paths:
                admin.file(path)
        for number in range(20):
            shop.ask("PUT", f"/members/more-{number}", {"name": "Boris Berg"}, 201)
        with count_queries() as many:
            for path in paths:
                admin.file(path)
        assert len(many) == len(few)


class TestWithoutAPassword:
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_the_sign_in_page_says_how_they_get_in(self, shop, app, clock, post_office, language: str):
        visitor = Visitor(app, HTTP_ACCEPT_LANGUAGE=language)
        assert "shop.example.com" not in visitor.get("/login").text
        with app.app_context():
            rules.change({"destination": "https://shop.example.com/welcome?a=b"}, clock())
        page = visitor.get(visitor.get("/dashboard/", 302).location)
        assert "shop.example.com" in page.text
        assert "welcome" not in page.text
        assert len([link for link in page.all("a") if link["href"] == "/password/forgot"]) == 2

    def test_they_can_set_one_by_mail(self, shop, app, post_office):
        shop.ask("PUT", "/members/cust-1001", {"email": ADDRESS, "name": "Bo"}, 201)
        person = Person(app, post_office, "bo")
        person.submit(person.get("/password/forgot").form("/password/forgot"), 200, email=ADDRESS)
        path = person.mailed_path("/password/reset/")
        typed = {"password": "bo likes coffee", "password_confirm": "bo likes coffee"}
        person.submit(person.get(path).form(path), 303, **typed)
        twin = person.in_another_browser()
        assert twin.sign_in(username=ADDRESS, password="bo likes coffee").location == "/dashboard/"


class TestOnTheLeaderboard:
    def test_they_are_unless_the_product_says_otherwise(self, shop, alice: Person, visitor: Visitor):
        made = shop.ask("PUT", "/members/cust-1001", {"name": "Bo"}, 201)
        assert made["listed"] is True
        alice.click(path_of(made["link"]))
        alice.sign_up()
        alice.confirm_address()
        assert "Bo" in visitor.get("/leaderboard").text
        assert shop.ask("PUT", "/members/cust-1001", {"listed": False}) == made | {"listed": False}
        assert shop.ask("PUT", "/members/cust-1001", {"name": "Bo"})["listed"] is False
        assert shop.ask("GET", "/members/cust-1001")["listed"] is False
        assert shop.ask("GET", "/members")["members"][0]["listed"] is False
        assert visitor.get("/leaderboard").leaders == []
        shop.ask("PUT", "/members/cust-1001", {"listed": True})
        assert len(visitor.get("/leaderboard").leaders) == 1

    def test_they_are_kept_off_it_from_the_beginning(self, shop, records: Records):
        assert shop.ask("PUT", "/members/cust-1001", {"listed": False}, 201)["listed"] is False
        assert records.one(Profile).listed is False
        shop.ask("PUT", "/members/cust-1001", {"listed": "no"}, 422)


class TestTheirSettings:
    def test_without_an_address_nobody_asks_to_confirm_one(self, shop, app, admin: Person):
        shop.ask("PUT", "/members/cust-1001", {"name": "Bo"}, 201)
        bo = come_from(shop, app)
        assert "Confirm your address" not in bo.get("/dashboard/").text
        page = bo.get("/account/email").text
        assert "We know no address of yours" in page and "Who sent you here" in page
        about = admin.get("/admin/members/2/").text
        assert "none is known" in about and "Mail the confirmation again" not in about
        assert not [page for page in (bo.get("/dashboard/").text, page, about) if "no-address" in page]
        with app.app_context():
            (account,) = exports.everything_about(db.session.get_one(User, 2))["account"]
        assert account["email"] is None

    def test_without_a_password_it_is_said_how_to_get_one(self, shop, app, alice: Person):
        shop.ask("PUT", "/members/cust-1001", {"email": ADDRESS}, 201)
        bo = come_from(shop, app)
        alice.sign_up()
        for page in ("/account/email", "/account/password", "/account/two-factor", "/account/data"):
            assert bo.get(page).all('a[href="/password/forgot"]'), page
            assert not alice.get(page).all('a[href="/password/forgot"]'), page
        assert not bo.get("/account/language").all('a[href="/password/forgot"]')

    def test_a_password_is_set_by_mail(self, shop, app, post_office):
        shop.ask("PUT", "/members/cust-1001", {"email": ADDRESS}, 201)
        bo = come_from(shop, app)
        bo.submit(bo.get("/password/forgot").form("/password/forgot"), 200, email=ADDRESS)
        post_office.deliver()
        (letter,) = post_office.letters(ADDRESS)
        path = path_of(link_in(letter, "/password/reset/"))
        bo.submit(bo.get(path).form(path), password="likes tea a lot", password_confirm="likes tea a lot")
        assert not bo.get("/account/email").all('a[href="/password/forgot"]')
