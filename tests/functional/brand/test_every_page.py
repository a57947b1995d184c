"""With a brand set, visitors, friends and members meet no other name: on no page, in no mail, in no picture.

Nor do those who read it in German, or in the made-up language, in which what is cut off or pieced together stands out.
"""

import html
from collections.abc import Iterator
from email.message import EmailMessage
from unittest import mock

import pytest
from flask import Flask
from PIL import ImageDraw
from werkzeug.test import TestResponse

from referralhub import languages
from referralhub.dashboard import pictures
from referralhub.extensions import db
from referralhub.landing.picture import draw as picture_of
from referralhub.models import Channel, MessageKind, Profile
from referralhub.pseudo import pseudo
from referralhub.services.accounts import avatars, totp
from referralhub.services.program import rules
from tests.factories import befriend
from tests.functional.mailing.test_mail import PAYLOADS, invite_and_claim
from tests.pages import Visitor
from tests.people import Person, PostOffice, path_of, user_named
from tests.pictures import picture

OURS = "referralhub"
NAME = "Tomato Club"
CRAWLER = {"User-Agent": "WhatsApp/2.23"}
# Where the former names of a brand are a part of what happened, for admins alone.
HISTORY = {"/admin/brand/", "/admin/audit/"}


@pytest.fixture
def app(lend_app) -> Flask:
    """These are more requests than a person sends."""
    return lend_app(ratelimit_enabled=False)


@pytest.fixture(autouse=True)
def tomato(run) -> None:
    run("brand", "set", "name", NAME)


def asked(app: Flask, visitor: Visitor, code: str, methods: str = "GET") -> Iterator[TestResponse]:
    """Ask for every route there is, signing out last; what a form lacks is said on its page."""
    values = {"code": code, "filename": "css/app.css", "token": "nonsense", "step": "hold", "which": "monthly"}
    values |= {"decision": "confirm", "accent": "e5342b", "digest": "0" * 64, "extension": "svg", "icon": "icon-192"}
    site = app.url_map.bind("localhost")
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule == "/logout"):
        for method in sorted((rule.methods or set()) & {methods}):
            path = site.build(rule.endpoint, {name: values.get(name, 1) for name in rule.arguments}, method)
            page = visitor.client.get("/privacy" if "/login" not in rule.rule else "/login")
            token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
            with visitor.client.open(
                path, method=method, data={"csrf_token": token} if methods == "POST" else None
            ) as it:
                yield it


def named(answers: Iterator[TestResponse]) -> tuple[list[str], int]:
    """Return which answers have our name in them, and how many have the brand's."""
    ours, theirs = [], 0
    for each in answers:
        if each.mimetype.startswith(
            ("text/html", "text/plain", "image/svg", "application/json", "application/manifest")
        ):
            said = html.unescape(each.get_data(as_text=True))
            theirs += NAME in said
            if OURS in said.lower() and each.request.path not in HISTORY:
                ours.append(f"{each.request.method} {each.request.path}: {each.status}")
    return ours, theirs


def spoken(answers: Iterator[TestResponse], language: str) -> Iterator[TestResponse]:
    """Look whether each page is in the language that was asked for."""
    for each in answers:
        if each.mimetype == "text/html" and "<html" in each.text and not each.location:
            assert f'<html lang="{language}"' in each.text
        yield each


@pytest.fixture
def language() -> str:
    """What everybody's browser asks for."""
    return "en"


@pytest.fixture
def people(
    app: Flask, post_office: PostOffice, alice: Person, bob: Person, admin: Person, language: str
) -> dict[str, Visitor]:
    for person in (alice, bob, admin):
        person.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    alice.sign_up()
    bob.click(alice.link)
    bob.sign_up()
    bob.confirm_address()
    friend, visitor = (Visitor(app, HTTP_ACCEPT_LANGUAGE=language) for _ in range(2))
    friend.get(path_of(alice.link), 302)
    return {"visitor": visitor, "friend": friend, "member": alice, "admin": admin}


@pytest.fixture
def personal(app: Flask, people, records, clock) -> None:
    """Links lead to a page in the name of Alice, who has a picture and says something."""
    with app.app_context():
        rules.change(rules.PRESETS["airbnb"], clock())
        avatars.put_up(1, avatars.clean(picture()), clock())
    records.change(lambda: setattr(db.session.get(Profile, 1), "greeting", "…"))
    clock.advance(seconds=6)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("who", ["friend", "member"])
def test_every_page_of_a_program_with_one_in_the_referrers_name(
    app: Flask, people, personal, alice: Person, who: str, method: str
):
    ours, theirs = named(asked(app, people[who], alice.code, method))
    assert ours == []
    assert theirs > 10


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("who", ["visitor", "friend", "member"])
def test_every_page_has_the_brand_and_no_other(app: Flask, people, alice: Person, who: str, method: str):
    ours, theirs = named(asked(app, people[who], alice.code, method))
    assert ours == []
    assert theirs > 10


def test_the_panel_has_the_brand_and_no_other(app: Flask, people, alice: Person):
    answers = (each for each in asked(app, people["admin"], alice.code) if each.request.path.startswith("/admin"))
    ours, theirs = named(each for each in answers if not each.request.path.startswith("/admin/program"))
    assert ours == []  # what the program's page says of presets is their name
    assert theirs > 10


def test_what_is_shared(app: Flask, alice: Person, people):
    page = Visitor(app).client.get(path_of(alice.link), headers=CRAWLER)
    assert f'property="og:site_name" content="{NAME}"' in page.text
    assert f"alice invites you to {NAME}" in page.text
    assert OURS not in page.text.lower()


