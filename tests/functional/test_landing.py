"""A member's link: whoever opens it is remembered and counted once, and whatever only looks at it gets a picture."""

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import msgspec
import pytest
from flask import Flask
from PIL import Image
from redis import Redis
from redis.connection import AbstractConnection
from werkzeug.test import Client

from referralhub.extensions import db
from referralhub.models import Channel, Profile, Referral, Touch, User
from referralhub.services import invitations, programs
from tests.conftest import SECRET_KEY
from tests.pages import Visitor
from tests.people import Person, path_of

DATA = Path(__file__).parent.parent / "data"
CRAWLERS, BROWSERS = ((DATA / f"{name}.txt").read_text().splitlines() for name in ("crawlers", "browsers"))
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}
LOOKED_AT = {
    "a frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "an image": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a fetch": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "a style sheet": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "style"},
}


@pytest.fixture
def link(alice: Person) -> str:
    """Alice's link, as a path."""
    alice.sign_up()
    return path_of(alice.link)


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
    def test_what_a_page_hides_earns_nothing(self, link: str, visitor: Visitor, records, headers: dict[str, str]):
        page = visitor.get(link, headers=headers)
        assert "Set-Cookie" not in page.headers
        assert "Referred by" not in visitor.get("/signup").text
        assert counted(records) == []

    @pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose", "X-Moz"])
    def test_a_guess_of_the_browser_is_sent_away_and_the_real_click_counts(
        self, link: str, visitor: Visitor, records, header: str
    ):
        visitor.get(link, 503, headers={header: "prefetch;prerender"} | NAVIGATES)
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
    def test_it_leads_on_to_a_clean_address_and_no_cache_keeps_it(self, link: str, visitor: Visitor, records):
        answer = visitor.get(f"{link}?via=whatsapp&utm_source=x", 302)
        assert answer.location == "/signup"
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
        Visitor(app).get(link, 302)  # Redis believes in the link for a minute
        alice.submit(alice.get("/account/data").form("/account/delete"), password=alice.password)
        visitor = Visitor(app)
        assert "isn't active" in visitor.follow(visitor.get(link, 302)).text


class TestWhoseLinkCounts:
    @pytest.fixture
    def links(self, alice: Person, bob: Person, link: str) -> tuple[str, str]:
        bob.sign_up()
        return link, path_of(bob.link)

    @staticmethod
    def use(app: Flask, **rules: object) -> None:
        with app.app_context():
            programs.change(rules, app.config["CLOCK"]())

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


@dataclass
class Click:
    """What comes to a link. In braces: what `TestTheDoor` knows."""

    path: str = "/{code}/"
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    environ: dict[str, str] = field(default_factory=dict)


