"""Who joined below a member, branch by branch, the link as a QR code, and what is said about privacy."""

import io
from collections.abc import Callable

import pytest
import segno
from flask import Flask
from redis import RedisError

from referralhub.extensions import db
from referralhub.models import Profile, User
from referralhub.services.referrals import network
from tests.factories import befriend
from tests.pages import Page, Visitor
from tests.people import Clock, Person, Records, user_named

NETWORK = "/dashboard/network"


def generations(page: Page) -> list[tuple[int, int, int]]:
    """Read the table: steps away, people, and how many of them were seen in 30 days."""
    rows = page.all("[data-generation]")
    return [(int(r["data-generation"]), int(r["data-value"]), int(r.all("td")[1].text)) for r in rows]


def branches(page: Page) -> list[tuple[str, int]]:
    """Read the lines of a branch: a name, and how many that member brought, -1 where it is not said."""
    rows = page.all("[data-branch]")
    return [
        (row["data-username"], int(([*row.all("[data-value]"), {"data-value": "-1"}])[0]["data-value"])) for row in rows
    ]


def unnamed(page: Page) -> int:
    return sum(int(each["data-unnamed"]) for each in page.all("[data-unnamed]"))


def links(page: Page) -> dict[str, str]:
    """Give the address of each branch that can be unfolded, by the name of whose it is."""
    return {row["data-username"]: row.one("a")["href"] for row in page.all("[data-branch]") if row.all("a")}


def go(person: Person, *names: str) -> Page:
    """Open one branch after the other by its link, as one does without JavaScript."""
    page = person.get(NETWORK)
    for name in names:
        page = person.get(links(page)[name])
    return page


@pytest.fixture
def tree(app: Flask, alice: Person, clock: Clock) -> list[list[str]]:
    """The founding article's example below Alice: 1, 2, 4, 8 and 16 people. And one more below, whom nobody counts."""
    alice.sign_up()
    rows = [["alice"], befriend(app, "alice", 1, clock())]
    while len(rows) <= network.DEEPEST:
        rows.append([name for each in rows[-1] for name in befriend(app, each, 2, clock())])
    befriend(app, rows[-1][0], 1, clock())
    return rows


@pytest.fixture
def hide(records: Records) -> Callable[..., None]:
    """Let members not be shown on the leaderboard, or switch them off."""

    def do(*usernames: str, **values: bool) -> None:
        def change() -> None:
            for username in usernames:
                if values:
                    user_named(username).is_active = values["is_active"]
                else:
                    db.session.get_one(Profile, user_named(username).profile.id).listed = False

        records.change(change)

    return do


def test_the_articles_example_is_counted_and_drawn(alice: Person, tree: list[list[str]]):
    page = alice.get(NETWORK)
    assert generations(page) == [(1, 1, 1), (2, 2, 2), (3, 4, 4), (4, 8, 8), (5, 16, 16)]
    assert "31 people below you" in page.text
    picture = page.one('svg[role="img"]')
    dots = [each["class"].split()[-1] for each in picture.all("circle") if "dot" in each["class"]]
    assert [dots.count(f"generation-{number}") for number in range(1, 7)] == [1, 2, 4, 8, 16, 0]
    assert len(picture.all('path[class="edge"]')) == 31
    assert picture.text == "You f"  # of a friend the initial, and nothing of anybody else
    assert picture["aria-label"].endswith("The table has the figures.")


def test_of_many_some_are_drawn_and_the_rest_is_a_number(app: Flask, alice: Person, clock: Clock):
    alice.sign_up()
    first = befriend(app, "alice", 17, clock())
    for each in first:
        befriend(app, each, 2, clock())
    picture = alice.get(NETWORK).one('svg[role="img"]')
    assert len([each for each in picture.all("circle") if "generation-1" in each["class"]]) == 12
    assert [each.text for each in picture.all('text[class="rest"]')] == ["+5", "+22"]


