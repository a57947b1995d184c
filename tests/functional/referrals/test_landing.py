"""A member's link: whoever opens it is remembered and counted once, and whatever only looks at it gets a picture."""

import io
from datetime import timedelta
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from PIL import Image
from redis.connection import AbstractConnection

from referralhub.extensions import db
from referralhub.models import Channel, Profile, Referral, Touch, User
from referralhub.services.program import rules
from tests.callers import BROWSERS, CRAWLERS, LOOKED_AT, NAVIGATES
from tests.pages import Visitor
from tests.people import Person, path_of


def counted(records) -> list[tuple[int, int]]:
    return [(day.visits, day.visitors) for day in records.visits()]


def switch(records, username: str, on: bool) -> None:
    def change() -> None:
        db.session.scalars(db.select(User).filter_by(username=username)).one().is_active = on

    records.change(change)


class TestWhoeverOnlyLooks:
    def test_crawlers_get_a_preview_and_change_nothing_but_their_own_count(
        self, app: Flask, link: str, records, valkey
    ):
        assert len(CRAWLERS) >= 60
        sessions = set(valkey.client.keys("session:*"))
        for agent in CRAWLERS:
            page = Visitor(app).get(link, headers={"User-Agent": agent})
            said = {meta.attributes.get("property"): meta["content"] for meta in page.all("meta[content]")}
            assert said.get("og:title") == "alice invites you to ReferralHub", agent
            assert said["og:image"] == f"http://localhost{link}picture.png"
            assert said["og:url"] == f"http://localhost{link}"
            assert page.one('[name="twitter:card"]')["content"] == "summary_large_image"
            assert page.headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in page.headers
        assert set(valkey.client.keys("session:*")) == sessions
        (day,) = records.visits()
        assert (day.visits, day.visitors, day.bots) == (0, 0, len(CRAWLERS))

    def test_browsers_are_counted_and_remembered(self, app: Flask, link: str, records):
        assert len(BROWSERS) >= 30
        for agent in BROWSERS:
            visitor = Visitor(app, HTTP_USER_AGENT=agent)
            assert "Referred by alice" in visitor.follow(visitor.get(link, 302, headers=NAVIGATES)).text, agent
        (day,) = records.visits()
        assert (day.visits, day.visitors, day.bots) == (len(BROWSERS), len(BROWSERS), 0)

    @pytest.mark.parametrize("headers", LOOKED_AT.values(), ids=LOOKED_AT)
    @pytest.mark.one_database
    def test_what_a_page_hides_earns_nothing(self, link: str, visitor: Visitor, records, headers: dict[str, str]):
        page = visitor.get(link, headers=headers)
        assert "Set-Cookie" not in page.headers
        assert "Referred by" not in visitor.get("/signup").text
        assert counted(records) == []

    @pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose", "X-Moz"])
    @pytest.mark.one_database
    def test_a_guess_of_the_browser_is_sent_away_and_the_real_click_counts(
        self, link: str, visitor: Visitor, records, header: str
    ):
        visitor.get(link, 403, headers={header: "prefetch;prerender"} | NAVIGATES)
        assert visitor.session_id() is None
        assert counted(records) == []
        visitor.get(link, 302, headers=NAVIGATES)
        assert counted(records) == [(1, 1)]

    def test_head_changes_nothing(self, link: str, visitor: Visitor, records):
        before = records.everything()
        answer = visitor.client.head(link)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/signup")
        assert "Set-Cookie" not in answer.headers
        visitor.client.head(link, headers={"User-Agent": CRAWLERS[0]})
        assert counted(records) == []
        assert records.everything() == before

    def test_a_crawler_finds_nothing_at_a_dead_link(self, link: str, visitor: Visitor, records):
        switch(records, "alice", on=False)
        visitor.get(link, 404, headers={"User-Agent": CRAWLERS[0]})
        visitor.get(f"{link}picture.png", 404)

    def test_the_picture_is_as_large_as_the_networks_ask(self, link: str, visitor: Visitor):
        answer = visitor.file(f"{link}picture.png")
        assert answer.mimetype == "image/png"
        assert answer.cache_control.public
        assert "Set-Cookie" not in answer.headers
        with Image.open(io.BytesIO(answer.data)) as picture:
            assert (picture.format, picture.size) == ("PNG", (1200, 630))

    def test_a_name_cannot_break_the_preview(self, alice: Person, link: str, visitor: Visitor, records):
        name = '"><script>alert(1)</script>' + "長い名前" * 3

        def rename() -> None:
            db.session.get(User, 1).display_name = name

        records.change(rename)
        page = visitor.get(link, headers={"User-Agent": CRAWLERS[0]})
        assert page.one('[property="og:title"]')["content"] == f"{name} invites you to ReferralHub"
        visitor.file(f"{link}picture.png")