@pytest.fixture
def drawn() -> Iterator[list[str]]:
    """What is written into pictures."""
    written: list[str] = []
    for kept in (picture_of, pictures.draw_invitation, pictures.draw_code):
        kept.cache_clear()
    with mock.patch.object(
        ImageDraw.ImageDraw,
        "text",
        autospec=True,
        side_effect=lambda _, place, text, *more, **options: written.append(text),
    ):
        yield written


def test_what_is_drawn(alice: Person, people, drawn: list[str]):
    picture = people["visitor"].file(f"{path_of(alice.link)}picture.png")
    assert picture.mimetype == "image/png"
    assert drawn == [NAME, "alice", "invites you", ""]


@pytest.mark.parametrize("file", ["picture/square.png", "picture/tall.png"])
def test_what_is_drawn_to_be_posted(alice: Person, people, drawn: list[str], file: str):
    alice.file(f"/dashboard/{file}")
    assert drawn == [NAME, "alice", "invites you", "", f"localhost/{alice.code}"]


def test_no_boxes_are_drawn_for_letters_that_the_font_lacks(alice: Person, people, drawn: list[str], run, records):
    run("brand", "set", "name", "東京クラブ")
    records.change(lambda: setattr(user_named("alice"), "display_name", "長い名前"))
    people["visitor"].file(f"{path_of(alice.link)}picture.png")
    assert drawn == ["A friend", "invites you", ""]


def test_codes_to_be_scanned(app: Flask, alice: Person, people):
    assert f"<title>{NAME}</title>" in alice.file("/dashboard/qr.svg").text
    with mock.patch.object(totp, "address", wraps=totp.address) as address:
        alice.get("/account/two-factor")
    assert address.call_args.args[2] == NAME


def test_what_a_phone_shares(alice: Person, people):
    page = alice.get("/dashboard/")
    links = [each["href"] for each in page.all("a[data-channel]")]
    assert len(links) == len(set(Channel) & {Channel(each["data-channel"]) for each in page.all("a[data-channel]")})
    assert any("Tomato%20Club" in each for each in links)
    assert OURS not in " ".join(links).lower()


@pytest.mark.parametrize("kind", MessageKind)
def test_every_mail_has_the_brand_and_no_other(app: Flask, queue, records, clock, kind: MessageKind):
    befriend(app, "alice", 1, clock())
    records.change(lambda: invite_and_claim(clock))
    assert_named(the_mail(app, queue, kind))


def the_mail(app: Flask, queue, kind: MessageKind) -> EmailMessage:
    """Write and deliver one of a kind."""
    payload = PAYLOADS[kind]
    queue("one", kind=kind, **payload)
    post_office = PostOffice(app)
    post_office.deliver()
    (letter,) = post_office.letters(str(payload.get("address", "alice@example.com")))
    return letter


def assert_named(letter: EmailMessage) -> None:
    """All parts of a mail have the brand's name, and none ours."""
    assert NAME in letter["From"]
    for part in letter.walk():
        if not part.is_multipart():
            said = html.unescape(part.get_content())
            assert NAME in said
            assert OURS not in said.lower()
    assert OURS not in str(letter["Subject"]).lower()


def test_what_goes_wrong(app: Flask, visitor: Visitor):
    for path, status in (("/nothing", 404), ("/account/unsubscribe/x", 400), ("/admin/", 404)):
        page = visitor.get(path, status)
        assert NAME in page.text
        assert OURS not in page.text.lower()
    with mock.patch.dict(app.view_functions, {"landing.privacy": lambda: 1 / 0}):
        page = visitor.client.get("/privacy")
    assert page.status_code == 500
    assert NAME in page.text
    assert OURS not in page.text.lower()


@pytest.mark.one_database
@pytest.mark.parametrize("language", ["de", languages.PSEUDO])
class TestInAnotherLanguage:
    @pytest.mark.parametrize("who", ["visitor", "friend", "member", "admin"])
    def test_every_page(self, app: Flask, people, alice: Person, who: str, language: str):
        for method in ("GET",) if who == "admin" else ("GET", "POST"):
            answers = asked(app, people[who], alice.code, method)
            shown = (each for each in answers if who != "admin" or not each.request.path.startswith("/admin/program"))
            ours, theirs = named(spoken(shown, language))
            assert ours == []
            assert theirs > 10

    def test_the_page_in_the_referrers_name(self, people, personal, alice: Person, language: str):
        friend = people["friend"]
        page = friend.get("/join")
        assert page.one("html")["lang"] == language
        invites = {"de": f"alice lädt dich zu {NAME} ein"}.get(language) or pseudo(
            "%(name)s invites you to %(brand)s"
        ) % {"name": "alice", "brand": NAME}
        assert page.one("h1").text == invites
        assert OURS not in page.text.lower()

    @pytest.mark.parametrize("kind", MessageKind)
    def test_every_mail(self, app: Flask, queue, records, clock, kind: MessageKind, language: str):
        befriend(app, "alice", 1, clock())
        records.change(lambda: setattr(user_named("alice"), "language", language))
        records.change(lambda: invite_and_claim(clock))
        letter = the_mail(app, queue, kind)
        assert f'<html lang="{language}"' in letter.get_body(("html",)).get_content()
        assert_named(letter)

    def test_what_is_drawn(self, alice: Person, people, language: str, drawn: list[str], records, clock):
        euros = rules.PRESETS["paypal"] | {"currency": "EUR", "friend_amount": 500}
        records.change(lambda: rules.change(euros, clock()))
        people["visitor"].file(f"{path_of(alice.link)}picture.png")
        said = {
            "de": ["lädt dich ein", "und schenkt dir 5,00\xa0€ zum Start"],
            languages.PSEUDO: [
                pseudo("invites you"), pseudo("and gives you %(amount)s to start") % {"amount": "€5.00"}
            ],
        }  # fmt: skip
        assert drawn == [NAME, "alice", *said[language]]