def test_the_way_down_needs_no_javascript_and_ends_with_the_fifth_step(alice: Person, tree: list[list[str]]):
    way = []
    for row, brought in zip(tree[1:], [2, 2, 2, 2, -1], strict=True):
        page = go(alice, *way)
        assert {each for each, _ in branches(page)} <= set(row)
        assert {people for _, people in branches(page)} == {brought}
        way.append(branches(page)[0][0])
    assert links(page) == {}
    crumbs = page.one('nav[aria-label="The way to this branch"]')
    assert [each.text for each in crumbs.all("li")] == ["Your network", *way[:-1]]
    up = [anchor["href"] for anchor in crumbs.all("a")]
    assert branches(alice.get(up[0])) == [(way[0], 2)]
    assert branches(alice.get(up[-1])) == branches(go(alice, *way[:-2]))


def test_htmx_gets_the_branch_alone(alice: Person, tree: list[list[str]]):
    line = alice.get(NETWORK).one("[data-branch]")
    asked = line.one("[data-hx-get]")
    assert asked["data-hx-get"] == line.one("a")["href"]
    fragment = alice.fragment(asked["data-hx-get"])
    assert fragment.headers["Vary"].count("HX-Request-Type") == 1
    assert {name for name, _ in branches(fragment)} == set(tree[2])
    assert branches(fragment) == branches(go(alice, tree[1][0]))
    assert branches(alice.fragment(NETWORK)) == branches(alice.get(NETWORK))
    assert not fragment.all("svg[role]") and not alice.fragment(NETWORK).all("svg[role]")


def test_whoever_is_not_a_friend_and_not_listed_has_no_name(alice: Person, tree: list[list[str]], hide):
    hidden = [tree[1][0], tree[2][0], *tree[3][2:], tree[5][0]]
    hide(*hidden)
    friend, seen = tree[1][0], tree[2][1]
    pages = [alice.get(NETWORK), go(alice, friend), go(alice, friend, seen)]
    pages += [alice.fragment(link) for page in pages for link in links(page).values()]
    for page in pages:
        assert not [name for name in hidden[1:] if name in page.response.text]
    assert branches(pages[0]) == [(friend, 2)]  # a friend is named whatever they chose
    assert (branches(pages[1]), unnamed(pages[1])) == ([(seen, 2)], 1)
    assert (branches(pages[2]), unnamed(pages[2])) == ([], 2)
    assert "and 1 more who is not listed" in pages[1].text
    assert "2 people who are not listed" in pages[2].text
    assert [members for _, members, _ in generations(pages[0])] == [1, 2, 4, 8, 16]


def test_there_is_no_way_past_somebody_who_is_not_listed(alice: Person, tree: list[list[str]], hide):
    friend, second = tree[1][0], tree[2][0]
    page = go(alice, friend, second)
    third = branches(page)[0][0]
    addresses = [links(go(alice, friend))[second], links(page)[third]]
    for address in addresses:
        alice.get(address)
    hide(second)
    for address in addresses:
        alice.get(address, 404)
        alice.fragment(address, 404)
    assert third not in go(alice, friend).response.text


def test_who_was_switched_off_is_counted_as_one_who_is_not_listed(alice: Person, tree: list[list[str]], hide):
    hide(tree[1][0], tree[2][0], is_active=False)
    page = go(alice, tree[1][0])
    assert (branches(page), unnamed(page)) == ([(tree[2][1], 2)], 1)


def test_a_branch_is_there_for_those_above_it_alone(
    app: Flask, alice: Person, bob: Person, charlie: Person, clock: Clock
):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    charlie.sign_up()
    (friend,) = befriend(app, "bob", 1, clock())
    befriend(app, friend, 1, clock())
    befriend(app, "charlie", 1, clock())
    mine = {"bob": links(alice.get(NETWORK))["bob"], friend: links(go(alice, "bob"))[friend]}
    absent = charlie.get(f"{NETWORK}/nothing", 404).text
    for address in mine.values():
        alice.get(address)
        for ask in (charlie.get, charlie.fragment):
            assert ask(address, 404).text == absent
    bob.get(mine[friend])
    bob.get(mine["bob"], 404)  # neither is anybody in their own network


def test_a_branch_of_the_fifth_step_is_out_of_sight(app: Flask, alice: Person, bob: Person, clock: Clock):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    names = ["bob"]
    for _ in range(6):
        names += befriend(app, names[-1], 1, clock())
    fourth, fifth = links(go(bob, *names[1:3]))[names[3]], links(go(bob, *names[1:4]))[names[4]]
    assert branches(alice.get(fourth)) == [(names[4], -1)]
    alice.get(fifth, 404)
    assert branches(bob.get(fifth)) == [(names[5], -1)]


