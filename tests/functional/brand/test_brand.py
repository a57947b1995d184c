"""The brand: set on the command line and in the panel, in versions, on record, and moved with everything else."""

import io
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image

from referralhub.extensions import db
from referralhub.models import AuditLine, Brand, Logo, Role
from referralhub.services.accounts import passwords
from referralhub.services.brand import versions
from referralhub.services.program import rules
from referralhub.services.shared.errors import WeakPassword
from referralhub.words.dates import minute
from tests.conftest import extra_database
from tests.pages import Page, Visitor
from tests.people import Clock, Person, PostOffice, text_of

HERE, PREVIEW, LOGO, REMOVE = "/admin/brand/", "/admin/brand/preview", "/admin/brand/logo", "/admin/brand/logo/remove"
TOMATO = {
    "name": "Tomato Club", "accent": "#e5342b", "headline": "Ripe friends only", "support_email": "help@tomato.example",
    "sender_name": "Tom of Tomato", "terms_url": "https://tomato.example/terms",
    "privacy_url": "https://tomato.example/privacy",
}  # fmt: skip
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10" onload="x()"><path d="M0 0h9v9z"/></svg>'
WRONG = [
    ("name", "", "1 to 40"), ("name", "x" * 41, "1 to 40"), ("name", "\u200b", "invisible"), ("name", "…", "letter"),
    ("accent", "red", "#e5342b"), ("accent", "#12345", "#e5342b"), ("support_email", "help", "mail address"),
    ("support_email", "a" * 250 + "@x.example", "1 to 254"), ("terms_url", "ftp://x.example/terms", "whole address"),
    ("terms_url", "/terms", "whole address"), ("privacy_url", "https://a b", "whole address"),
    ("privacy_url", 'https://x.example/"><script>', "whole address"), ("terms_url", "https://me@x.example", "whole"),
    ("terms_url", "http://[", "whole address"), ("headline", "x" * 121, "1 to 120"), ("sender_name", "x" * 81, "80"),
]  # fmt: skip


