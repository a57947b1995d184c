"""A member's picture and greeting to friends: put up, taken down, removed by an admin, and gone with the member."""

import io
import json
import zipfile

import pytest
from flask import Flask

from referralhub.extensions import db
from referralhub.models import AuditLine, Avatar, Profile, Role, User
from referralhub.services.accounts import avatars, erasure
from referralhub.services.program import rules
from referralhub.words.referrals import FORMER_MEMBER
from tests.archives import command, elsewhere
from tests.pages import Element, Page, Visitor
from tests.people import Clock, Person, all_at_once, path_of
from tests.pictures import animation, bomb, decoded, encoded, face, picture

__all__ = ["elsewhere"]  # a fixture

PROFILE, PICTURE = "/account/profile", "/account/picture"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script></svg>'
GREETING = "Come along, it is lovely here!"


@pytest.fixture
def personal(app: Flask, clock: Clock) -> None:
    """Links lead to a page in the referrer's name."""
    with app.app_context():
        rules.change({"personal_landing": True}, clock())


@pytest.fixture
def member(personal: None, alice: Person) -> Person:
    alice.sign_up()
    return alice


def show_oneself(person: Person, file: bytes = picture(), expect: int = 303, name: str = "me.png") -> Page:
    form = person.get(PROFILE).form(PICTURE)
    return person.upload(form, expect, name, picture=file)


def say(person: Person, greeting: str, expect: int = 303) -> Page:
    return person.submit(person.get(PROFILE).form(PROFILE), expect, greeting=greeting)


def in_menu(page: Page) -> Element:
    return page.one('details[class="menu"]').one("summary")


def address_of(person: Person) -> str:
    return in_menu(person.get(PROFILE)).one("img")["src"]


