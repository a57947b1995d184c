"""A code that a member chose: once a month, theirs for ever, taken for nobody else's, counted like the drawn one."""

from datetime import UTC, datetime, timedelta
from functools import partial
from unittest import mock
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import segno
from flask import Flask
from redis.connection import AbstractConnection

from referralhub.extensions import db
from referralhub.models import OwnCode, Profile, Referral, User
from referralhub.services.accounts import administration, signup
from referralhub.services.links import own_codes
from referralhub.services.program import rules
from referralhub.services.referrals import attribution
from referralhub.services.shared import codes
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import AlreadyDone, OneOwnCodeAMonth, OwnCodeTaken
from tests.callers import CRAWLERS, NAVIGATES
from tests.pages import Page, Visitor
from tests.people import Clock, Person, Records, link_in, path_of

PAGE = "/account/code"


def choose(person: Person, code: str, expect: int = 303) -> Page:
    return person.submit(person.get(PAGE).form(PAGE), expect, code=code)


def next_month(clock: Clock) -> None:
    clock.now = (clock.now.replace(day=1) + timedelta(days=31)).replace(day=1)


def draw(records: Records, username: str, code: str) -> None:
    """Let this be the code that was drawn for a member."""
    records.change(
        lambda: setattr(db.session.scalars(db.select(User).filter_by(username=username)).one().profile, "code", code)
    )


def switch_off(app: Flask, profile_id: int, clock: Clock, active: bool = False) -> None:
    with app.app_context():
        administration.set_active(profile_id, active, "because", OPERATOR, clock())


class TestTheLink:
    def test_the_newest_code_is_shown_everywhere_at_once(self, app: Flask, alice: Person, clock: Clock):
        with app.app_context():
            rules.change({"email_invitations": True}, clock())
        alice.sign_up()
        alice.confirm_address()
        for _ in range(2):
            alice.get("/dashboard/")  # which is kept, and must not be given again
        alice.follow(choose(alice, "Alice-In-W"))  # to the notice, with which no page is given again
        link = "http://localhost/alice-in-w/"
        page = alice.get("/dashboard/")
        assert page.one("#referral-link")["value"] == link
        assert {each["data-share-url"] for each in page.all("[data-share-url]")} == {f"{link}?via=share"}
        assert all(link in unquote(each["href"]) for each in page.all("a[data-channel]"))
        with mock.patch("referralhub.dashboard.network.segno.make", wraps=segno.make) as make:
            alice.file("/dashboard/qr.svg")
        assert make.call_args.args == (f"{link}?via=qr",)
        invite = "/dashboard/invite"
        preview = alice.submit(alice.get(invite).form(invite), 200, addresses="dora@example.com")
        assert link in preview.text
        alice.submit(preview.form(invite), send="yes")
        alice.post_office.deliver()
        (letter,) = alice.post_office.letters("dora@example.com")
        assert link_in(letter, "/alice-in-w/").startswith(f"{link}?via=email&i=")
        assert [each["data-code"] for each in alice.get(PAGE).all("[data-code]")] == ["alice-in-w"]

    def test_every_code_works_for_ever_and_counts_for_the_same_member(
        self, app: Flask, alice: Person, bob: Person, charlie: Person, records, clock: Clock
    ):
        alice.sign_up()
        drawn = alice.code
        choose(alice, "alice")
        next_month(clock)
        choose(alice, "liddell-7")
        visitor = Visitor(app)
        for path in (f"/{drawn}/", "/alice/", "/Liddell-7", "/liddell-7/?via=x"):
            visitor.get(path, 302)
        page = alice.get("/dashboard/")
        assert page.one("#referral-link")["value"] == "http://localhost/liddell-7/"
        assert page.stat("visits") == 1  # of one visitor
        assert sum(day.visits for day in records.visits(profile_id=1)) == 4
        former = [each["data-former-code"] for each in alice.get(PAGE).all("[data-former-code]")]
        assert former == ["alice", drawn]
        for friend, path in ((bob, "/alice/"), (charlie, "/liddell-7/")):
            assert "Referred by alice" in friend.click(f"http://localhost{path}").text
            friend.sign_up()
        assert [each.referrer_id for each in records.all(Referral)] == [1, 1]

    def test_the_dashboard_links_to_the_page(self, alice: Person):
        assert [each["href"] for each in alice.arrive().one("#link-card").all('a[class="choose"]')] == [PAGE]

    def test_it_costs_no_statement_more(self, alice: Person, count_queries):
        alice.sign_up()
        choose(alice, "alice")
        alice.get("/dashboard/")
        with count_queries() as statements:
            alice.get("/dashboard/referrals")
        few = len(statements)
        with count_queries() as statements:
            alice.file("/dashboard/qr.svg")
        assert (few, len(statements)) == (3, 1), statements
        with count_queries() as statements:
            alice.get(PAGE)
        assert len(statements) == 2, statements