AT_THE_DOOR = {
    "somebody new": Click(),
    "somebody new, in a browser": Click(headers=NAVIGATES | {"User-Agent": BROWSERS[0]}),
    "somebody who was here before": Click(headers={"Cookie": "session={kept}"}),
    "the code in capitals": Click("/{CODE}/"),
    "no slash": Click("/{code}"),
    "a channel": Click("/{code}/?via=whatsapp"),
    "a channel in capitals": Click("/{code}/?via=WhatsApp"),
    "a channel, encoded, among others": Click("/{code}/?utm_source=%ff&&=&%76ia=%77hatsapp&via=x&I=1;i=2"),
    "an unknown channel": Click("/{code}/?via=nowhere"),
    "half a query": Click("/{code}/?via&%&=%00"),
    "a cookie of nobody's": Click(headers={"Cookie": "session=guessed"}),
    "an empty cookie": Click(headers={"Cookie": "session="}),
    "a quoted cookie": Click(headers={"Cookie": 'session="{kept}"'}),
    "an escaped cookie": Click(headers={"Cookie": r'session="\303\274\"\073"'}),
    "a cookie among others": Click(headers={"Cookie": "=; a;session; b=session={member} ;session={kept}; c=1"}),
    "the cookie twice": Click(headers={"Cookie": "session={kept}; session={member}"}),
    "a cookie that is no text": Click(environ={"HTTP_COOKIE": "session=\xff\xc3\x01"}),
    "an odd host": Click(headers={"Host": "not a host"}),
}
INSIDE = {
    "a member": Click(headers={"Cookie": "session={member}"}),
    "a link that Redis does not know": Click("/{cold}/"),
    "a link of nobody's": Click("/zzzzzzzz/"),
    "a page named like a link": Click("/leaderboard"),
    "an invitation": Click("/{code}/?i={token}", NAVIGATES),
    "an invitation, looked at": Click("/{code}/?i={token}"),
    "an invitation, encoded": Click("/{code}/?%69={token}", NAVIGATES),
    "a forged invitation": Click("/{code}/?via=x&i", NAVIGATES),
    "HEAD": Click(method="HEAD"),
    "POST": Click(method="POST"),
    "a crawler": Click(headers={"User-Agent": CRAWLERS[0]}),
    "a prefetch": Click(headers={"Sec-Purpose": "prefetch"}),
    "a websocket": Click(headers={"Connection": "Upgrade", "Upgrade": "websocket"}),
    "a query that is no text": Click(environ={"QUERY_STRING": "via=\xff"}),
    "two slashes": Click(environ={"PATH_INFO": "//{code}/"}),
    "a line break": Click("/{code}%0a"),
    **{what: Click(headers=headers) for what, headers in LOOKED_AT.items()},
}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
class TestTheDoor:
    """A person's plain click is answered before Flask is entered, and exactly as the view answers."""

    @pytest.fixture
    def names(self, alice: Person, bob: Person, link: str, visitor: Visitor, valkey) -> dict[str, str]:
        """Alice has a link that somebody followed, Bob one that nobody did; a page is no link, whatever Redis says."""
        visitor.get(link, 302)
        valkey.client.set("link:leaderboard", 1)
        bob.sign_up()
        names = {"code": alice.code, "CODE": alice.code.upper(), "cold": bob.code, "kept": visitor.session_id()}
        return names | {"member": alice.session_id(), "token": invitations.token(1, SECRET_KEY)}

    @pytest.fixture
    def outcome(self, names: dict[str, str], valkey) -> Callable[[object, Click], tuple]:
        """Let a click come to a WSGI application, and give what it answers and what it leaves, but for what is random.

        Every click finds Redis as it was for the first.
        """
        redis = valkey.client
        before = {key: (max(redis.pttl(key), 0), redis.dump(key)) for key in redis.scan_iter()}

        def plain(text: str) -> str:
            """Hide the id of a new session, and the date that the `Max-Age` beside it decides."""
            for sid in re.findall(r"session[=:]([\w-]{43})", text):
                text = text if f"session:{sid}".encode() in before else text.replace(sid, "NEW")
            return re.sub("Expires=[^;]+", "Expires=…", text)

        def read(key: bytes) -> tuple[object, int]:
            kept = key.startswith(b"session:")
            value = msgspec.msgpack.decode(redis.get(key)) if kept else redis.dump(key)
            return value, math.ceil(redis.ttl(key) / 60)

        def come(wsgi: object, click: Click) -> tuple:
            redis.flushdb()
            for key, (lifetime, value) in before.items():
                redis.restore(key, lifetime, value)
            headers, environ = (
                {name: value.format(**names) for name, value in given.items()}
                for given in (click.headers, click.environ)
            )
            answer = Client(wsgi, use_cookies=False).open(
                click.path.format(**names), method=click.method, headers=headers, environ_overrides=environ
            )
            said = sorted((name, plain(value)) for name, value in answer.headers)
            left = {plain(key.decode()): read(key) for key in redis.scan_iter()}
            return answer.status, said, answer.data, left

        return come

    @pytest.mark.parametrize(
        ("click", "entered"),
        [(click, False) for click in AT_THE_DOOR.values()] + [(click, True) for click in INSIDE.values()],
        ids=[*AT_THE_DOOR, *INSIDE],
    )
    def test_it_does_what_the_view_does(self, app: Flask, outcome, click: Click, entered: bool):
        with mock.patch.object(app, "full_dispatch_request", wraps=app.full_dispatch_request) as flask:
            at_the_door = outcome(app.wsgi_app, click)
            assert flask.called is entered
            assert at_the_door == outcome(app.wsgi_app.inside, click)
            assert flask.call_count == 1 + entered

    def test_on_https_too(self, make_app, outcome):
        app = make_app(base_url="https://refer.example.com", trusted_proxies=1)
        at_the_door = outcome(app.wsgi_app, Click())
        assert "Strict-Transport-Security" in dict(at_the_door[1])
        assert at_the_door == outcome(app.wsgi_app.inside, Click())

    def test_while_redis_is_away_it_lets_in_whom_the_view_then_carries(
        self, app: Flask, link: str, visitor: Visitor, valkey
    ):
        """And Redis is not asked again: a silent one would be waited for twice, and might count both."""
        asked = mock.patch.object(Redis, "evalsha", autospec=True, side_effect=Redis.evalsha)
        with valkey.away(), asked as evalsha:
            arrived = visitor.get(f"{link}?via=whatsapp", 302)
        assert evalsha.call_count == 1
        assert urlsplit(arrived.location).path == "/signup"
        assert "Set-Cookie" not in arrived.headers
        assert "Referred by alice" in visitor.follow(arrived).text