class TestAPicture:
    def test_it_is_put_up_seen_and_taken_down(self, member: Person, records):
        assert in_menu(member.get("/dashboard/")).text == "a"
        page = member.follow(show_oneself(member, encoded(face(), "JPEG")))
        assert "That is your picture now" in page.text
        (shown,) = {each["src"] for each in page.all("img") if "brand/avatar" in each["src"]}
        image = decoded(member.file(shown).data)
        assert (image.format, image.size) == ("WEBP", (256, 256))
        kept = records.one(Avatar)
        assert (kept.profile_id, shown) == (1, f"/brand/avatar/{kept.digest}.webp")

        show_oneself(member, picture(mode="L"))
        assert address_of(member) != shown
        member.get(shown, 404)  # nobody has this one any more
        again = address_of(member)

        form = member.get(PROFILE).form(PICTURE)
        token = form.one('[name="csrf_token"]')["value"]
        assert form.one("[formaction]")["formaction"] == f"{PICTURE}/remove"
        member.post(f"{PICTURE}/remove", {"csrf_token": token}, 303)
        assert records.all(Avatar) == []
        member.get(again, 404)
        assert in_menu(member.get("/dashboard/")).text == "a"
        assert not member.get(PROFILE).all("[formaction]")

    @pytest.mark.one_database
    def test_whoever_sees_the_page_may_load_it_and_keep_it(self, app: Flask, member: Person):
        show_oneself(member)
        address = address_of(member)
        answer = Visitor(app).client.get(address)
        assert answer.mimetype == "image/webp"
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Set-Cookie" not in answer.headers
        fresh = Visitor(app).client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert (fresh.status_code, fresh.data) == (304, b"")
        for wrong in (f"/brand/avatar/{'0' * 64}.webp", address.upper(), address.replace(".webp", ".png")):
            Visitor(app).get(wrong, 404)

    @pytest.mark.one_database
    def test_it_is_there_while_redis_is_away(self, member: Person, valkey):
        show_oneself(member)
        address = address_of(member)
        with valkey.away():
            assert member.file(address).status_code == 200

    @pytest.mark.one_database
    @pytest.mark.parametrize(
        ("file", "name", "said"),
        [
            (b"", "", "Choose a file"),
            (SVG, "me.png", "no PNG, JPEG or WebP"),
            (animation("GIF"), "me.png", "no PNG, JPEG or WebP"),
            (bomb(30_000, 30_000), "me.png", "30,000 by 30,000 pixels"),
            (picture()[:50], "me.png", "damaged"),
            (encoded(face(), "JPEG")[:1500], "me.jpg", "damaged"),
            (encoded(face(), "WEBP")[:300], "me.webp", "damaged"),
            (b"\x89PNG\r\n\x1a\n" + bytes(2 * 1024 * 1024), "me.png", "at most 2 MB"),
            (b"\x89PNG\r\n\x1a\n" + bytes(3 * 1024 * 1024), "me.png", "at most 2 MB"),
        ],
        ids=lambda value: len(value) if isinstance(value, bytes) else value,
    )
    def test_a_file_that_is_none_is_refused_at_the_field(
        self, member: Person, records, file: bytes, name: str, said: str
    ):
        show_oneself(member)
        before = records.everything()
        page = show_oneself(member, file, 422, name)
        assert said in page.error_at("picture")
        assert page.form(PROFILE).one('[name="username"]')["value"] == "alice"
        assert page.wrong_fields == {"picture"}
        assert records.everything() == before

    @pytest.mark.one_database
    def test_more_than_the_form_takes_is_refused_unread(self, member: Person, records):
        page = show_oneself(member, bytes(5 * 1024 * 1024), 413)
        assert "Send a smaller form or file" in page.text
        assert records.all(Avatar) == []

    @pytest.mark.one_database
    def test_no_other_form_takes_so_much(self, member: Person):
        form = member.get(PROFILE).form(PROFILE)
        member.post(PROFILE, member.filled_in(form) | {"greeting": "x" * 1_100_000}, 413)
        member.post("/account/pictures", {"x": "x" * 200}, 404)

    @pytest.mark.one_database
    def test_thirty_an_hour_are_enough_for_anybody(self, member: Person):
        form = member.get(PROFILE).form(PICTURE)
        for _ in range(30):
            member.upload(form, 422, picture=b"")
        page = member.upload(form, 429, picture=picture())
        assert "too often" in page.text

    @pytest.mark.one_database
    def test_it_takes_a_sign_in_and_a_token(self, member: Person, visitor: Visitor, records):
        data = {"picture": (io.BytesIO(picture()), "me.png")}
        assert member.client.post(PICTURE, data=data).status_code == 400
        data = {"picture": (io.BytesIO(picture()), "me.png")}
        token = visitor.get("/login").form("/login").one('[name="csrf_token"]')["value"]
        assert visitor.client.post(PICTURE, data=data | {"csrf_token": token}).location.startswith("/login")
        assert records.all(Avatar) == []

    def test_two_at_once_leave_one_of_them(self, member: Person, records):
        browsers = [member.in_another_browser() for _ in range(4)]
        for each in browsers:
            each.sign_in()
        forms = [each.get(PROFILE).form(PICTURE) for each in browsers]
        files = [picture(size=(10 + number, 20)) for number in range(4)]
        all_at_once(
            [
                lambda each=each, form=form, file=file: each.upload(form, picture=file)
                for each, form, file in zip(browsers, forms, files, strict=True)
            ]
        )
        assert records.one(Avatar).content in {avatars.clean(file) for file in files}

    @pytest.mark.one_database
    def test_each_page_finds_it_in_the_query_that_finds_the_member(self, member: Person, count_queries):
        def cost() -> int:
            with count_queries() as statements:
                member.get("/dashboard/referrals")
            return len(statements)

        member.get("/dashboard/referrals")
        before = cost()
        show_oneself(member)
        member.get("/dashboard/referrals")
        assert cost() == before

    def test_a_kept_page_shows_the_new_one(self, member: Person):
        for _ in range(3):
            member.get("/dashboard/")
        show_oneself(member)
        member.get("/account/profile")  # which takes the notice
        shown = in_menu(member.get("/dashboard/")).one("img")["src"]
        for _ in range(2):
            assert in_menu(member.get("/dashboard/")).one("img")["src"] == shown
        member.post(f"{PICTURE}/remove", _token(member), 303)
        member.get("/account/profile")
        assert in_menu(member.get("/dashboard/")).text == "a"