class TestOnceAMonth:
    def test_the_page_says_from_when_on_there_can_be_another(self, alice: Person, clock: Clock, records):
        clock.now = datetime(2027, 11, 30, 12, tzinfo=UTC)
        alice.sign_up()
        form = alice.get(PAGE).form(PAGE)
        page = alice.follow(alice.submit(form, code="first"))
        assert "That is your link now" in page.text
        assert "from 1 December on" in page.text
        assert [each for each in page.all("form") if each["action"] == PAGE] == []
        page = alice.submit(form, 422, code="second")
        assert "another one from 1 December on" in page.error_at("code")
        clock.advance(hours=13)
        choose(alice, "second")
        assert [each.code for each in records.all(OwnCode)] == ["first", "second"]

    def test_months_are_those_of_the_program(self, app: Flask, alice: Person, clock: Clock, records):
        with app.app_context():
            rules.change({"timezone": "Pacific/Auckland"}, clock())
        clock.now = datetime(2027, 11, 30, 10, 59, tzinfo=UTC)
        alice.sign_up()
        choose(alice, "first")
        clock.advance(minutes=1)
        choose(alice, "second")
        assert [f"{each.month:%Y-%m-%d}" for each in records.all(OwnCode)] == ["2027-11-01", "2027-12-01"]

    def test_the_same_form_twice_is_one_click(self, alice: Person, records):
        alice.sign_up()
        form = alice.get(PAGE).form(PAGE)
        for _ in range(2):
            assert "That is your link now" in alice.follow(alice.submit(form, code="alice")).text
        assert len(records.all(OwnCode)) == 1


class TestWhatIsRefused:
    @pytest.fixture(autouse=True)
    def member(self, alice: Person, records):
        alice.sign_up()
        draw(records, "alice", "drawn123")
        before = records.everything()
        yield
        assert records.everything() == before

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("", "Enter a code"),
            ("abc", "4 to 20 letters"), ("a" * 21, "4 to 20 letters"), ("a-b-", "4 to 20 letters"),
            ("-abcd", "4 to 20 letters"), ("ab--cd", "4 to 20 letters"), ("ab cd", "4 to 20 letters"),
            ("ab_cd", "4 to 20 letters"), ("ab.cd", "4 to 20 letters"), ("a/b/c/d", "4 to 20 letters"),
            ("аlice", "“а” cannot be in a code"), ("ali\u200bce", "“U+200B” cannot be"), ("jörg", "“ö” cannot be"),
            ("\u212aelvin", "“\u212a” cannot be"), ("ａｌｉｃｅ", "“ａ” cannot be"), ("ali\u202ece", "“U+202E” cannot"),
            ("login", "one of our pages"), ("DashBoard", "one of our pages"), ("static", "one of our pages"),
            ("l0g-in", "one of our pages"), ("s1gnup", "one of our pages"), ("adrnin", "one of our pages"),
            ("dev-", "4 to 20"), ("join", "one of our pages"), ("a-pi", "one of our pages"), ("r0bots", "of our pages"),
            ("fuck", "rather not open"), ("my-5h1t", "rather not open"), ("Scheisse", "rather not open"),
            ("f-u-c-k", "rather not open"), ("arschl0ch99", "rather not open"), ("m0ese", "rather not open"),
            ("drawn123", "yours already"), ("DRAWN-l23", "yours already"),
        ],
    )  # fmt: skip
    def test_the_message_stands_at_the_field(self, alice: Person, typed: str, words: str):
        page = choose(alice, typed, 422)
        assert words in page.error_at("code")
        assert page.one('[name="code"]').attributes.get("value", "") == typed

    @pytest.mark.parametrize("typed", ["a\0bcd", "\x1b[2J", "x" * 100_000, "'; DROP TABLE own_code; --"])
    def test_nonsense_too(self, alice: Person, typed: str):
        assert choose(alice, typed, 422).wrong_fields == {"code"}


