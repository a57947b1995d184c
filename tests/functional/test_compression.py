"""Pages are small on the wire, but none whose size would tell a secret."""

import gzip
import sys

import brotli
import pytest
from flask import Flask, Response, stream_with_context

from referralhub import compression
from tests.pages import Visitor, parse
from tests.people import Person

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.one_database

UNPACK = {"br": brotli.decompress, "zstd": zstd.decompress, "gzip": gzip.decompress}
BROWSER = {"Accept-Encoding": "gzip, deflate, br, zstd"}
PUBLIC = ("/", "/signup", "/login", "/leaderboard", "/privacy")
MEMBERS = ("/dashboard/", "/dashboard/referrals", "/dashboard/network", "/leaderboard", "/privacy")


@pytest.fixture
def member(alice: Person) -> Person:
    alice.sign_up()
    alice.confirm_address()
    return alice


@pytest.mark.parametrize("encoding", UNPACK)
@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_is_less_than_half_its_size(visitor: Visitor, path: str, encoding: str):
    answer = visitor.client.get(path, headers={"Accept-Encoding": encoding})
    assert answer.headers["Content-Encoding"] == encoding
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    page = UNPACK[encoding](answer.data)
    assert page.endswith(b"</html>") and len(answer.data) < len(page) / 2
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("path", MEMBERS)
def test_so_is_a_members_page(member: Person, path: str):
    answer = member.client.get(path, headers=BROWSER)
    assert UNPACK[answer.headers["Content-Encoding"]](answer.data).endswith(b"</html>")
    assert {"Accept-Encoding", "Cookie"} <= {*answer.headers["Vary"].replace(" ", "").split(",")}


@pytest.mark.parametrize("path", MEMBERS)
def test_a_members_page_repeats_nothing_of_its_address(member: Person, path: str):
    """Or another site could open it with guesses at a friend's name, and see which of them makes it shorter."""
    names = ("q", "next", "page", "period", "via", "visit", "search", "anything")
    guesses = "&".join(f"{name}=guesswork" for name in names)
    assert "guesswork" not in member.client.get(f"{path}?{guesses}").get_data(as_text=True)


@pytest.mark.parametrize("encodings", [None, "", "identity", "deflate", "gzip;q=0, br;q=0, zstd;q=0"])
def test_who_does_not_ask_for_it_gets_the_page_as_it_is(member: Person, encodings: str | None):
    answer = member.client.get("/dashboard/", headers={"Accept-Encoding": encodings} if encodings is not None else {})
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]  # or a cache would give them somebody else's
    assert answer.data.endswith(b"</html>")


def test_the_list_names_views_that_there_are(app: Flask):
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= compression.PAGES


def test_nothing_else_is_compressed(app: Flask, admin: Person, member: Person):
    """The panel has addresses beside what is searched for, an export has everything; a new page is not on the list."""
    paths = {rule.rule for rule in app.url_map.iter_rules() if not rule.arguments and "GET" in rule.methods}
    listed = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint in compression.PAGES}
    for who in (admin, member, Visitor(app)):
        for path in paths - listed:
            with who.client.get(path, headers=BROWSER) as answer:
                assert "Content-Encoding" not in answer.headers, path
    assert {"/account/export", "/account/email", "/dashboard/rewards", "/dashboard/invite", "/admin/members/"} <= paths


@pytest.mark.parametrize("path", ["/verify/x", "/password/reset/x", "/account/email/x", "/account/unsubscribe/x"])
def test_a_page_of_a_one_time_token_is_not(visitor: Visitor, path: str):
    assert "Content-Encoding" not in visitor.client.get(path, headers=BROWSER).headers


@pytest.mark.parametrize("encoding", UNPACK)
def test_a_mail_address_on_it_is_written_another_way_each_time(alice: Person, encoding: str):
    alice.sign_up()
    shown = f"We sent a mail to {alice.email}."
    assert shown in alice.get("/dashboard/").text
    answers = [alice.client.get("/dashboard/", headers={"Accept-Encoding": encoding}) for _ in range(2)]
    pages = [UNPACK[encoding](answer.data).decode() for answer in answers]
    assert all(shown in parse(page).text and alice.email not in page for page in pages)
    assert pages[0] != pages[1]


def read(html: str) -> list[object]:
    """Give what a browser makes of it."""
    root = parse(html)
    return [root.text, *((element.tag, element.attributes) for element in root.walk())]


@pytest.mark.parametrize(
    "content",
    [
        "<p>Write to bo@example.com, or to ann+1@sub.example.co.uk.</p>",
        '<a href="mailto:bo@example.com?subject=Hi">O&#39;Neill &lt;o&#39;neill@example.com&gt;</a>',
        "<p>jürgen@bücher.example and @bo and @ and a@b@c</p>",
    ],
)
def test_what_is_masked_is_read_as_before(content: str):
    masked = [compression.masked(content.encode()).decode() for _ in range(20)]
    assert all(read(each) == read(content) for each in masked)
    assert len({*masked}) == 20
    assert not any("@" in each for each in masked)


def test_figures_that_are_asked_for_again_and_again_keep_their_tag(member: Person):
    answer = member.client.get("/dashboard/stats", headers=BROWSER)
    assert "Content-Encoding" not in answer.headers
    again = member.client.get("/dashboard/stats", headers=BROWSER | {"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_neither_is_what_is_no_whole_page(visitor: Visitor):
    head = visitor.client.head("/privacy", headers=BROWSER)
    refused = visitor.client.post("/login", data={"username": "<b>"}, headers=BROWSER)
    missing = visitor.client.get("/nothing-here", headers=BROWSER)
    for answer in (head, refused, missing):
        assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    "make",
    [
        lambda: Response("x" * 100),
        lambda: Response(stream_with_context(iter(["x" * 5000]))),
        lambda: Response("x" * 5000, status=404),
        lambda: Response("x" * 5000, headers={"ETag": '"tag"'}),
    ],
    ids=["tiny", "a stream", "an error", "tagged"],
)
def test_on_a_listed_page_too(app: Flask, make):
    with app.test_request_context("/privacy", headers=BROWSER):
        assert "Content-Encoding" not in compression.compress(make()).headers
        assert "Content-Encoding" in compression.compress(Response("x" * 5000)).headers
