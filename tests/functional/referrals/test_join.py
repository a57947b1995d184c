"""The page in the referrer's name: where the program says so links lead to it, and nowhere else is anything new."""

from collections.abc import Callable
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from redis.connection import AbstractConnection

from referralhub.extensions import db
from referralhub.models import Profile, Referral, User
from referralhub.services.accounts import avatars
from referralhub.services.program import rules
from referralhub.services.referrals import invitations
from tests.callers import CRAWLERS, NAVIGATES
from tests.conftest import SECRET_KEY
from tests.functional.test_outages import fill_in, promptly, unsealed
from tests.pages import Page, Visitor
from tests.people import Clock, Person, PostOffice, path_of
from tests.pictures import decoded, encoded, face, picture

GREETING = "Come along, it is lovely here!"


def use(app: Flask, **values: object) -> None:
    with app.app_context():
        rules.change(values, app.config["CLOCK"]())


@pytest.fixture
def link(app: Flask, alice: Person) -> str:
    """Alice's link, as a path, in a program that shows friends a page in her name."""
    use(app, **rules.PRESETS["airbnb"])
    alice.sign_up()
    return path_of(alice.link)


@pytest.fixture
def known(app: Flask, link: str, records) -> str:
    """The same, and Alice has said something and shows herself."""
    records.change(lambda: setattr(db.session.get(Profile, 1), "greeting", GREETING))
    with app.app_context():
        avatars.put_up(1, avatars.clean(picture()), app.config["CLOCK"]())
    return link


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def is_join(page: Page, name: str = "alice") -> bool:
    return page.one("h1").text == f"{name} invites you to ReferralHub" and bool(page.form("/join"))


class TestThePage:
    def test_it_shows_who_invites_and_what_both_get(self, known: str, visitor: Visitor):
        page = visitor.follow(visitor.get(known, 302))
        assert is_join(page)
        assert page.one("title").text.startswith("alice invites you to ReferralHub")
        assert page.one("blockquote").text == GREETING
        (image,) = [each for each in page.all("img") if "avatar" in each.attributes.get("class", "")]
        assert visitor.file(image["src"]).mimetype == "image/webp"
        assert [each.text for each in page.all("dt")] == ["You get", "alice gets"]
        assert [each.text for each in page.all("dd")] == ["$25.00", "$25.00"]

    @pytest.mark.one_database
    def test_who_says_and_shows_nothing_is_there_by_the_first_letter(self, link: str, visitor: Visitor):
        page = visitor.follow(visitor.get(link, 302))
        assert is_join(page)
        assert page.all("blockquote") == []
        assert [each.text for each in page.all("span") if "avatar" in each.attributes.get("class", "")] == ["a"]

    @pytest.mark.one_database
    def test_where_nothing_is_paid_it_does_not_say_so_in_figures(self, app: Flask, link: str, visitor: Visitor):
        use(app, referrer_amount=0, friend_amount=0)
        page = visitor.follow(visitor.get(link, 302))
        assert [each.text for each in page.all("dd")] == [
            "a link of your own", "an invitation that counts"
        ]  # fmt: skip

    @pytest.mark.one_database
    @pytest.mark.parametrize("said", ["</p><script>alert(1)</script>", '" onload="x', "{{ 7 * 7 }}", "W" * 40])
    def test_names_and_greetings_are_text(self, link: str, visitor: Visitor, records, said: str):
        def change() -> None:
            db.session.get(User, 1).display_name = said
            db.session.get(Profile, 1).greeting = said

        records.change(change)
        page = visitor.follow(visitor.get(link, 302))  # which is checked for what has no business on a page
        assert is_join(page, said)
        assert page.one("blockquote").text == said
        assert page.one("blockquote").all("a") == []

    @pytest.mark.one_database
    def test_the_address_names_nobody(self, records, link: str, visitor: Visitor):
        address = visitor.get(link, 302).location
        assert urlsplit(address).path == "/join"
        assert list(query_of(address)) == ["visit"]
        assert "alice" not in address

    def test_it_takes_no_more_queries_than_the_plain_page(
        self, app: Flask, known: str, count_queries, post_office: PostOffice
    ):
        def asked(name: str) -> int:
            friend = Person(app, post_office, name)
            friend.get("/privacy")
            address = friend.get(known, 302).location
            with count_queries() as statements:
                friend.get(address)
            return len(statements)

        joining = asked("bob")
        use(app, personal_landing=False)
        app.extensions["brand"].forget()
        assert joining <= asked("charlie") + 1


