"""What machines are told: search engines what to look at, networks how a page looks, phones how to install the site."""

import io
import json
import re
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import pytest
from flask import Flask
from PIL import Image

from referralhub.branding import icons
from tests.functional.brand.test_brand import SVG, png
from tests.pages import Page, Visitor
from tests.people import Person

pytestmark = pytest.mark.one_database
PUBLIC = ("/", "/leaderboard", "/signup", "/privacy")
FOREVER = "public, max-age=31536000, immutable"
LOC = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"
FILES = ("/robots.txt", "/llms.txt", "/sitemap.xml", "/manifest.webmanifest", "/picture.png", "/brand/icon-192.png")


def manifest(visitor: Visitor, page: str = "/") -> dict:
    """Read it where a page says that it is."""
    answer = visitor.file(visitor.get(page).one('link[rel="manifest"]')["href"])
    assert answer.mimetype == "application/manifest+json"
    assert answer.headers["Cache-Control"] == FOREVER
    return json.loads(answer.get_data())


def drawn(visitor: Visitor, address: str) -> Image.Image:
    answer = visitor.file(address)
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    return Image.open(io.BytesIO(answer.get_data()))


def of_og(page: Page) -> dict[str, str]:
    return {each["property"]: each["content"] for each in page.all("meta[property]")}


class TestSearchEngines:
    @pytest.fixture
    def robots(self, visitor: Visitor):
        """Whether somebody may look at a path, as Python's own reader has it: it knows no `$`."""
        text = visitor.file("/robots.txt").get_data(as_text=True)

        def allowed(agent: str, path: str) -> bool:
            groups = [group for group in text.split("\n\n") if f"User-agent: {agent}\n" in group] or [text]
            rules = re.findall(r"^(Allow|Disallow): (\S+)$", groups[0] if agent != "*" else text.split("\n\n")[1], re.M)
            matching = [
                (len(rule), kind == "Allow")
                for kind, rule in rules
                if re.match(re.escape(rule).replace(r"\$", "$"), path)
            ]
            return max(matching, default=(0, True))[1]

        return allowed

    @pytest.mark.parametrize(
        "path", [*PUBLIC, "/login", "/join?visit=x", "/leaderboard?period=week", "/static/css/app.css?v=x"]
    )
    def test_public_pages_may_be_looked_at(self, robots, path: str):
        assert robots("*", path)
        assert robots("Twitterbot", path)

    @pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/referrals", "/account/profile", "/admin/members/"])
    def test_nobodys_own_pages(self, robots, path: str):
        assert not robots("*", path)
        assert not robots("LinkedInBot", path)

    @pytest.mark.parametrize("path", ["/abcd1234/", "/abcd1234/picture.png", "/leaderboard1/", "/signup1234/"])
    def test_a_members_link_is_for_those_who_show_it_to_people_alone(self, robots, path: str):
        assert not robots("*", path)
        assert robots("Twitterbot", path)

    def test_python_reads_it_alike(self, visitor: Visitor):
        reader = RobotFileParser()
        reader.parse(visitor.file("/robots.txt").get_data(as_text=True).splitlines())
        assert not reader.can_fetch("Googlebot", "http://localhost/dashboard/")
        assert reader.can_fetch("Googlebot", "http://localhost/static/css/app.css")
        assert reader.can_fetch("Twitterbot", "http://localhost/abcd1234/")
        assert reader.site_maps() == ["http://localhost/sitemap.xml"]

    def test_the_sitemap_has_the_public_pages_and_they_call_themselves_so(self, visitor: Visitor):
        places = sitemap(visitor)
        assert [urlsplit(each).path for each in places] == list(PUBLIC)
        for each in places:
            page = visitor.get(urlsplit(each).path)
            assert page.one('link[rel="canonical"]')["href"] == of_og(page)["og:url"] == each
            assert not page.all('meta[name="robots"]')

    def test_the_operators_own_privacy_notice_is_not_ours_to_list(self, visitor: Visitor, run):
        run("brand", "set", "privacy_url", "https://tomato.example/privacy")
        assert "/privacy" not in {urlsplit(each).path for each in sitemap(visitor)}

    def test_no_two_public_pages_have_a_title_or_a_description_in_common(self, visitor: Visitor):
        pages = [visitor.get(path) for path in (*PUBLIC, "/login")]
        for told in (
            [p.one("title").text for p in pages],
            [p.one('meta[name="description"]')["content"] for p in pages],
        ):
            assert len(set(told)) == len(pages) and all(10 < len(each) < 160 for each in told)

    def test_a_period_of_the_leaderboard_is_the_same_page(self, visitor: Visitor):
        page = visitor.get("/leaderboard?period=week")
        assert page.one('link[rel="canonical"]')["href"] == "http://localhost/leaderboard"

    def test_members_pages_and_errors_are_not_to_be_found(self, visitor: Visitor, alice: Person):
        alice.sign_up()
        for page in (alice.get("/dashboard/"), alice.get("/account/profile"), visitor.get("/nothing", 404)):
            assert page.one('meta[name="robots"]')["content"] == "noindex"
            assert not page.all('link[rel="canonical"]') and not of_og(page)

    def test_public_pages_lead_to_each_other_by_links_with_words(self, visitor: Visitor):
        for path in PUBLIC:
            links = visitor.get(path).all("a[href]")
            assert all(each.text or each.all("img") for each in links)
            assert {"/leaderboard", "/login", "/privacy"} <= {each["href"] for each in links}