def _token(person: Person) -> dict[str, str]:
    return {"csrf_token": person.get("/privacy").all('[name="csrf_token"]')[0]["value"]}


class TestALine:
    def test_it_is_kept_as_it_was_typed(self, member: Person, records):
        for typed in (
            "Hi! <b>5 €</b> & more 👩‍👩‍👧, e.g. “tea”, at 5.30pm…",
            "Servus. Schön, dass du da bist",
            "你好。来吧",
        ):
            say(member, f"  {typed} ")
            assert records.one(Profile).greeting == typed
            assert member.get(PROFILE).one('[name="greeting"]')["value"] == typed
        say(member, "")
        assert records.one(Profile).greeting == ""

    @pytest.mark.one_database
    @pytest.mark.parametrize(
        "typed",
        [
            "look at http://evil.example/x", "HTTPS://evil.example", "ftp://x", "www.evil", "www2.evil", "evil.com",
            "bit.ly/abc", "at Evil.Co.UK!", "write to me@evil.com", "пример.рф", "ｅｖｉｌ．ｃｏｍ",
            "xn--80ak6aa92e.com", "192.0.2.1/login", "(evil.com)", "evil.com。", "http:／／evil", "hello.World",
        ],
    )  # fmt: skip
    def test_a_web_address_is_refused(self, member: Person, records, typed: str):
        page = say(member, typed, 422)
        assert "Leave out web addresses" in page.error_at("greeting")
        assert page.one('[name="greeting"]')["value"] == typed
        assert records.one(Profile).greeting == ""

    @pytest.mark.one_database
    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("x" * 141, "at most 140"),
            ("a." * 100_000, "at most 140"),
            ("one\ntwo", "control character"),
            ("one\x00two", "control character"),
            ("turned \u202earound", "invisible"),
            ("hid\u200bden", "invisible"),
            ("line\u2028line", "invisible"),
            ("z" + "\u0301" * 30, "accents"),
        ],
    )
    def test_what_is_no_line_is_refused(self, member: Person, records, typed: str, said: str):
        assert said in say(member, typed, 422).error_at("greeting")
        assert records.one(Profile).greeting == ""

    def test_a_hundred_and_forty_characters_of_any_kind_fit(self, member: Person, records):
        say(member, "🍅" * 140)
        assert records.one(Profile).greeting == "🍅" * 140

    @pytest.mark.one_database
    def test_where_nobody_would_read_it_it_is_not_asked_for_and_kept(
        self, app: Flask, member: Person, clock: Clock, records
    ):
        say(member, GREETING)
        with app.app_context():
            rules.change({"personal_landing": False}, clock())
        clock.advance(seconds=6)
        form = member.get(PROFILE).form(PROFILE)
        assert not form.all('[name="greeting"]')
        member.submit(form, display_name="Alice L.")
        assert records.one(Profile).greeting == GREETING