class TestWhichOfTheTwo:
    @pytest.mark.parametrize("more", ["", "&utm_source=x&without_session=1"])
    def test_the_plain_page_leads_on_and_loses_nothing_of_the_address(self, link: str, visitor: Visitor, more: str):
        visit = visitor.get(link, 302).location.partition("?")[2]
        address = f"/signup?{visit}{more}"
        assert Visitor(visitor.client.application).get(address, 302).location == f"/join?{visit}{more}"

    def test_so_it_does_for_a_link_that_was_followed_before(self, link: str, visitor: Visitor):
        visitor.get(link, 302)
        assert visitor.get("/signup", 302).location == "/join"
        assert is_join(visitor.get("/join"))

    def test_engines_find_the_plain_page_in_its_place(self, link: str, visitor: Visitor):
        page = visitor.follow(visitor.get(link, 302))
        assert page.one('link[rel="canonical"]')["href"] == "http://localhost/signup"
        assert not page.all('meta[name="robots"]')

    def test_without_a_referrer_there_is_the_plain_page(self, link: str, visitor: Visitor):
        assert visitor.get("/join?utm_source=x", 302).location == "/signup?utm_source=x"
        assert visitor.get("/join", 302).location == "/signup"
        assert visitor.get("/signup").one("h1").text == "Make your account"

    @pytest.mark.parametrize("token", ["nonsense", "x" * 4000, "%00", "é"])
    def test_a_token_of_nobodys_is_no_referrer(self, link: str, visitor: Visitor, token: str):
        page = visitor.get(f"/join?visit={token}", 302)
        assert page.location.startswith("/signup")
        assert len(page.location) < 2100
        assert visitor.follow(page).one("h1").text == "Make your account"

    def test_a_dead_link_is_none(self, link: str, visitor: Visitor, records):
        address = visitor.get(link, 302).location
        records.change(lambda: setattr(db.session.get(User, 1), "is_active", False))
        assert visitor.get(address, 302).location == address.replace("/join", "/signup")
        assert visitor.follow(visitor.get(address, 302)).one("h1").text == "Make your account"

    def test_a_used_token_is_none(self, link: str, bob: Person, charlie: Person):
        address = bob.get(link, 302).location
        bob.client.delete_cookie("referralhub")
        bob.get(address)
        bob.submit(bob.get(address).form("/join"), **_names(bob))
        assert urlsplit(charlie.get(address, 302).location).path == "/signup"

    def test_where_the_program_does_not_say_so_all_is_as_it_was(self, app: Flask, link: str, visitor: Visitor):
        use(app, personal_landing=False)
        app.config["CLOCK"].advance(seconds=6)
        visitor.get("/leaderboard")
        address = visitor.get(link, 302).location
        assert urlsplit(address).path == "/signup"
        assert "Referred by alice" in visitor.get(address).text
        assert visitor.get(address.replace("/signup", "/join"), 302).location == address
        assert visitor.get("/join", 302).location == "/signup"

    def test_members_are_led_to_their_dashboard(self, link: str, alice: Person):
        assert alice.get("/join", 302).location == "/dashboard/"
        assert alice.get("/signup", 302).location == "/dashboard/"

    def test_a_mailed_invitation_leads_there_too(self, link: str, visitor: Visitor):
        token = invitations.token(1, SECRET_KEY)
        assert is_join(visitor.follow(visitor.get(f"{link}?i={token}", 302, headers=NAVIGATES)))

    def test_below_a_path(self, make_app, link: str):
        visitor = Visitor(make_app(base_url="https://example.com/refer"))
        visitor.get("/refer/privacy")
        address = visitor.get(f"/refer{link}", 302).location
        assert urlsplit(address).path == "/refer/join"
        assert visitor.get(address.replace("/join", "/signup"), 302).location == address
        assert visitor.get(address).form("/refer/join")