def sitemap(visitor: Visitor, root: str = "") -> list[str]:
    answer = visitor.file(f"{root}/sitemap.xml")
    assert answer.mimetype == "application/xml"
    return [each.text or "" for each in ElementTree.fromstring(answer.get_data()).iter(LOC)]


class TestWhereItIsShared:
    @pytest.mark.parametrize("path", PUBLIC)
    def test_a_public_page_says_how_it_looks(self, visitor: Visitor, path: str):
        page = visitor.get(path)
        og = of_og(page)
        assert og["og:site_name"] == "ReferralHub"
        assert og["og:title"] and og["og:description"] == page.one('meta[name="description"]')["content"]
        assert page.one('meta[name="twitter:card"]')["content"] == "summary_large_image"
        picture = drawn(visitor, og["og:image"].removeprefix("http://localhost"))
        assert picture.size == (1200, 630)

    def test_its_picture_has_another_address_once_the_brand_is_another(self, visitor: Visitor, run):
        before = of_og(visitor.get("/"))["og:image"]
        run("brand", "set", "headline", "Ripe friends only, and every one of them brings another one along with them")
        after = of_og(visitor.get("/"))["og:image"]
        assert before != after
        pictures = [drawn(visitor, "/picture.png"), drawn(visitor, after.removeprefix("http://localhost"))]
        assert pictures[0].tobytes() == pictures[1].tobytes()  # the address is only for those who keep it