class TestAnAdmin:
    def remove(self, admin: Person, expect: int = 303, reason: str = "not a picture of hers") -> Page:
        form = admin.get("/admin/members/2/").form("/admin/members/2/profile")
        return admin.submit(form, expect, **{"profile-reason": reason})

    def test_removes_both_for_a_reason(self, personal, admin: Person, alice: Person, bob: Person, records):
        alice.sign_up()
        page = admin.get("/admin/members/2/")
        assert not page.all('form[action="/admin/members/2/profile"]')
        show_oneself(alice)
        say(alice, GREETING)
        link, address = path_of(alice.link), address_of(alice)
        page = admin.get("/admin/members/2/")
        assert address in {each["src"] for each in page.all("img")}
        assert GREETING in page.text

        assert self.remove(admin, 422, reason="").error_at("profile-reason")
        form = admin.get("/admin/members/2/").form("/admin/members/2/profile")
        self.remove(admin)
        assert (records.all(Avatar), records.one(Profile, id=2).greeting) == ([], "")
        alice.get(address, 404)
        assert in_menu(alice.get("/dashboard/")).text == "a"
        page = bob.click(link)
        assert page.one("h1").text.startswith("alice invites you")
        assert GREETING not in page.text

        admin.submit(form, **{"profile-reason": "not a picture of hers"})  # the second click
        (line,) = [each for each in records.all(AuditLine) if each.role is Role.ADMIN]
        assert (line.action, line.subject, line.subject_id, line.actor_id) == ("member.clear_profile", "member", 2, 1)
        assert (line.before, line.after) == (
            {"avatar": True, "greeting": True}, {"avatar": False, "greeting": False}
        )  # fmt: skip
        assert line.reason == "not a picture of hers"
        assert "not a picture of hers" in admin.get("/admin/audit/").text

    def test_removes_what_there_is(self, personal, admin: Person, alice: Person, records):
        alice.sign_up()
        say(alice, GREETING)
        self.remove(admin)
        (line,) = [each for each in records.all(AuditLine) if each.role is Role.ADMIN]
        assert (line.before, line.after) == ({"greeting": True}, {"greeting": False})

    @pytest.mark.one_database
    def test_nobody_else_does(self, personal, admin: Person, alice: Person, bob: Person, records):
        alice.sign_up()
        bob.sign_up()
        show_oneself(alice)
        bob.post("/admin/members/2/profile", _token(bob) | {"profile-reason": "envy"}, 404)
        assert records.one(Avatar).profile_id == 2


class TestWhoLeaves:
    def test_takes_both_along_and_leaves_neither(self, member: Person, records):
        show_oneself(member)
        say(member, GREETING)
        address, kept = address_of(member), records.one(Avatar)
        with zipfile.ZipFile(io.BytesIO(member.file("/account/export").data)) as pack:
            assert pack.read("avatar.webp") == kept.content
            whole = json.loads(pack.read("everything.json"))
        assert whole["account"][0]["greeting"] == GREETING
        assert [each["digest"] for each in whole["avatar"]] == [kept.digest]

        member.delete_account()
        assert (records.all(Avatar), records.one(Profile).greeting) == ([], "")
        Visitor(member.client.application).get(address, 404)

    @pytest.mark.one_database
    def test_who_shows_nothing_has_no_such_file(self, member: Person):
        with zipfile.ZipFile(io.BytesIO(member.file("/account/export").data)) as pack:
            assert "avatar.webp" not in pack.namelist()
            assert json.loads(pack.read("everything.json"))["avatar"] == []

    def test_a_picture_that_comes_after_the_end_is_not_kept(self, app: Flask, member: Person, clock: Clock, records):
        avatar = avatars.clean(picture())
        with app.app_context():
            erasure.erase(1, FORMER_MEMBER, clock())
            avatars.put_up(1, avatar, clock())
        assert records.all(Avatar) == []

    def test_who_is_switched_off_keeps_theirs(self, app: Flask, member: Person, records):
        show_oneself(member)
        records.change(lambda: setattr(db.session.get(User, 1), "is_active", False))
        assert len(records.all(Avatar)) == 1


@pytest.mark.one_database
def test_the_archive_moves_both(app: Flask, member: Person, elsewhere: Flask, records, tmp_path):
    show_oneself(member)
    say(member, GREETING)
    file = str(tmp_path / "all.zip")
    command(app, "export", file)
    command(elsewhere, "import", file)
    with elsewhere.app_context():
        moved = db.session.scalars(db.select(Avatar)).one()
        assert (moved.profile_id, moved.content) == (1, records.one(Avatar).content)
        assert db.session.scalars(db.select(Profile.greeting)).one() == GREETING
