"""Links that lead to a product: it is sent a click that says whose link it was, to nobody but us."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import timedelta
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from redis.connection import AbstractConnection
from sqlalchemy.exc import OperationalError

from referralhub.database import transaction
from referralhub.models import Channel, Touch
from referralhub.services.program import rules
from referralhub.services.referrals import attribution, clicks, invitations
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared import sealing
from referralhub.sessions import visit_tokens
from tests.callers import CRAWLERS, LOOKED_AT, NAVIGATES
from tests.conftest import SECRET_KEY
from tests.pages import Visitor
from tests.people import Clock, Person, path_of

SHOP = "https://shop.example.com/welcome"


@pytest.fixture
def use(app: Flask, clock: Clock) -> Callable[..., None]:
    """Put rules in force, as another process would."""

    def change(**values: object) -> None:
        with app.app_context():
            rules.change(values, clock())

    return change


@pytest.fixture
def link(alice: Person, use) -> str:
    """Alice's link, as a path, in a program whose links lead to a shop."""
    alice.sign_up()
    use(destination=SHOP)
    return path_of(alice.link)


def click_in(address: str | None) -> FollowedLink:
    (token,) = parse_qs(urlsplit(address or "").query)["rh"]
    found = clicks.unseal(token, SECRET_KEY)
    assert found
    return found


def test_a_click_goes_along_and_nothing_else(link: str, alice: Person, visitor: Visitor, clock: Clock, records):
    address = visitor.get(f"{link}?via=whatsapp&utm_source=x", 302).location
    assert address.startswith(f"{SHOP}?rh=")
    assert list(parse_qs(urlsplit(address).query)) == ["rh"]
    found = click_in(address)
    assert (found.code, found.channel, found.visited_at) == (alice.code, Channel.WHATSAPP, clock())
    assert [(day.visits, day.visitors) for day in records.visits()] == [(1, 1)]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("destination", "before", "behind"),
    [
        ("https://shop.example.com", "https://shop.example.com?rh=", ""),
        (f"{SHOP}?plan=pro&a=1", f"{SHOP}?plan=pro&a=1&rh=", ""),
        (f"{SHOP}#top?x", f"{SHOP}?rh=", "#top?x"),
        (f"{SHOP}?a=b#c", f"{SHOP}?a=b&rh=", "#c"),
    ],
)
def test_it_is_added_to_what_the_address_has(link, use, visitor: Visitor, destination: str, before: str, behind: str):
    use(destination=destination)
    address = visitor.get(link, 302).location
    assert address.startswith(before)
    assert address.endswith(behind)
    assert click_in(address)


@pytest.mark.one_database
def test_the_next_click_knows_of_a_change_and_no_other_asks_the_database(
    link: str, use, visitor: Visitor, count_queries
):
    visitor.get(link, 302)
    for destination, page in ((None, "/signup?visit="), (f"{SHOP}/2", f"{SHOP}/2?rh=")):
        use(destination=destination)
        for queries in (1, 0, 0):
            with count_queries(of_brand=True) as statements:
                assert visitor.get(link, 302).location.startswith(page)
            assert len(statements) == queries


@pytest.mark.one_database
def test_it_takes_one_round_trip_to_redis(link: str, visitor: Visitor):
    visitor.get(link, 302)
    send = AbstractConnection.send_packed_command
    with mock.patch.object(AbstractConnection, "send_packed_command", autospec=True, side_effect=send) as sent:
        visitor.get(link, 302)
    assert sent.call_count == 1


@pytest.mark.one_database
def test_programs_and_pages_that_hide_a_link_get_no_click(link: str, app: Flask, records):
    for headers in ({"User-Agent": CRAWLERS[0]}, *LOOKED_AT.values()):
        page = Visitor(app).get(link, headers=headers)
        assert "alice invites you" in page.text
        assert "rh=" not in page.text
    Visitor(app).get(link, 403, headers={"Sec-Purpose": "prefetch"})
    assert Visitor(app).client.head(link).headers["Location"] == SHOP
    assert [(day.visits, day.visitors, day.bots) for day in records.visits()] == [(0, 0, 1)]


@pytest.mark.one_database
def test_a_member_is_not_sent_away(link: str, alice: Person, use):
    assert alice.get(link, 302).location == "/dashboard/"


@pytest.mark.one_database
def test_an_invitation_goes_along(link: str, alice: Person, visitor: Visitor):
    token = invitations.token(7, SECRET_KEY)
    with mock.patch("referralhub.services.referrals.invitation_progress.note_visited"):
        address = visitor.get(f"{link}?via=email&i={token}", 302, headers=NAVIGATES).location
    assert (click_in(address).invitation_id, click_in(address).channel) == (7, Channel.EMAIL)