class TestOneClick:
    def test_it_leads_on_to_the_form_with_nothing_but_the_visit_and_no_cache_keeps_it(
        self, link: str, visitor: Visitor, records
    ):
        answer = visitor.get(f"{link}?via=whatsapp&utm_source=x", 302)
        to = urlsplit(answer.location)
        assert (to.path, list(parse_qs(to.query))) == ("/signup", ["visit"])
        assert answer.headers["Cache-Control"] == "no-store"
        assert [day.channel for day in records.visits()] == [Channel.WHATSAPP]

    def test_it_asks_redis_once_and_the_database_not_at_all(self, link: str, app: Flask, count_queries, records):
        Visitor(app).get(link, 302)
        sent: list[object] = []
        send = AbstractConnection.send_packed_command

        def note(connection: AbstractConnection, command: object, *rest: object, **more: object) -> None:
            sent.append(command)
            send(connection, command, *rest, **more)

        with count_queries() as statements, mock.patch.object(AbstractConnection, "send_packed_command", note):
            visitor = Visitor(app)
            visitor.get(link, 302)
            assert len(sent) == 1
            visitor.get(f"{link}?via=x", 302)
            assert len(sent) == 2
        assert len(statements) == 0, statements
        assert sum(day.visits for day in records.visits()) == 3

    def test_the_cookie_lasts_thirty_days_from_the_latest_click(self, link: str, visitor: Visitor):
        first = visitor.get(link, 302).headers["Set-Cookie"]
        second = visitor.get(link, 302).headers["Set-Cookie"]
        for cookie in (first, second):
            assert "Max-Age=2592000" in cookie
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie
        assert first.partition(";")[0] == second.partition(";")[0]

    def test_a_visitor_counts_once_a_day_for_each_member(
        self, link: str, bob: Person, visitor: Visitor, records, clock
    ):
        clock.now = clock.now.replace(hour=10)
        bob.sign_up()
        for path in (link, path_of(bob.link), link, path_of(bob.link), f"{link}?via=x"):
            visitor.get(path, 302)
        by_member = {}
        for day in records.visits():
            by_member.setdefault(day.profile_id, []).append((day.visits, day.visitors))
        assert {member: [sum(n) for n in zip(*days, strict=True)] for member, days in by_member.items()} == {
            1: [3, 1],
            2: [2, 1],
        }

    def test_a_member_who_goes_takes_the_link_along_at_once(self, alice: Person, link: str, app: Flask):
        Visitor(app).get(link, 302)  # Redis believes in the link for an hour
        alice.delete_account()
        visitor = Visitor(app)
        assert "isn't active" in visitor.follow(visitor.get(link, 302)).text


class TestWhoseLinkCounts:
    @pytest.fixture
    def links(self, alice: Person, bob: Person, link: str) -> tuple[str, str]:
        bob.sign_up()
        return link, path_of(bob.link)

    @staticmethod
    def use(app: Flask, **values: object) -> None:
        with app.app_context():
            rules.change(values, app.config["CLOCK"]())

    @pytest.mark.parametrize(("touch", "whose"), [(Touch.FIRST, "alice"), (Touch.LAST, "bob")])
    def test_the_first_or_the_last_as_the_program_says(
        self, app: Flask, links, charlie: Person, records, clock, touch: Touch, whose: str
    ):
        self.use(app, touch=touch)
        for each in links:
            charlie.get(each, 302)
            clock.advance(hours=1)
        assert f"Referred by {whose}" in charlie.get("/signup").text
        charlie.sign_up()
        assert records.one(Referral).referrer_id == {"alice": 1, "bob": 2}[whose]

    @pytest.mark.parametrize("touch", Touch)
    def test_of_many_clicks_the_first_and_the_latest_are_kept(
        self, app: Flask, links, charlie: Person, records, clock, touch: Touch
    ):
        self.use(app, touch=touch)
        for number in range(30):
            charlie.get(links[0 if number == 0 else 1], 302)
            clock.advance(minutes=1)
        charlie.sign_up()
        assert records.one(Referral).referrer_id == {Touch.FIRST: 1, Touch.LAST: 2}[touch]

    def test_a_kept_address_does_not_come_before_the_first_link(
        self, app: Flask, links, charlie: Person, records, clock
    ):
        """Bob looks at his own link, and later sends the address of the form to Charlie, who has followed Alice's."""
        self.use(app, touch=Touch.FIRST)
        address = Visitor(app).get(links[1], 302).location
        clock.advance(days=1)
        charlie.click(links[0])
        charlie.get(address)
        charlie.fill_in_signup()
        assert records.one(Referral).referrer_id == 1

    @pytest.mark.parametrize(("touch", "dead"), [(Touch.FIRST, "alice"), (Touch.LAST, "bob")])
    def test_a_dead_link_gives_way_to_a_live_one(
        self, app: Flask, links, charlie: Person, records, touch: Touch, dead: str
    ):
        self.use(app, touch=touch)
        for each in links:
            charlie.get(each, 302)
        switch(records, dead, on=False)
        living = {"alice": "bob", "bob": "alice"}[dead]
        assert f"Referred by {living}" in charlie.get("/signup").text
        charlie.sign_up()
        assert records.one(Referral).referrer_id == {"alice": 1, "bob": 2}[living]

    def test_a_link_is_passed_over_after_the_programs_window(self, app: Flask, links, charlie: Person, records, clock):
        self.use(app, touch=Touch.FIRST, window_days=7)
        charlie.get(links[0], 302)
        clock.advance(days=5)
        charlie.get(links[1], 302)
        clock.advance(days=2, seconds=1)
        charlie.sign_up()
        referral = records.one(Referral)
        assert referral.referrer_id == 2
        assert referral.created - referral.visited_at == timedelta(days=2, seconds=1)

    def test_it_survives_wrong_forms_and_a_second_tab(self, links, charlie: Person, records, valkey):
        charlie.get(links[0], 302)
        form = charlie.get("/signup").form("/signup")
        charlie.fill_in_signup(422, password_confirm="something else")
        charlie.sign_in(expect=422)
        charlie.get("/", 200)
        charlie.get("/signup")  # the second tab
        values = {"username": "charlie", "email": charlie.email, "password": charlie.password}
        charlie.submit(form, **values, password_confirm=charlie.password)
        assert records.one(Referral).referrer_id == 1
        assert records.one(Profile, id=3).referred_by_id == 1

    def test_it_survives_somebody_elses_sign_in_and_out_elsewhere(self, links, bob: Person, charlie: Person, records):
        charlie.get(links[0], 302)
        twin = bob.in_another_browser()
        twin.sign_in()
        twin.sign_out()
        bob.sign_out()
        charlie.sign_up()
        assert records.one(Referral).referrer_id == 1