def test_words_that_only_contain_a_bad_one_are_let_in(alice: Person, clock: Clock):
    alice.sign_up()
    for code in ("scunthorpe", "class-of-99"):
        choose(alice, code)
        next_month(clock)
    choose(alice, "dickinson")


class TestTakenForAnother:
    @pytest.fixture
    def chosen(self, alice: Person, bob: Person) -> None:
        alice.sign_up()
        choose(alice, "modern-will01")
        bob.sign_up()

    @pytest.mark.parametrize(
        "typed", ["modern-will01", "MODERN-WILL01", "modernwill01", "rnodern-will01", "modem-wi11o1", "m-odem-vvill-ol"]
    )
    def test_an_own_code_that_looks_like_anothers_is_refused(self, chosen, bob: Person, typed: str, records):
        assert "A member has this code" in choose(bob, typed, 422).error_at("code")
        assert len(records.all(OwnCode)) == 1

    def test_a_former_one_and_one_of_who_has_gone_stay_taken(self, chosen, alice: Person, bob: Person, clock, records):
        next_month(clock)
        choose(alice, "quite-another")
        alice.delete_account()
        for typed in ("modern-will01", "quite-another", "quiteanother"):
            assert "A member has this code" in choose(bob, typed, 422).error_at("code")
        assert [each.profile_id for each in records.all(OwnCode)] == [1, 1]

    @pytest.mark.parametrize("typed", ["0il1mw88", "OIL1MW88", "o-1-i-l-m-w88", "oiiirnw88", "oiiimvv88", "oillrnvv88"])
    def test_a_drawn_code_and_what_looks_like_it_are_anothers(self, bob: Person, alice: Person, records, typed: str):
        alice.sign_up()
        draw(records, "alice", "0il1mw88")
        bob.sign_up()
        assert "A member has this code" in choose(bob, typed, 422).error_at("code")
        assert records.all(OwnCode) == []

    def test_none_is_drawn_that_looks_like_a_chosen_one(self, app: Flask, alice: Person, clock, records):
        alice.sign_up()
        choose(alice, "ill-will")
        drawn = partial(next, iter(["1llvv1ll", "iiivviii", "illwill1", "1llvv111", "fine1234"]))
        with app.app_context():
            for name, code in (("bob", "illwill1"), ("carol", "fine1234")):  # the first has a letter more than Alice's
                values = name, f"{name}@example.com", f"{name} likes tea"
                assert signup.sign_up(*values, None, clock(), draw_code=drawn).profile.code == code