def test_an_erased_friend_is_a_former_member_whose_branch_is_still_there(
    app: Flask, alice: Person, bob: Person, charlie: Person, clock: Clock
):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    charlie.click(bob.link)
    charlie.sign_up()
    befriend(app, "bob", 1, clock())
    charlie.delete_account()
    bob.delete_account()
    page = go(alice, "A former member")
    assert unnamed(page) == 1
    assert len(branches(page)) == 1
    assert not {"bob", "charlie"} & {*page.response.text.split()}
    assert "Whom A former member brought" in page.text


def test_a_long_branch_comes_in_parts_of_which_none_repeats_a_line(app: Flask, alice: Person, clock: Clock):
    alice.sign_up()
    (friend,) = befriend(app, "alice", 1, clock())
    crowd = befriend(app, friend, 45, clock())
    befriend(app, crowd[7], 2, clock())
    befriend(app, "alice", 44, clock())
    for first, number in ((alice.get(NETWORK), 45), (go(alice, friend), 45)):
        pages = [first]
        while older := [anchor["href"] for anchor in pages[-1].all("a") if anchor.text == "More"]:
            pages.append(alice.get(older[0]))
            assert branches(alice.fragment(older[0])) == branches(pages[-1])
        assert [len(branches(page)) for page in pages] == [20, 20, 5]
        names = [name for page in pages for name, _ in branches(page)]
        assert len(set(names)) == number
    assert names[0] == crowd[7]  # who has brought the most comes first
    assert sorted(names) == sorted(crowd)


@pytest.mark.parametrize("after", ["nonsense", "7", "%00", "\u2028"])
def test_a_part_that_is_none_is_the_first(alice: Person, tree: list[list[str]], after: str):
    assert branches(alice.get(f"{NETWORK}?after={after}")) == branches(alice.get(NETWORK))


def test_no_address_tells_anybodys_number(app: Flask, alice: Person, clock: Clock):
    """It would tell how many members there are, and in which order they came."""
    alice.sign_up()
    for each in befriend(app, "alice", 21, clock()):
        befriend(app, each, 2, clock())
    page = alice.get(NETWORK)
    more = next(anchor["href"] for anchor in page.all("a") if anchor.text == "More")
    branch = links(page)[branches(page)[0][0]]
    assert links(page) != links(alice.get(NETWORK))  # a token is sealed anew each time
    for sealed in (branch.rpartition("/")[2], more.rpartition("=")[2]):
        assert len(sealed) > 60
        alice.get(f"{NETWORK}/{sealed[:-4]}AAAA", 404)
    # What was sealed for another thing: it says behind whom with two friends, and number two is a friend.
    alice.get(f"{NETWORK}/{more.rpartition('=')[2]}", 404)
    alice.get(f"{NETWORK}/2", 404)


def test_a_large_network_is_counted_every_five_minutes(
    app: Flask, alice: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch, count_queries
):
    monkeypatch.setattr(network, "LARGE", 3)
    alice.sign_up()
    befriend(app, "alice", 3, clock())
    page = alice.get(NETWORK)
    assert "every five minutes" not in page.text
    befriend(app, "alice", 2, clock())
    assert generations(alice.get(NETWORK)) == [(1, 5, 5)]
    befriend(app, "alice", 1, clock())
    clock.advance(minutes=4)
    with count_queries() as statements:
        page = alice.get(NETWORK)
    assert not [each for each in statements.sent if "RECURSIVE" in each]
    assert generations(page) == [(1, 5, 5)]
    assert len(branches(page)) == 6  # the list is read each time
    assert "counted every five minutes, the last time 4 min ago" in page.text
    clock.advance(minutes=1)
    assert generations(alice.get(NETWORK)) == [(1, 6, 6)]


