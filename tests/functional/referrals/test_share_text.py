"""The member's own words for sharing the link: kept, read everywhere, and put back; and pictures to post."""

import io
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from flask import Flask
from PIL import Image, ImageDraw

from referralhub.dashboard import pictures
from referralhub.landing.drawing import Canvas
from referralhub.models import Profile
from referralhub.services.program import rules
from tests.pages import Page, Visitor
from tests.people import Clock, Person, user_named

HOME, FORM, PREVIEW = "/dashboard/", "/dashboard/share-text", "/dashboard/share-text/preview"
OURS = "I'm using ReferralHub and think you'd like it. Join me with my link:"
PICTURES = ["/dashboard/picture/square.png", "/dashboard/picture/tall.png", "/dashboard/qr.png"]


def change(person: Person, text: str, expect: int = 303, **more: str) -> Page:
    return person.submit(person.get(HOME).form(FORM), expect, text=text, **more)


def shared(page: Page) -> set[str]:
    """Give what the share sheet and each button share, without the link."""
    found = {page.one("[data-share]")["data-share-text"]}
    for button in page.all("a[data-channel]"):
        values = parse_qs(urlsplit(button["href"]).query.removeprefix("&"))
        (text,) = next(values[name] for name in ("text", "quote", "title", "body") if name in values)
        found.add(text.partition(" http://")[0].replace("\r\n", "\n"))
    return found


class TestText:
    def test_is_kept_and_shared_by_every_button(self, alice: Person, records):
        alice.sign_up()
        assert shared(alice.get(HOME)) == {OURS}
        page = alice.follow(change(alice, "  Tea with friends! \U0001f375 "))
        assert "Saved. Every button shares this now." in page.text
        assert shared(page) == {"Tea with friends! \U0001f375"}
        assert records.one(Profile).share_text == "Tea with friends! \U0001f375"
        assert alice.get(HOME).one("#share-text").text == "Tea with friends! \U0001f375"

    def test_is_another_members_own_business(self, alice: Person, bob: Person):
        alice.sign_up()
        bob.sign_up()
        change(alice, "Tea with friends!")
        assert shared(bob.get(HOME)) == {OURS}

    def test_goes_when_ours_is_put_back(self, alice: Person, records):
        alice.sign_up()
        change(alice, "Tea with friends!")
        change(alice, "whatever stands there", ours="yes")
        assert records.one(Profile).share_text == ""
        assert shared(alice.get(HOME)) == {OURS}

    @pytest.mark.parametrize("text", ["", "   ", OURS])
    def test_that_says_nothing_else_is_ours(self, alice: Person, records, run, text: str):
        alice.sign_up()
        change(alice, "Tea with friends!")
        change(alice, text)
        assert records.one(Profile).share_text == ""
        run("brand", "set", "name", "Tomato Club")
        assert shared(alice.get(HOME)) == {OURS.replace("ReferralHub", "Tomato Club")}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("x" * 281, "Use at most 280 characters."),
            ("one\x00two", "invisible control character"),
            ("one\ttwo", "invisible control character"),
            ("one\x85two", "invisible control character"),
            ("moc.elpmaxe\u202e", "invisible control character"),
            ("one\u2028two", "invisible control character"),
        ],
    )
    def test_that_cannot_be_is_refused_on_the_same_page(self, alice: Person, records, text: str, message: str):
        alice.sign_up()
        page = change(alice, text, 422)
        assert page.wrong_fields == {"text"}
        assert message in page.error_at("text")
        assert "open" in next(each for each in page.all("details") if each.all("#share-text")).attributes
        assert page.one("#stats") and page.one("#leaderboard")
        assert shared(page) == {OURS}
        assert records.one(Profile).share_text == ""

    def test_of_several_lines_counts_each_end_once(self, alice: Person, records):
        alice.sign_up()
        change(alice, "\r\n".join(["x" * 139, "y" * 140]))
        assert records.one(Profile).share_text == f"{'x' * 139}\n{'y' * 140}"
        assert shared(alice.get(HOME)) == {f"{'x' * 139}\n{'y' * 140}", f"{'x' * 139} {'y' * 140}"}

    def test_is_text_and_nothing_else(self, alice: Person):
        alice.sign_up()
        nasty = '"><script>alert(1)</script><a href="'
        page = alice.follow(change(alice, nasty))
        assert shared(page) == {nasty}
        assert not [script for script in page.all("script") if "src" not in script.attributes]

    def test_is_swapped_with_the_card_alone_for_htmx(self, alice: Person):
        alice.sign_up()
        fields = alice.filled_in(alice.get(HOME).form(FORM), text="Tea with friends!")
        part = {"HX-Request-Type": "partial"}
        answer = alice.client.post(FORM, data=fields, headers=part)
        assert answer.status_code == 200
        assert answer.text.lstrip().startswith('<section class="link-card"')
        assert 'data-share-text="Tea with friends!"' in answer.text
        answer = alice.client.post(FORM, data=fields | {"text": "x" * 281}, headers=part)
        assert answer.status_code == 422
        assert answer.text.lstrip().startswith('<section class="link-card"')
        assert 'aria-invalid="true"' in answer.text

    def test_is_seen_before_it_is_kept(self, alice: Person, records):
        alice.sign_up()
        fields = alice.filled_in(alice.get(HOME).form(FORM), text="Tea <with> friends!")
        answer = alice.client.post(PREVIEW, data=fields)
        assert "Tea &lt;with&gt; friends! http://localhost/" in answer.text
        assert answer.text.strip().startswith("<figure")
        assert alice.client.post(PREVIEW, data=fields | {"text": "x" * 281}).status_code == 204
        assert records.one(Profile).share_text == ""

    def test_is_forgotten_with_the_account_and_told_before(self, alice: Person, records):
        alice.sign_up()
        change(alice, "Tea with friends!")
        export = alice.file("/account/export").data
        assert b"everything.json" in export
        alice.delete_account()
        assert records.one(Profile).share_text == ""

    def test_needs_the_forms_token(self, alice: Person):
        alice.sign_up()
        for path in (FORM, PREVIEW):
            alice.post(path, {"text": "Tea with friends!"}, 400)


