"""A person's plain click is answered on the fast path, before Flask is entered, and exactly as the view answers."""

import math
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from unittest import mock
from urllib.parse import urlsplit

import msgspec
import pytest
from flask import Flask
from werkzeug.test import Client

from referralhub.extensions import db
from referralhub.landing.fast_path import FastPath
from referralhub.models import Touch, User, VisitDaily
from referralhub.observing.requests import HEADER
from referralhub.services.links import live_codes
from referralhub.services.program import rules
from referralhub.services.referrals import clicks, invitations
from referralhub.sessions import interface, visit_tokens
from tests.callers import BROWSERS, CRAWLERS, LOOKED_AT, NAVIGATES
from tests.conftest import SECRET_KEY
from tests.pages import Visitor
from tests.people import Clock, Person

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@dataclass
class Click:
    """What comes to a link. In braces: what `names` knows."""

    path: str = "/{code}/"
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    environ: dict[str, str] = field(default_factory=dict)


AT_THE_DOOR = {
    "somebody new": Click(),
    "somebody new, in a browser": Click(headers=NAVIGATES | {"User-Agent": BROWSERS[0]}),
    "somebody who was here before": Click(headers={"Cookie": "referralhub={kept}"}),
    "the code in capitals": Click("/{CODE}/"),
    "no slash": Click("/{code}"),
    "a code of their own": Click("/{own}/"),
    "a code of their own, in capitals and once more": Click("/{OWN}?via=x", {"Cookie": "referralhub={kept}"}),
    "a channel": Click("/{code}/?via=whatsapp"),
    "a channel in capitals": Click("/{code}/?via=WhatsApp"),
    "a channel, encoded, among others": Click("/{code}/?utm_source=%ff&&=&%76ia=%77hatsapp&via=x&I=1;i=2"),
    "an unknown channel": Click("/{code}/?via=nowhere"),
    "half a query": Click("/{code}/?via&%&=%00"),
    "a cookie of nobody's": Click(headers={"Cookie": "referralhub=guessed"}),
    "an empty cookie": Click(headers={"Cookie": "referralhub="}),
    "a quoted cookie": Click(headers={"Cookie": 'referralhub="{kept}"'}),
    "an escaped cookie": Click(headers={"Cookie": r'referralhub="\303\274\"\073"'}),
    "a cookie among others": Click(headers={"Cookie": "=; a;session; b=referralhub={member} ;referralhub={kept}; c=1"}),
    "the cookie twice": Click(headers={"Cookie": "referralhub={kept}; referralhub={member}"}),
    "a cookie that is no text": Click(environ={"HTTP_COOKIE": "referralhub=\xff\xc3\x01"}),
    "an odd host": Click(headers={"Host": "not a host"}),
}
INSIDE = {
    "a member": Click(headers={"Cookie": "referralhub={member}"}),
    "a link that Redis does not know": Click("/{cold}/"),
    "a link of nobody's": Click("/zzzzzzzz/"),
    "a code of their own that Redis does not know": Click("/{cold own}/"),
    "a word that is nobody's": Click("/blog"),
    "a word that is nobody's, asked with HEAD": Click("/blog", method="HEAD"),
    "a member, by a code of their own": Click("/{own}/", {"Cookie": "referralhub={member}"}),
    "an invitation, by a code of their own": Click("/{own}/?i={token}", NAVIGATES),
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


@pytest.fixture
def names(alice: Person, bob: Person, link: str, visitor: Visitor, valkey) -> dict[str, str]:
    """Alice has a link that somebody followed, Bob one that nobody did; a page is no link, whatever Redis says."""
    names = {"code": alice.code, "CODE": alice.code.upper(), "own": "alice-l", "OWN": "Alice-L", "cold own": "bobby"}
    alice.submit(alice.get("/account/code").form("/account/code"), code="alice-l")
    for path in (link, "/alice-l/"):
        visitor.get(path, 302)
    valkey.client.set("leads:leaderboard", alice.code)
    bob.sign_up()
    names |= {"cold": bob.code, "kept": visitor.session_id()}
    bob.submit(bob.get("/account/code").form("/account/code"), code="bobby")
    return names | {"member": alice.session_id(), "token": invitations.token(1, SECRET_KEY)}


@pytest.fixture
def outcome(names: dict[str, str], valkey, clock: Clock) -> Callable[[object, Click], tuple]:
    """Let a click come to a WSGI application, and give what it answers and what it leaves, but for what is random.

    Every click finds Redis as it was for the first.
    """
    redis = valkey.client
    unseal = partial(visit_tokens.unseal, secret_key=SECRET_KEY, now=clock())
    opened = partial(clicks.unseal, secret_key=SECRET_KEY)
    before = {key: (max(redis.pttl(key), 0), redis.dump(key)) for key in redis.scan_iter()}

    def plain(text: str) -> str:
        """Hide the id of a new session, the date that the `Max-Age` beside it decides, and the key of a visit."""
        for sid in re.findall(r"(?:session:|referralhub=)([\w-]{44})", text):
            text = text if f"session:{sid}".encode() in before else text.replace(sid, "NEW")
        text = re.sub(r"(?<=visit=)[^&]+", lambda token: str(unseal(token[0])._replace(key=None)), text)
        text = re.sub(r"(?<=rh=)[^&#]+", lambda token: str(opened(token[0])._replace(key=None)), text)
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
            {name: value.format(**names) for name, value in given.items()} for given in (click.headers, click.environ)
        )
        answer = Client(wsgi, use_cookies=False).open(
            click.path.format(**names), method=click.method, headers=headers, environ_overrides=environ
        )
        said = sorted((name, plain(value)) for name, value in answer.headers if name != HEADER)
        left = {plain(key.decode()): read(key) for key in redis.scan_iter()}
        return answer.status, said, answer.data, left

    return come