class TestFollowing:
    @pytest.fixture
    def chosen(self, alice: Person) -> str:
        alice.sign_up()
        drawn = alice.code
        choose(alice, "alice-l")
        return drawn

    def test_a_click_asks_redis_once_and_the_database_not_at_all(self, app, chosen, count_queries, records):
        Visitor(app).get("/alice-l/", 302)
        sent: list[object] = []
        send = AbstractConnection.send_packed_command

        def note(connection: AbstractConnection, command: object, *rest: object, **more: object) -> None:
            sent.append(command)
            send(connection, command, *rest, **more)

        with count_queries() as statements, mock.patch.object(AbstractConnection, "send_packed_command", note):
            visitor = Visitor(app)
            visitor.get("/Alice-L/", 302)
            visitor.get("/alice-l?via=x", 302)
        assert (len(sent), len(statements)) == (2, 0), statements
        assert sum(day.visits for day in records.visits(profile_id=1)) == 3

    def test_what_is_kept_and_carried_is_the_drawn_code(self, app: Flask, chosen: str, valkey):
        visitor = Visitor(app)
        carried = parse_qs(urlsplit(visitor.get("/alice-l/", 302).location).query)["visit"]
        visitor.get(f"/signup?visit={carried[0]}")
        held = valkey.client.get(f"session:{visitor.session_id()}")
        assert (held.count(chosen.encode()), held.count(b"alice-l")) == (1, 0)

    @pytest.mark.one_database
    def test_redis_may_be_away(self, app: Flask, chosen, bob: Person, valkey, records):
        with valkey.away():
            arrived = bob.get("/alice-l/", 302)
            assert Visitor(app).get("/nobody/", 404).status == 404
        assert "Referred by alice" in bob.follow(arrived).text
        bob.submit(
            bob.get(arrived.location).form("/signup"), username="bob", email=bob.email, password=bob.password,
            password_confirm=bob.password,
        )  # fmt: skip
        assert records.one(Referral).referrer_id == 1

    def test_an_invitation_is_noted(self, app: Flask, alice: Person, chosen, records, clock):
        with app.app_context():
            rules.change({"email_invitations": True}, clock())
        alice.confirm_address()
        invite = "/dashboard/invite"
        preview = alice.submit(alice.get(invite).form(invite), 200, addresses="dora@example.com")
        alice.submit(preview.form(invite), send="yes")
        alice.post_office.deliver()
        (letter,) = alice.post_office.letters("dora@example.com")
        Visitor(app).get(path_of(link_in(letter, "/alice-l/")), 302, headers=NAVIGATES)
        assert "looked at it" in alice.get(invite).one("#invitations").text

    def test_crawlers_see_and_are_counted_like_at_the_drawn_one(self, app: Flask, chosen, records):
        page = Visitor(app).get("/alice-l/", headers={"User-Agent": CRAWLERS[0]})
        assert page.one('[property="og:url"]')["content"] == "http://localhost/alice-l/"
        (day,) = records.visits()
        assert (day.profile_id, day.visits, day.bots) == (1, 0, 1)
        assert Visitor(app).file("/alice-l/picture.png").mimetype == "image/png"

    @pytest.mark.parametrize("typed", ["alice-l", " Alice-L ", "http://localhost/alice-l/", "localhost/alice-l?via=x"])
    def test_it_can_be_typed_in(self, chosen, bob: Person, records, typed: str):
        bob.sign_up(referral_code=typed)
        assert records.one(Referral).referrer_id == 1

    def test_a_closed_account_has_none_and_one_that_is_opened_again_has_it_again(
        self, app: Flask, chosen, bob: Person, clock, admin: Person, records
    ):
        Visitor(app).get("/alice-l/", 302)  # Redis believes in the link for an hour
        form = admin.get("/admin/members/1/").form("/admin/members/1/active")
        admin.submit(form, **{"active-reason": "sells codes"})
        visitor = Visitor(app)
        assert "isn't active" in visitor.follow(visitor.get("/alice-l/", 302)).text
        Visitor(app).get("/alice-l/", 404, headers={"User-Agent": CRAWLERS[0]})
        Visitor(app).get("/alice-l/picture.png", 404)
        assert bob.fill_in_signup(422, referral_code="alice-l").wrong_fields == {"referral_code"}
        switch_off(app, 1, clock, active=True)
        bob.click("http://localhost/alice-l/")
        bob.sign_up()
        assert records.one(Referral).referrer_id == 1

    def test_who_goes_takes_all_links_along_at_once(self, app: Flask, alice: Person, chosen: str, clock):
        next_month(clock)
        choose(alice, "liddell")
        paths = (f"/{chosen}/", "/alice-l/", "/liddell/")
        for path in paths:
            Visitor(app).get(path, 302)
        alice.delete_account()
        for path in paths:
            visitor = Visitor(app)
            assert "isn't active" in visitor.follow(visitor.get(path, 302)).text

    def test_another_database_behind_the_same_redis_and_process(self, app: Flask, chosen, bob: Person, records, valkey):
        """A process remembers which drawn code an own one stands for, and is told where that is not so."""
        Visitor(app).get("/alice-l/", 302)
        bob.sign_up()
        records.change(lambda: setattr(db.session.get(OwnCode, "alice-l"), "profile_id", 2))
        valkey.client.delete("leads:alice-l")
        assert "Referred by bob" in Visitor(app).follow(Visitor(app).get("/alice-l/", 302)).text