def test_without_redis_it_is_counted_each_time(app: Flask, alice: Person, clock: Clock, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise RedisError

    monkeypatch.setattr(network, "LARGE", 3)
    alice.sign_up()
    befriend(app, "alice", 4, clock())
    with app.app_context():
        redis = app.extensions["redis"]
        monkeypatch.setattr(redis, "get", away)
        monkeypatch.setattr(redis, "set", away)
        count = network.overview(redis, 1, clock()).count
        assert (count.total, count.at) == (4, clock())


def test_each_generation_is_counted_and_nobody_elses(app, alice: Person, bob: Person, records, clock):
    alice.sign_up()
    bob.sign_up()
    first = befriend(app, "alice", 3, clock())
    second = befriend(app, first[0], 2, clock()) + befriend(app, first[1], 1, clock())
    befriend(app, second[0], 4, clock())
    befriend(app, "bob", 5, clock())

    def last_seen_long_ago() -> None:
        days = clock().replace(year=clock().year - 1)
        db.session.scalars(db.select(User).filter_by(username=second[0])).one().last_seen_at = days

    records.change(last_seen_long_ago)
    page = alice.get("/dashboard/network")
    assert generations(page) == [(1, 3, 3), (2, 3, 2), (3, 4, 4)]
    assert branches(page) == [(first[0], 2), (first[1], 1), (first[2], 0)]
    assert "10 people below you" in page.text
    assert generations(bob.get("/dashboard/network")) == [(1, 5, 5)]


def test_a_name_that_was_chosen_is_shown_and_one_that_is_gone_is_not(app, alice: Person, bob: Person, clock):
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    bob.delete_account()
    page = alice.get("/dashboard/network")
    assert branches(page) == [("A former member", 0)]
    assert "bob" not in page.response.text


def test_whoever_brought_nobody_is_told_what_will_be_here(alice: Person):
    alice.sign_up()
    page = alice.get("/dashboard/network")
    assert generations(page) == branches(page) == []
    assert "Nobody yet" in page.text
    assert "/dashboard/" in [anchor["href"] for anchor in page.one("main").all("a")]


def test_a_branch_costs_the_same_however_large(app: Flask, alice: Person, clock: Clock, count_queries):
    alice.sign_up()
    (friend,) = befriend(app, "alice", 1, clock())
    costs = []
    for number in (1, 10, 30):
        befriend(app, friend, number, clock())
        address = links(alice.get(NETWORK))[friend]
        with count_queries() as statements:
            alice.get(address)
        costs.append(len(statements))
    assert max(costs) <= 4 and costs[0] == costs[1], costs


def test_it_costs_the_same_however_large(app, alice: Person, clock, count_queries):
    alice.sign_up()
    costs, above = [], "alice"
    for _ in range(3):
        (above, *_) = befriend(app, above, 30, clock())
        with count_queries() as statements:
            page = alice.get("/dashboard/network")
        costs.append(len(statements))
    assert len(generations(page)) == 3
    assert len(set(costs)) == 1 and costs[0] <= 4, costs


def test_a_chain_without_end_is_followed_five_steps(app, alice: Person, records, clock):
    alice.sign_up()
    above = "alice"
    for _ in range(12):
        (above,) = befriend(app, above, 1, clock())
    assert generations(alice.get("/dashboard/network")) == [(step, 1, 1) for step in range(1, 6)]
    assert len(records.all(Profile)) == 13


def test_the_qr_code_is_the_link_with_its_channel(alice: Person):
    alice.sign_up()
    answer = alice.file("/dashboard/qr.svg")
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Cache-Control"] == "no-store"
    expected = io.BytesIO()
    code = segno.make(f"{alice.link}?via=qr", error="m")
    code.save(expected, kind="svg", scale=8, border=4, light="#fff", xmldecl=False, title="ReferralHub")
    assert answer.data == expected.getvalue()


@pytest.mark.parametrize("path", ["/dashboard/network", "/dashboard/qr.svg"])
def test_visitors_are_sent_to_sign_in(visitor: Visitor, path: str):
    assert visitor.get(path, 302).location.startswith("/login")


def test_privacy_is_explained_to_everybody_and_makes_no_session(visitor: Visitor):
    page = visitor.get("/privacy")
    assert "30 days" in page.text
    assert visitor.session_id() is None
    assert "/privacy" in [anchor["href"] for anchor in visitor.get("/").all("a")]