@pytest.fixture
def without_fast_path() -> Callable[[], AbstractContextManager[object]]:
    """Let every click of a block go on to the view."""
    return lambda: mock.patch.object(FastPath, "__call__", return_value=None)


@pytest.mark.parametrize(
    ("click", "entered"),
    [(click, False) for click in AT_THE_DOOR.values()] + [(click, True) for click in INSIDE.values()],
    ids=[*AT_THE_DOOR, *INSIDE],
)
def test_it_does_what_the_view_does(app: Flask, outcome, without_fast_path, click: Click, entered: bool):
    with mock.patch.object(app, "full_dispatch_request", wraps=app.full_dispatch_request) as flask:
        on_the_fast_path = outcome(app.wsgi_app, click)
        assert flask.called is entered
        with without_fast_path():
            assert on_the_fast_path == outcome(app.wsgi_app, click)
        assert flask.call_count == 1 + entered


@pytest.mark.parametrize("click", [*AT_THE_DOOR.values(), INSIDE["an invitation"]], ids=[*AT_THE_DOOR, "invitation"])
def test_so_it_does_where_links_lead_to_a_page_in_the_referrers_name(
    app: Flask, clock: Clock, visitor: Visitor, outcome, without_fast_path, click: Click
):
    with app.app_context():
        rules.change({"personal_landing": True}, clock())
    clock.advance(seconds=6)
    Visitor(app).get("/privacy")
    on_the_fast_path = outcome(app.wsgi_app, click)
    assert dict(on_the_fast_path[1])["Location"].startswith("/join?visit=")
    with without_fast_path():
        assert on_the_fast_path == outcome(app.wsgi_app, click)


@pytest.mark.parametrize("touch", Touch)
@pytest.mark.parametrize("click", [*AT_THE_DOOR.values(), INSIDE["an invitation"]], ids=[*AT_THE_DOOR, "invitation"])
def test_so_it_does_where_links_lead_to_a_product(app: Flask, clock, outcome, without_fast_path, click: Click, touch):
    with app.app_context():
        rules.change({"destination": "https://shop.example.com/?a=1#top", "touch": touch}, clock())
    app.extensions["brand"].forget()
    on_the_fast_path = outcome(app.wsgi_app, click)
    assert dict(on_the_fast_path[1])["Location"].startswith("https://shop.example.com/?a=1&rh=")
    with without_fast_path():
        assert on_the_fast_path == outcome(app.wsgi_app, click)