def test_while_redis_is_away_the_click_goes_along_all_the_same(link: str, alice: Person, visitor: Visitor, valkey):
    with valkey.away():
        address = visitor.get(f"{link}?via=x", 302).location
    found = click_in(address)
    assert (address.partition("?")[0], found.code, found.channel) == (SHOP, alice.code, Channel.X)
    assert "without_session" not in address


@pytest.mark.one_database
def test_our_own_page_stays_and_is_the_plain_one(link: str, use, visitor: Visitor):
    use(personal_landing=True)
    assert visitor.get(link, 302).location.startswith(SHOP)
    assert visitor.get("/join", 302).location == "/signup"
    assert "Referred by alice" in visitor.get("/signup").text


class TestTheFirstLinkCounts:
    @pytest.fixture
    def links(self, link: str, bob: Person, use) -> tuple[str, str]:
        bob.sign_up()
        use(touch=Touch.FIRST)
        return link, path_of(bob.link)

    @pytest.mark.parametrize("touch", Touch)
    def test_where_the_program_says_so(self, links, alice: Person, bob: Person, use, visitor: Visitor, clock, touch):
        use(touch=touch)
        first = clock()
        visitor.get(links[0], 302)
        clock.advance(days=1)
        found = click_in(visitor.get(links[1], 302).location)
        if touch is Touch.FIRST:
            assert (found.code, found.visited_at) == (alice.code, first)
        else:
            assert (found.code, found.visited_at) == (bob.code, clock())

    @pytest.mark.one_database
    def test_unless_it_is_too_old(self, links, bob: Person, visitor: Visitor, clock):
        visitor.get(links[0], 302)
        clock.advance(days=20)
        visitor.get(links[1], 302)
        clock.advance(days=11)
        assert click_in(visitor.get(links[1], 302).location).code == bob.code

    @pytest.mark.one_database
    def test_while_nobody_can_say_it_is_the_one_at_hand(self, links, bob: Person, visitor: Visitor):
        visitor.get(links[0], 302)
        with mock.patch.object(attribution, "choose", side_effect=OperationalError("", {}, Exception())):
            assert click_in(visitor.get(links[1], 302).location).code == bob.code


class TestATokenOfAClick:
    @pytest.fixture
    def click(self, clock: Clock) -> FollowedLink:
        return FollowedLink("abcd1234", Channel.SHARE, clock() + timedelta(microseconds=5), 7)

    def test_comes_back_as_it_was_however_late(self, click: FollowedLink):
        found = clicks.unseal(clicks.seal(click, SECRET_KEY), SECRET_KEY)
        assert found
        assert found._replace(key=None) == click
        assert clicks.unseal(clicks.seal(found, SECRET_KEY), SECRET_KEY) == found  # it keeps its key

    def test_is_short_says_nothing_and_is_never_the_same(self, click: FollowedLink):
        tokens = {clicks.seal(click, SECRET_KEY) for _ in range(50)}
        found = [clicks.unseal(token, SECRET_KEY) for token in tokens]
        assert len(tokens) == len({each.key for each in found if each}) == 50
        beginnings = {token[:12] for token in tokens} | {token[-12:] for token in tokens}
        assert len(beginnings) == 100
        for token in tokens:
            assert re.fullmatch(r"[\w-]{60,140}", token, re.ASCII)
            read = urlsafe_b64decode(token + "==")
            assert b"abcd" not in read
            assert b"share" not in read

    def test_that_was_changed_or_is_none_of_ours_is_none(self, click: FollowedLink, clock: Clock):
        token = clicks.seal(click, SECRET_KEY)
        for place in range(len(token)):
            other = "A" if token[place] != "A" else "B"
            assert clicks.unseal(token[:place] + other + token[place + 1 :], SECRET_KEY) is None, place
        others = (
            "", "x", token[:-1], f"{token}A", f"{token}=", f"{token} ", f"\u00e4{token}", token * 9, token.swapcase(),
            visit_tokens.seal(click, SECRET_KEY), sealing.seal("x", SECRET_KEY), clicks.seal(click, SECRET_KEY[::-1]),
        )  # fmt: skip
        assert [clicks.unseal(each, SECRET_KEY) for each in others] == [None] * len(others)

    def test_counts_for_one_account_and_as_long_as_the_window(self, alice: Person, app: Flask, clock: Clock):
        alice.sign_up()
        token = clicks.seal(FollowedLink(alice.code, Channel.LINK, clock()), SECRET_KEY)
        link = clicks.unseal(token, SECRET_KEY)
        assert link
        with app.app_context():
            for at, counts in ((clock() + timedelta(days=31), False), (clock(), True), (clock(), False)):
                with transaction() as session:
                    assert bool(attribution.find_referrer(session, link, at)) is counts