@pytest.mark.one_database
class TestPictures:
    @pytest.fixture(autouse=True)
    def anew(self) -> None:
        pictures.draw_invitation.cache_clear()
        pictures.draw_code.cache_clear()

    @pytest.fixture
    def written(self):
        """What is written into pictures."""
        found: list[str] = []
        with mock.patch.object(
            ImageDraw.ImageDraw,
            "text",
            autospec=True,
            side_effect=lambda _, place, text, *more, **options: found.append(text),
        ):
            yield found

    @pytest.mark.parametrize(
        ("path", "size"), [*zip(PICTURES, [(1080, 1080), (1080, 1920), (1400, 1540)], strict=True)]
    )
    def test_are_png_of_the_size_that_is_asked_for_and_kept_for_a_while(self, alice: Person, path: str, size):
        alice.sign_up()
        answer = alice.file(path)
        assert answer.mimetype == "image/png"
        assert answer.headers["Cache-Control"] == "private, max-age=600"
        picture = Image.open(io.BytesIO(answer.data))
        picture.load()
        assert picture.size == size

    @pytest.mark.parametrize("path", PICTURES)
    def test_have_the_members_link_as_a_code_and_to_be_read(self, alice: Person, path: str, written: list[str]):
        alice.sign_up()
        with mock.patch.object(segno, "make", wraps=segno.make) as made:
            alice.file(path)
        assert made.call_args.args == (f"{alice.link}?via=qr",)
        assert written[-1] == f"localhost/{alice.code}"

    @pytest.mark.parametrize("path", PICTURES[:2])
    def test_say_who_invites_and_what_there_is_to_get(
        self, app: Flask, alice: Person, clock: Clock, written, path: str
    ):
        with app.app_context():
            rules.change({"friend_amount": 25}, clock())
        alice.sign_up()
        alice.file(path)
        assert written[:-1] == ["ReferralHub", "alice", "invites you", "and gives you 25 points to start"]

    def test_leave_out_what_the_font_lacks(self, alice: Person, records, written: list[str]):
        alice.sign_up()
        records.change(lambda: setattr(user_named("alice"), "display_name", "長い名前"))
        alice.file(PICTURES[0])
        assert written[1] == "A friend"

    def test_are_not_drawn_for_the_dashboard(self, alice: Person):
        with mock.patch.object(Canvas, "__init__", side_effect=AssertionError):
            page = alice.arrive()
        offered = {each["href"] for each in page.all("a[download]")}
        assert offered == {*PICTURES, "/dashboard/qr.svg"}

    def test_are_drawn_so_often_and_no_more(self, alice: Person):
        alice.sign_up()
        statuses = [alice.client.get(PICTURES[0]).status_code for _ in range(21)]
        assert statuses == [200] * 20 + [429]

    @pytest.mark.parametrize("path", PICTURES)
    def test_are_for_members(self, visitor: Visitor, path: str):
        assert visitor.client.get(path).location.startswith("/login")