class TestWordsThatAreNobodysCode:
    @pytest.mark.parametrize("path", ["/blog", "/wp-admin/", "/Backup", "/phpmyadmin-2026/", "/test/", "/a-b-c-d"])
    def test_there_is_nothing_and_nothing_is_left(self, visitor: Visitor, path: str, valkey, records):
        before = records.everything()
        assert "nothing here" in visitor.get(path, 404).text
        assert visitor.client.head(path).status_code == 404
        visitor.get(path, 404, headers={"User-Agent": CRAWLERS[0]})
        assert records.everything() == before
        assert valkey.client.keys("session:*") == valkey.client.keys("leads:*") == valkey.client.keys("visits:*") == []

    @pytest.mark.parametrize("path", ["/wordpress", "/abcdefgh1234/"])
    def test_what_could_have_been_drawn_is_a_link_that_is_not_active(self, visitor: Visitor, path: str):
        assert "isn't active" in visitor.follow(visitor.get(path, 302)).text

    def test_a_member_sees_the_page_as_one(self, alice: Person):
        alice.sign_up()
        assert "Sign out" in alice.get("/blog", 404).text

    def test_no_page_is_ever_a_link(self, app: Flask, alice: Person, records, clock, visitor: Visitor):
        """Not even where the database has a code like it, as from a release that had no such page."""
        alice.sign_up()
        pages = ("login", "signup", "privacy", "leaderboard", "healthz", "readyz")
        for number, word in enumerate(pages, 1):
            row = {"skeleton": codes.skeleton(word), "profile_id": 1, "month": datetime(2020, number, 1, tzinfo=UTC)}
            records.change(partial(db.session.add, OwnCode(code=word, created=clock(), **row)))
        for word in pages:
            assert visitor.client.get(f"/{word}").status_code == 200
            assert visitor.client.get(f"/{word}/").status_code == 200


def test_both_kinds_are_found_by_index(app: Flask, alice: Person, records):
    alice.sign_up()
    drawn = records.one(Profile).code
    choose(alice, "alice")
    with app.app_context():
        for code in (drawn, "alice", "ALICE"):
            assert attribution.find_by_code(code) == attribution.Referrer(1, "alice", drawn)
        if db.engine.dialect.name == "sqlite":
            statement = f"EXPLAIN QUERY PLAN {attribution._REFERRER.compile(db.engine)}"
            plan = db.session.connection().exec_driver_sql(statement, ("", "alice", "alice")).all()
            assert [row.detail for row in plan if row.detail.startswith("SCAN")] == []
            assert "own_code_1 USING" in str(plan)


def test_the_errors_tell_what_is_wrong(app: Flask, alice: Person, clock):
    alice.sign_up()
    with app.app_context():
        own_codes.choose(1, "alice", (), clock())
        with pytest.raises(OneOwnCodeAMonth) as caught:
            own_codes.choose(1, "other", (), clock())
        assert caught.value.values["free_on"].day == 1
        assert caught.value.field == "code"
        with pytest.raises(AlreadyDone):
            own_codes.choose(1, "ALICE", (), clock())
        with pytest.raises(OwnCodeTaken):
            own_codes.choose(2, "alice", (), clock())