class TestAProcessThatIsBehind:
    @pytest.fixture
    def elsewhere(self, make_app, app: Flask) -> Flask:
        """Another process: the same database and Redis, its own memory."""
        with mock.patch.object(type(app.extensions["redis"]), "flushdb"):
            return make_app()

    def test_it_leads_to_the_right_page_at_once(self, app: Flask, elsewhere: Flask, link: str):
        arrived = Visitor(elsewhere).get(link, 302)  # which has shown no page yet, and knows of nothing
        assert urlsplit(arrived.location).path == "/join"
        use(app, personal_landing=False)
        assert urlsplit(Visitor(elsewhere).get(link, 302).location).path == "/signup"


class TestAClick:
    def test_it_asks_redis_once_and_the_database_not_at_all(self, link: str, app: Flask, count_queries):
        for _ in range(2):  # after the first one it knows the code, and with the second one a count begins
            Visitor(app).get(link, 302)
            app.config["CLOCK"].advance(minutes=1)  # what the process knows is old by then
        sent: list[object] = []
        send = AbstractConnection.send_packed_command

        def note(connection: AbstractConnection, command: object, *rest: object, **more: object) -> None:
            sent.append(command)
            send(connection, command, *rest, **more)

        with (
            count_queries(of_brand=True) as statements,
            mock.patch.object(AbstractConnection, "send_packed_command", note),
            mock.patch.object(app, "full_dispatch_request", wraps=app.full_dispatch_request) as flask,
        ):
            assert urlsplit(Visitor(app).get(link, 302).location).path == "/join"
        assert (len(sent), len(statements), flask.called) == (1, 0, False)


def _names(person: Person, **values: str) -> dict[str, str]:
    usual = {"username": person.username, "email": person.email, "password": person.password}
    return usual | {"password_confirm": person.password} | values


class TestTheForm:
    def test_a_mistake_is_shown_on_the_page_that_it_came_from(self, known: str, bob: Person, records):
        page = bob.submit(bob.click(known).form("/join"), 422, **_names(bob, password_confirm="something else"))
        assert is_join(page)
        assert page.one("blockquote").text == GREETING
        assert page.wrong_fields == {"password_confirm"}
        form = page.form("/join")
        assert form.one('[name="username"]')["value"] == "bob"
        bob.submit(form, password=bob.password, password_confirm=bob.password)
        assert records.one(Referral).referrer_id == 1

    @pytest.mark.one_database
    def test_so_it_is_on_the_plain_one(self, link: str, bob: Person):
        form = bob.get("/signup").form("/signup")
        bob.get(link, 302)
        page = bob.submit(form, 422, **_names(bob, password_confirm="something else"))
        assert page.form("/signup")
        assert page.one("h1").text == "alice invites you"

    @pytest.mark.one_database
    @pytest.mark.parametrize("mistake", [{}, {"email": "nonsense"}], ids=str)
    def test_a_form_that_was_open_while_the_program_changed_is_taken(
        self, app: Flask, link: str, bob: Person, records, mistake: dict[str, str]
    ):
        form = bob.click(link).form("/join")
        use(app, personal_landing=False)
        page = bob.submit(form, 422 if mistake else 303, **_names(bob, **mistake))
        if mistake:
            assert "Referred by alice" in page.text
            bob.submit(page.form("/join"), **_names(bob))
        assert records.one(Referral).referrer_id == 1

    @pytest.mark.one_database
    def test_without_the_session_it_is_given_back_filled_in(self, link: str, bob: Person, valkey, records):
        form = bob.click(link).form("/join")
        valkey.client.flushdb()
        page = bob.submit(form, 400, **_names(bob))
        assert is_join(page)
        bob.submit(page.form("/join"), password=bob.password, password_confirm=bob.password)
        assert records.one(Referral).referrer_id == 1

    @pytest.mark.one_database
    def test_another_site_cannot_send_it(self, link: str, bob: Person, records):
        form = bob.click(link).form("/join")
        bob.client.environ_base["HTTP_ORIGIN"] = "https://evil.example"
        bob.submit(form, 400, **_names(bob))
        assert len(records.all(User)) == 1

    def test_another_code_can_be_typed(self, link: str, bob: Person, charlie: Person, records):
        bob.sign_up()
        charlie.submit(charlie.click(link).form("/join"), **_names(charlie, referral_code=bob.code))
        assert records.one(Referral).referrer_id == 2


