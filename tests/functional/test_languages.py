"""The language of who reads, chosen or asked for by the browser; nothing on a page or in a mail is left in English."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from referralhub import languages
from referralhub.pseudo import pseudo
from referralhub.services.accounts import erasure
from referralhub.services.perks import catalogue
from referralhub.services.program import rules
from referralhub.words.referrals import FORMER_MEMBER
from tests.pages import Element, Page, Visitor
from tests.people import Person, PostOffice, text_of

GERMAN, MADE_UP = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.8"}, {"HTTP_ACCEPT_LANGUAGE": "en-XA"}
WORD = re.compile(r"[A-Za-z]{3,}")
SHOWN = ("aria-label", "title", "placeholder", "alt", "data-done", "data-level1", "data-confirmed", "content")
# What is the same in every language: names, addresses, and what is data here.
DATA = re.compile(
    r"[\w.]+@example\.(com|org)|ReferralHub|English|Deutsch|alice|bob|carol|https?://\S+|localhost\S*|Facebook|WhatsApp|LinkedIn|Telegram|Reddit|SMS|"
    r"Bronze|Silver|Gold|Diamond|Sticker|Chromium|Windows|Mug|A mug|Unknown browser|\b[a-z0-9]{8}\b|"
    r"January|February|March|April|May|June|July|August|September|October|November|December"
)


def texts_in(element: Element) -> Iterator[str]:
    """Yield all that can be read in an element, or heard."""
    if element.tag != "meta" or element.attributes.get("name") == "description":
        yield from (element.attributes[name] for name in SHOWN if name in element.attributes)
    for child in element.children:
        if isinstance(child, str):
            yield child
        elif child.tag not in ("script", "style", "code", "svg"):
            yield from texts_in(child)


def english_in(texts: Iterator[str]) -> list[str]:
    return [text.strip() for text in texts if WORD.search(DATA.sub("", text))]


def english_on(page: Page) -> list[str]:
    return english_in(texts_in(page.root))


@pytest.fixture
def member(app: Flask, post_office: PostOffice, clock) -> Person:
    """A member whose browser asks for the made-up language, with friends in each state and a perk."""
    alice = Person(app, post_office, "alice", **MADE_UP)
    alice.sign_up()
    alice.confirm_address()
    bob = Person(app, post_office, "bob", **MADE_UP)
    bob.click(alice.link)
    bob.sign_up()
    with app.app_context():
        rules.change({"friend_amount": 5, "email_invitations": True, "milestones": [{"at": 1, "bonus": 5}]}, clock())
        catalogue.add("Mug", "A mug", clock(), price=10)
        catalogue.add("Sticker", "", clock(), unlocked_at=3)
    bob.confirm_address()
    carol = Person(app, post_office, "carol", **MADE_UP)
    carol.click(alice.link)
    carol.sign_up()
    return alice


@pytest.mark.one_database
class TestWhatIsSpoken:
    @pytest.mark.parametrize(
        ("asked", "spoken"),
        [
            ("", "en"), ("de", "de"), ("de-CH, en;q=0.5", "de"), ("fr, de;q=0.2, en;q=0.1", "de"), ("fr", "en"),
            ("en-GB, de;q=0.9", "en"), ("*", "en"), ("nonsense;;q=x" * 99, "en"),
        ],
    )  # fmt: skip
    def test_is_what_the_browser_likes_best(self, visitor: Visitor, asked: str, spoken: str):
        page = visitor.get("/login", headers={"Accept-Language": asked})
        assert page.one("html")["lang"] == spoken
        assert page.one("html")["dir"] == "ltr"
        assert "Accept-Language" in page.response.headers["Vary"]

    def test_is_what_the_member_has_chosen(self, app: Flask, alice: Person):
        alice.sign_up()
        form = alice.get("/account/language").form("/account/language")
        chosen = alice.follow(alice.submit(form, language="de"))
        assert chosen.one("html")["lang"] == "de"
        assert alice.get("/leaderboard", headers={"Accept-Language": "en"}).one("html")["lang"] == "de"
        alice.submit(alice.get("/account/language").form("/account/language"), language="browser")
        assert alice.get("/leaderboard").one("html")["lang"] == "en"

    def test_is_none_that_there_is_not(self, alice: Person):
        alice.sign_up()
        alice.submit(alice.get("/account/language").form("/account/language"), 422, language="tlh")

    def test_is_written_from_the_right_where_it_is_so(self, app: Flask):
        with app.test_request_context(), languages.speaking("ar"):
            assert (languages.tag(), languages.text_direction()) == ("ar", "rtl")

    def test_is_each_ones_own_where_pages_are_kept(self, app: Flask, visitor: Visitor):
        for _ in range(3):
            assert visitor.get("/leaderboard").one("html")["lang"] == "en"
            assert visitor.get("/leaderboard", headers={"Accept-Language": "de"}).one("html")["lang"] == "de"

    def test_is_spoken_while_redis_is_away(self, lend_app):
        app = lend_app(redis_url="unix:///nowhere.sock")
        page = Visitor(app).client.get("/login", headers={"Accept-Language": "de"})
        assert 'lang="de"' in page.text


@pytest.mark.one_database
class TestMail:
    def test_is_in_the_language_that_its_reader_has_chosen(self, alice: Person):
        alice.sign_up()
        alice.submit(alice.get("/account/language").form("/account/language"), language="de")
        alice.post_office.deliver()
        assert "Bestätige" in alice.post_office.letters(alice.email)[-1]["Subject"]

    def test_is_else_in_that_of_the_browser_at_the_last_sign_in(self, app: Flask, post_office: PostOffice):
        bob = Person(app, post_office, "bob", **GERMAN)
        bob.sign_up()
        post_office.deliver()
        letter = post_office.letters(bob.email)[-1]
        assert "Bestätige" in letter["Subject"]
        assert 'lang="de"' in letter.get_body(("html",)).get_content()


@pytest.mark.one_database
class TestNothingIsLeftUntranslated:
    PUBLIC = (
        "/",
        "/login",
        "/signup",
        "/password/forgot",
        "/privacy",
        "/leaderboard",
        "/leaderboard?period=week",
        "/none",
    )
    OWN = (
        "/dashboard/", "/dashboard/referrals", "/dashboard/rewards",
        "/dashboard/network", "/dashboard/invite", "/account/profile", "/account/code", "/account/language",
        "/account/email", "/account/password", "/account/confirm", "/account/sessions", "/account/notifications",
        "/account/data", "/account/two-factor", "/leaderboard?period=month",
    )  # fmt: skip

    @pytest.mark.parametrize("path", PUBLIC)
    def test_for_a_visitor(self, app: Flask, path: str):
        assert english_on(_page(Visitor(app, **MADE_UP), path)) == []

    def test_for_a_friend(self, app: Flask, member: Person, post_office: PostOffice):
        friend = Person(app, post_office, "dave", **MADE_UP)
        assert english_on(friend.click(member.link)) == []
        wrong = friend.fill_in_signup(422, email="nonsense", password="short", password_confirm="other", username="")
        assert english_on(wrong) == []

    def test_for_a_member(self, member: Person):
        assert {path: left for path in self.OWN if (left := english_on(_page(member, path)))} == {}

    def test_for_a_member_who_has_nothing_yet(self, app: Flask, post_office: PostOffice):
        lonely = Person(app, post_office, "carol", **MADE_UP)
        lonely.sign_up()
        assert {path: left for path in self.OWN if (left := english_on(_page(lonely, path)))} == {}

    def test_for_a_member_whose_friend_has_left(self, app: Flask, member: Person, clock):
        with app.app_context():
            erasure.erase(2, FORMER_MEMBER, clock())
        pages = {path: _page(member, path) for path in ("/dashboard/", *self.OWN[1:4])}
        assert {path: left for path, page in pages.items() if (left := english_on(page))} == {}
        assert all(pseudo(FORMER_MEMBER) in page.text for page in pages.values())

    def test_after_invitations(self, member: Person):
        form = member.get("/dashboard/invite").form("/dashboard/invite")
        seen = member.submit(form, 200, addresses="dave@example.org erin@example.org bob@example.com")
        assert english_on(seen) == []
        done = member.follow(member.submit(seen.form("/dashboard/invite"), send="yes"))
        assert english_on(done) == []

    def test_after_a_link_that_does_not_work(self, member: Person):
        form = member.get("/verify/none").form("/verify/none")
        assert english_on(member.submit(form, 400)) == []

    def test_for_a_crawler_of_a_link_that_is_none(self, app: Flask):
        crawler = Visitor(app, **MADE_UP)
        assert english_on(crawler.get("/nosuchco/", 404, headers={"User-Agent": "facebookexternalhit/1.1"})) == []

    def test_in_mail(self, member: Person):
        member.submit(member.get("/dashboard/invite").form("/dashboard/invite"), 200, addresses="dave@example.org")
        form = member.get("/account/password").form("/account/password")
        member.submit(
            form, password=member.password, new_password="quite another", new_password_confirm="quite another"
        )
        while member.post_office.deliver():
            pass
        letters = [
            each for who in ("alice", "bob", "carol") for each in member.post_office.letters(f"{who}@example.com")
        ]
        assert len(letters) >= 8
        for letter in letters:
            assert english_in(iter([letter["Subject"], text_of(letter)])) == []


def _page(visitor: Visitor, path: str) -> Page:
    return visitor.get(path, 404 if path == "/none" else 200)