@pytest.mark.parametrize(
    ("address", "headers", "location"),
    [
        ("https://refer.example.com", {}, "/signup"),
        ("https://example.com/refer", {}, "/refer/signup"),
        ("https://example.com/refer", {"X-Forwarded-Prefix": "/join/us"}, "/join/us/signup"),
    ],
)
def test_behind_a_proxy_too(make_app, outcome, without_fast_path, address: str, headers: dict[str, str], location: str):
    app = make_app(base_url=address, trusted_proxies=1)
    on_the_fast_path = outcome(app.wsgi_app, Click(headers=headers))
    said = dict(on_the_fast_path[1])
    assert "Strict-Transport-Security" in said
    assert said["Location"].startswith(f"{location}?visit=")
    assert f"Path={location.removesuffix('/signup') or '/'};" in said["Set-Cookie"]
    with without_fast_path():
        assert on_the_fast_path == outcome(app.wsgi_app, Click(headers=headers))


def test_while_redis_is_away_it_lets_in_whom_the_view_then_carries(app: Flask, link: str, visitor: Visitor, valkey):
    """And Redis is not asked again: a silent one would be waited for twice, and might count both."""
    with valkey.away(), mock.patch.object(interface, "run", side_effect=interface.run) as run:
        arrived = visitor.get(f"{link}?via=whatsapp", 302)
    assert run.call_count == 1
    assert urlsplit(arrived.location).path == "/signup"
    assert "Set-Cookie" not in arrived.headers
    assert "Referred by alice" in visitor.follow(arrived).text


NEWCOMERS = {who: click for who, click in AT_THE_DOOR.items() if "Cookie" not in click.headers and not click.environ}


@pytest.mark.parametrize("click", NEWCOMERS.values(), ids=NEWCOMERS)
def test_plain_commands_leave_what_the_script_leaves(app: Flask, outcome, click: Click):
    with mock.patch.object(interface, "run") as script:
        by_commands = outcome(app.wsgi_app, click)
        assert not script.called
    with mock.patch.object(interface.Sessions, "_arrive_by_commands", return_value=None):
        assert by_commands == outcome(app.wsgi_app, click)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("dead", [False, True])
def test_a_code_that_redis_knows_no_longer_counts_once_or_not_at_all(
    app: Flask, names, records, valkey, dead: bool, own: bool
):
    valkey.client.delete(live_codes.key(names["own" if own else "code"]))
    if dead:
        records.change(lambda: setattr(db.session.get(User, 1), "is_active", False))
    sessions = len(valkey.client.keys("session:*"))
    arrived = Visitor(app).get(f"/{names['own' if own else 'code']}/", 302)
    assert ("visit=" in arrived.location) is not dead
    assert [(day.visits, day.visitors) for day in records.visits()] == [(2, 1) if dead else (3, 2)]
    assert len(valkey.client.keys("session:*")) == sessions + 1  # that of the visit, or of the notice that it is dead


def test_a_code_that_is_another_members_by_now_is_theirs(app: Flask, names, records, valkey):
    live_codes.learn(valkey.client, names["own"], names["cold"])
    Visitor(app).get(f"/{names['own']}/", 302)
    records.visits()
    assert [(row.profile_id, row.visits) for row in records.all(VisitDaily)] == [(1, 2), (2, 1)]
    assert not valkey.client.keys("visits:*")


def test_visits_are_booked_that_come_after_others_were(app: Flask, names, records):
    for number in range(3, 6):
        Visitor(app).get(f"/{names['code']}/", 302)
        assert [day.visits for day in records.visits()] == [number]