class TestInstalling:
    def test_it_has_the_brands_name_and_colours(self, visitor: Visitor, run):
        ours = manifest(visitor)
        assert (ours["name"], ours["display"], ours["theme_color"]) == ("ReferralHub", "standalone", "#ffffff")
        assert ours["start_url"] == ours["scope"] == ours["id"] == "/"
        run("brand", "set", "name", "Tomato Club")
        run("brand", "set", "accent", "#e5342b")
        theirs = manifest(visitor)
        assert theirs["name"] == "Tomato Club"
        assert theirs["background_color"] != ours["background_color"]

    def test_its_icons_are_there_in_their_sizes_for_both_purposes(self, visitor: Visitor):
        listed = manifest(visitor)["icons"]
        assert {(each["sizes"], each["purpose"]) for each in listed} == {
            (f"{size}x{size}", purpose) for size in (192, 512) for purpose in ("any", "maskable")
        }
        for each in listed:
            image = drawn(visitor, each["src"])
            assert f"{image.width}x{image.height}" == each["sizes"]
            opaque = image.mode == "RGB" or image.getchannel("A").getextrema()[0] == 255
            assert opaque == (each["purpose"] == "maskable")
            assert visitor.file(each["src"]).headers["Cache-Control"] == FOREVER

    def test_every_page_names_one_for_the_home_screen_and_the_colours_around_it(self, visitor: Visitor):
        page = visitor.get("/nothing", 404)
        image = drawn(visitor, page.one('link[rel="apple-touch-icon"]')["href"])
        assert (image.size, image.mode) == ((180, 180), "RGB")
        colours = {each["media"]: each["content"] for each in page.all('meta[name="theme-color"]')}
        assert colours == {"(prefers-color-scheme: light)": "#ffffff", "(prefers-color-scheme: dark)": "#111726"}

    def test_they_are_drawn_in_the_accent_and_then_have_another_address(self, visitor: Visitor, run):
        before = manifest(visitor)["icons"][0]["src"]
        red_of_violet = drawn(visitor, before).convert("RGB").getpixel((96, 20))
        run("brand", "set", "accent", "#0a7a3c")
        after = manifest(visitor)["icons"][0]["src"]
        assert after != before
        red, green, blue = drawn(visitor, after).convert("RGB").getpixel((96, 20))
        assert green > max(red, blue) and red_of_violet[1] < red_of_violet[2]
        assert visitor.file(before).headers["Cache-Control"] == "public, max-age=60"  # it is no more what it says

    def test_a_logo_of_pixels_is_on_them(self, visitor: Visitor, run, tmp_path):
        (tmp_path / "logo.png").write_bytes(png((60, 60)))
        run("brand", "set", "logo", str(tmp_path / "logo.png"))
        image = drawn(visitor, manifest(visitor)["icons"][0]["src"]).convert("RGB")
        assert image.getpixel((96, 96)) == (255, 0, 0)
        assert image.getpixel((96, 8)) == (255, 255, 255)

    def test_a_light_logo_lies_on_a_dark_ground(self):
        out = io.BytesIO()
        Image.new("RGBA", (40, 40), (255, 255, 255, 255)).save(out, "PNG")
        image = Image.open(io.BytesIO(icons.draw("maskable-192", "#9333ea", "", out.getvalue())))
        assert image.getpixel((96, 96)) == (255, 255, 255)
        assert image.getpixel((2, 2)) == (0x14, 0x1A, 0x2A)

    def test_a_letter_stands_in_for_a_logo_that_cannot_be_drawn(self, visitor: Visitor, run, tmp_path):
        before = drawn(visitor, "/brand/icon-192.png")
        (tmp_path / "logo.svg").write_bytes(SVG)
        run("brand", "set", "logo", str(tmp_path / "logo.svg"))
        assert drawn(visitor, "/brand/icon-192.png").tobytes() != before.tobytes()

    def test_there_are_no_others(self, visitor: Visitor):
        assert visitor.client.get("/brand/icon-193.png").status_code == 404


class TestWhatItCosts:
    @pytest.mark.parametrize("path", FILES)
    def test_no_session_and_no_count_of_a_limit(self, app: Flask, valkey, path: str):
        answer = Visitor(app).file(path)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers and "X-RateLimit-Limit" not in answer.headers
        assert not valkey.client.keys("session:*") and not valkey.client.keys("LIMITS*")

    @pytest.mark.parametrize("path", ["/manifest.webmanifest", "/brand/icon-192.png"])
    def test_who_has_it_is_told_so(self, visitor: Visitor, path: str):
        tag = visitor.file(path).headers["ETag"]
        assert visitor.client.get(path, headers={"If-None-Match": tag}).status_code == 304

    def test_the_page_lets_a_browser_load_it_from_us(self, visitor: Visitor):
        assert "manifest-src 'self'" in visitor.get("/").headers["Content-Security-Policy"]


class TestBelowAPath:
    @pytest.fixture
    def below(self, lend_app) -> Visitor:
        return Visitor(lend_app(base_url="http://localhost/refer"))

    def test_every_address_is_below_it(self, below: Visitor):
        assert sitemap(below, "/refer") == [f"http://localhost/refer{each}" for each in PUBLIC]
        robots = below.file("/refer/robots.txt").get_data(as_text=True)
        assert "Disallow: /refer/\n" in robots and "Allow: /refer/leaderboard$\n" in robots
        assert "Sitemap: http://localhost/refer/sitemap.xml" in robots
        told = manifest(below, "/refer/")
        assert told["start_url"] == told["scope"] == "/refer/"
        assert all(each["src"].startswith("/refer/brand/") for each in told["icons"])
        page = below.get("/refer/")
        assert page.one('link[rel="canonical"]')["href"] == "http://localhost/refer/"