@pytest.mark.one_database
class TestWhileRedisIsAway:
    @pytest.fixture(params=["gone", "hanging"])
    def outage(self, request: pytest.FixtureRequest, valkey) -> Callable:
        return {"gone": valkey.away, "hanging": valkey.hanging}[request.param]

    def test_the_visit_is_carried_and_counts(self, alice: Person, link: str, bob: Person, outage, records):
        with outage():
            arrived = promptly(lambda: bob.get(f"{link}?via=whatsapp", 302))
            assert urlsplit(arrived.location).path == "/join"
            assert query_of(arrived.location).keys() == {"visit", "without_session"}
            page = promptly(lambda: bob.follow(arrived))
            assert is_join(page)
            assert "Set-Cookie" not in page.headers
            # Where a process does not know better, it is the other page that leads there, with all that it was asked.
            detour = bob.get(arrived.location.replace("/join", "/signup"), 302)
            assert detour.location == arrived.location
        form = page.form("/join")
        assert unsealed(bob, form).code == link.strip("/")
        page = fill_in(bob, form, 422, password_confirm="not the same")
        assert is_join(page)
        fill_in(bob, page.form("/join"))
        assert records.one(Referral).referrer_id == 1

    def test_a_form_is_sent_in_vain_and_can_be_sent_again(self, link: str, bob: Person, outage, records):
        form = bob.click(link).form("/join")
        before = records.everything()
        with outage():
            promptly(lambda: fill_in(bob, form, 503))
        assert records.everything() == before


@pytest.mark.one_database
class TestWhatIsShared:
    def test_a_preview_says_what_the_referrer_says(self, known: str, visitor: Visitor):
        page = visitor.get(known, headers={"User-Agent": CRAWLERS[0]})
        said = "“Come along, it is lovely here!” Join by this link, and you get $25.00 to start."
        for which in ('[property="og:description"]', '[name="description"]', '[name="twitter:description"]'):
            assert page.one(which)["content"] == said
        assert page.one('[property="og:title"]')["content"] == "alice invites you to ReferralHub"

    def test_only_where_the_program_has_the_page(self, app: Flask, known: str, visitor: Visitor):
        use(app, personal_landing=False)
        page = visitor.get(known, headers={"User-Agent": CRAWLERS[0]})
        assert GREETING not in page.one('[property="og:description"]')["content"]

    def test_the_picture_has_the_referrers_face(self, app: Flask, link: str, visitor: Visitor, clock: Clock):
        place = (180, 340)
        before = decoded(visitor.file(f"{link}picture.png").data).getpixel(place)
        with app.app_context():
            avatars.put_up(1, avatars.clean(encoded(face(), "PNG")), clock())
        red, green, blue = decoded(visitor.file(f"{link}picture.png").data).getpixel(place)
        assert red > 180 and green < 90 and blue < 90
        use(app, personal_landing=False)
        assert decoded(visitor.file(f"{link}picture.png").data).getpixel(place) == before