def png(size: tuple[int, int] = (60, 20)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def tomato(run, tmp_path: Path) -> None:
    for key, value in TOMATO.items():
        run("brand", "set", key, value)
    (tmp_path / "logo.png").write_bytes(png())
    run("brand", "set", "logo", str(tmp_path / "logo.png"))


@pytest.fixture
def logged(records):
    return lambda: [(each.role, each.action, each.before, each.after) for each in records.all(AuditLine)]


class TestOnTheCommandLine:
    def test_it_begins_as_it_is(self, ask):
        nothing = dict.fromkeys(("support_email", "terms_url", "privacy_url", "sender_name", "headline", "logo"))
        assert ask("brand", "show") == {"version": 1, "name": "ReferralHub", "accent": "#9333ea"} | nothing

    def test_each_change_is_a_version_and_on_record(self, ask, run, records, logged):
        for number, (key, value) in enumerate(TOMATO.items(), 2):
            answer = ask("brand", "set", key, value)
            assert (answer["version"], answer[key], answer["changed"]) == (number, value, True)
        assert [row.version for row in records.all(Brand)] == list(range(1, 9))
        assert logged()[0] == (Role.OPERATOR, "brand.change", {"name": "ReferralHub"}, {"name": "Tomato Club"})
        assert len(logged()) == 7
        assert "Tom of Tomato" in run("brand", "show").output

    def test_what_is_in_force_makes_no_new_version(self, ask, run, records):
        run("brand", "set", "accent", "E5342B")
        answer = ask("brand", "set", "accent", "#e5342b")
        assert (answer["version"], answer["changed"]) == (2, False)
        assert len(records.all(Brand)) == 2

    @pytest.mark.parametrize("key", [*sorted(TOMATO.keys() - {"name"}), "logo"])
    @pytest.mark.parametrize("nothing", ["none", ""])
    def test_what_can_be_left_out_is_cleared(self, ask, tomato, key: str, nothing: str):
        assert ask("brand", "set", key, nothing)[key] == ("#9333ea" if key == "accent" else None)

    @pytest.mark.parametrize(("key", "value", "words"), [*WRONG, ("terms_url", "javascript:alert(1)", "whole address")])
    def test_what_cannot_be_is_refused(self, run, records, key: str, value: str, words: str):
        if (key, value) == ("name", "") or value:
            assert words in run("brand", "set", key, value, expect=1).output
        assert len(records.all(Brand)) == 1

    def test_another_key_is_refused_with_those_there_are(self, run):
        assert "name, accent, support_email" in run("brand", "set", "colour", "red", expect=1).output

    def test_a_logo_is_a_file_of_which_it_is_said_what_was_taken_out(self, ask, run, tmp_path: Path, records):
        (tmp_path / "logo.svg").write_bytes(SVG)
        answer = ask("brand", "set", "logo", str(tmp_path / "logo.svg"))
        assert answer["removed"] == ["onload"]
        assert records.one(Logo).digest == answer["logo"]
        assert ask("brand", "set", "logo", str(tmp_path / "logo.svg"))["changed"] is False
        assert "No such file" in run("brand", "set", "logo", str(tmp_path / "none.svg"), expect=2).output
        assert "Is a directory" in run("brand", "set", "logo", str(tmp_path), expect=2).output
        (tmp_path / "logo.svg").write_bytes(b"GIF89a")
        assert "neither a PNG nor an SVG" in run("brand", "set", "logo", str(tmp_path / "logo.svg"), expect=1).output

    def test_it_moves_with_everything_else(self, ask, run, tomato, tmp_path, request, make_app, database, app: Flask):
        run("export", str(tmp_path / "all.zip"))
        before = ask("brand", "show")
        with extra_database(database, tmp_path, request, migrated=True) as url:
            other = make_app(database_url=url)
            result = other.test_cli_runner().invoke(args=["import", str(tmp_path / "all.zip")])
            assert result.exit_code == 0, result.output
            again = other.test_cli_runner().invoke(args=["import", str(tmp_path / "all.zip")])
            assert "here already" in again.output
            with other.app_context():
                brand, logo = (
                    db.session.scalars(db.select(each).order_by(each.id.desc())).first() for each in (Brand, Logo)
                )
                assert (brand.version, brand.name, logo.digest) == (9, "Tomato Club", before["logo"])
                assert logo.content.startswith(b"\x89PNG")
                db.session.close()
                db.engine.dispose()


class TestInThePanel:
    def send(self, admin: Person, action: str = HERE, expect: int = 303, **values: str) -> Page:
        form = admin.get(HERE).form(HERE)
        return admin.post(action, admin.filled_in(form, **values), expect)

    def upload(self, admin: Person, content: bytes, expect: int = 303) -> Page:
        form = admin.get(HERE).form(LOGO)
        data = {"csrf_token": form.one('[name="csrf_token"]')["value"], "logo": (io.BytesIO(content), "x")}
        return admin.post(LOGO, data, expect)

    def test_it_is_changed_seen_at_once_and_on_record(self, admin: Person, records, logged):
        done = admin.follow(self.send(admin, **TOMATO))
        assert "Version 2 is in force" in done.text
        assert done.one("[data-version]")["data-version"] == "2"
        assert "Tomato Club" in done.one("title").text
        assert "Name: ReferralHub → Tomato Club" in done.one('tr[data-history="2"]').text
        assert records.all(Brand)[1].headline == "Ripe friends only"
        (line,) = [each for each in logged() if each[1] == "brand.change"]
        assert line[0] is Role.ADMIN
        assert line[3] == TOMATO

    def test_its_history_is_told_in_the_program_s_time_and_the_reader_s_language(
        self, app: Flask, admin: Person, clock
    ):
        with app.app_context():
            rules.change({"timezone": "Pacific/Auckland"}, clock())
            versions.put_in_force(TOMATO, clock())
        row = admin.get(HERE, headers={"Accept-Language": "de"}).one('tr[data-history="2"]')
        since, who, _ = (cell.text for cell in row.all("td"))
        with app.test_request_context():
            assert since == minute(clock()) != f"{clock():%Y-%m-%d %H:%M}"
        assert who == "Betrieb"

    def test_a_preview_writes_nothing(self, admin: Person, records):
        before = records.everything()
        page = self.send(admin, PREVIEW, 200, **TOMATO)
        sample = page.one("#brand-sample")
        assert sample["data-accent"] == "#e5342b"
        assert "Ripe friends only" in sample.text
        assert page.form(HERE).one('[name="name"]')["value"] == "Tomato Club"
        assert "Tomato" not in page.one("title").text
        assert records.everything() == before

    def test_htmx_gets_the_sample_alone(self, admin: Person):
        form = admin.get(HERE).form(HERE)
        assert (form["data-hx-post"], form["data-hx-target"]) == (PREVIEW, "#brand-sample")
        values = admin.filled_in(form, **TOMATO)
        answer = admin.client.post(PREVIEW, data=values, headers={"HX-Request-Type": "partial"})
        assert answer.status_code == 200
        assert answer.text.lstrip().startswith("<div") and "<html" not in answer.text
        assert "sample-e5342b" in answer.text

    def test_the_samples_colours_are_those_of_the_accent(self, admin: Person):
        page = self.send(admin, PREVIEW, 200, **TOMATO)
        css = admin.file(page.one("#brand-sample").one("link")["href"])
        assert (css.status_code, css.mimetype) == (200, "text/css")
        assert ".sample-e5342b {" in css.text
        assert ":root" not in css.text

    @pytest.mark.parametrize(("key", "value", "words"), WRONG)
    @pytest.mark.parametrize("action", [HERE, PREVIEW])
    def test_what_cannot_be_is_said_at_its_field(
        self, admin: Person, records, action, key: str, value: str, words: str
    ):
        page = self.send(admin, action, 422, **{key: value})
        assert words in page.error_at(key)
        assert len(records.all(Brand)) == 1

    def test_another_admins_change_is_not_overwritten(self, admin: Person, run, records):
        form = admin.get(HERE).form(HERE)
        run("brand", "set", "name", "Potato Club")
        page = admin.submit(form, 422, name="Tomato Club")
        assert "Version 2 came in force" in page.text
        admin.submit(page.form(HERE), name="Tomato Club")
        assert [row.name for row in records.all(Brand)] == ["ReferralHub", "Potato Club", "Tomato Club"]

    def test_a_logo_is_put_up_shown_and_taken_down(self, admin: Person, app: Flask, records):
        page = admin.follow(self.upload(admin, SVG))
        assert "Taken out of the file: onload." in page.text
        image = page.all('[class="brand"]')[0].one("img")
        assert (image["width"], image["height"]) == ("56", "28")
        assert page.one('link[rel="icon"]')["href"] == image["src"]
        answer = Visitor(app).file(image["src"])
        assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
        assert answer.data == records.one(Logo).content
        page = admin.follow(admin.post(REMOVE, admin.filled_in(page.form(LOGO)), 303))
        assert page.all('[class="brand"]')[0].one("img")["src"].startswith("/static/img/mark.svg")
        assert [row.logo_id for row in records.all(Brand)] == [None, 1, None]
        assert Visitor(app).file(image["src"]).status_code == 200  # of pages that are open

    @pytest.mark.parametrize(("content", "words"), [(b"", "nothing in this file"), (b"GIF89a", "neither a PNG nor")])
    def test_a_file_that_is_no_logo_is_said_at_its_field(self, admin: Person, content: bytes, words: str):
        assert words in self.upload(admin, content, 422).error_at("logo")

    def test_without_a_file(self, admin: Person):
        assert "Choose a file" in admin.submit(admin.get(HERE).form(LOGO), 422).error_at("logo")


class TestItsFiles:
    @pytest.fixture
    def home(self, visitor: Visitor, tomato) -> Page:
        return visitor.get("/")

    def test_the_colours_come_after_the_style_sheet_and_are_kept_for_good(self, home: Page, visitor: Visitor):
        sheets = [link["href"] for link in home.all('link[rel="stylesheet"]')]
        assert [sheet.partition("?")[0] for sheet in sheets] == ["/static/css/app.css", "/brand/e5342b.css"]
        answer = visitor.file(sheets[1])
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["ETag"]
        again = visitor.client.get(sheets[1], headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304
        assert visitor.file("/brand/e5342b.css").headers["Cache-Control"] == "public, max-age=60"

    def test_a_logo_runs_nothing_and_is_kept_for_good(self, home: Page, visitor: Visitor):
        answer = visitor.file(home.one("header").one("img")["src"])
        assert answer.mimetype == "image/png"
        assert answer.headers.getlist("Content-Security-Policy") == ["default-src 'none'; sandbox"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"

    @pytest.mark.parametrize(
        "path", ["/brand/red.css", "/brand/E5342B.css", "/brand/e5342.svg", f"/brand/logo/{'0' * 64}.png",
                 "/brand/logo/x.svg", "/brand/e5342b/other.css"],
    )  # fmt: skip
    def test_there_is_nothing_else(self, visitor: Visitor, path: str):
        assert visitor.client.get(path).status_code == 404

    def test_without_a_brand_there_is_no_file_more_than_before(self, visitor: Visitor):
        page = visitor.get("/")
        assert len(page.all('link[rel="stylesheet"]')) == 1
        assert page.one("header").one("img")["src"].startswith("/static/img/mark.svg?v=")


class TestWhereItIsSeen:
    def test_mail_is_from_the_sender_and_answered_to_support(self, alice: Person, tomato, post_office: PostOffice):
        alice.sign_up()
        post_office.deliver()
        (letter,) = post_office.letters(alice.email)
        assert letter["From"] == "Tom of Tomato <no-reply@localhost>"
        assert letter["Reply-To"] == "help@tomato.example"
        assert "Questions? Write to help@tomato.example" in text_of(letter)
        page = letter.get_body(("html",)).get_content()
        assert "http://localhost/brand/logo/" in page
        assert "#d41e1a" in page

    def test_the_address_is_that_of_the_settings(self, make_app, run, clock: Clock):
        app = make_app(mail_url="file:?from=Old Name <hi@shop.example>")
        post_office = PostOffice(app)
        people = [Person(app, post_office, name) for name in ("dora", "emil")]
        people[0].sign_up()
        post_office.deliver()
        run("brand", "set", "sender_name", "Müller")
        clock.advance(seconds=6)
        people[1].sign_up()
        post_office.deliver()
        assert [post_office.letters(each.email)[0]["From"] for each in people] == [
            "Old Name <hi@shop.example>", "Müller <hi@shop.example>",
        ]  # fmt: skip

    def test_terms_privacy_and_support_are_where_people_look_for_them(self, visitor: Visitor, tomato):
        signup = visitor.get("/signup")
        for part in (signup.form("/signup"), signup.one("footer")):
            links = {link["href"] for link in part.all("a")}
            assert {TOMATO["terms_url"], TOMATO["privacy_url"]} <= links
        for page in (signup, visitor.get("/nothing", 404)):
            assert page.one("footer").all('a[href="mailto:help@tomato.example"]')
        assert visitor.get("/nothing", 404).one("main").all('a[href="mailto:help@tomato.example"]')

    def test_pages_are_compressed_as_before(self, visitor: Visitor, tomato):
        answer = visitor.client.get("/", headers={"Accept-Encoding": "br"})
        assert answer.headers["Content-Encoding"] == "br"

    def test_the_headline(self, visitor: Visitor, tomato):
        assert visitor.get("/").one("h1").text == "Ripe friends only"

    @pytest.mark.parametrize("password", ["Tomato Club", "tomatoclub1", "tomato club!!", "TomatoClub2026"])
    def test_no_password_is_the_name(self, bob: Person, tomato, password: str):
        assert "more than your name" in bob.fill_in_signup(422, password=password).error_at("password")
        with pytest.raises(WeakPassword):
            passwords.accept(password, "bob", "bob@example.com", "Tomato Club")
