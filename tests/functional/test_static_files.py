"""Style sheet, scripts and icons: small on the wire, kept for good where that is safe, and never stale."""

import gzip
import hashlib
import os
import sys
from base64 import b64encode
from pathlib import Path

import brotli
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from referralhub import early_answers, static_files
from referralhub.config import PROJECT
from referralhub.observing.requests import HEADER
from referralhub.templating import static_url
from tests.pages import Visitor

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.one_database

STATIC = PROJECT / "referralhub/static"
NAMES = sorted(str(file.relative_to(STATIC)) for file in STATIC.rglob("*") if file.is_file())
CSS = "css/app.css"
UNPACK = {"br": brotli.decompress, "zstd": zstd.decompress, "gzip": gzip.decompress, None: bytes}
BROWSER = "gzip, deflate, br, zstd"


@pytest.fixture
def present(app: Flask) -> str:
    """The address under which pages name the style sheet."""
    with app.test_request_context():
        return static_url(CSS)


def fetch(app: Flask, address: str, encodings: str | None = BROWSER, method: str = "GET", **headers: str):
    usual = {"Accept-Encoding": encodings} if encodings is not None else {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with app.test_client().open(address, method=method, headers=usual | named) as answer:
        answer.get_data()
        return answer


def unpacked(answer: TestResponse) -> bytes:
    return UNPACK[answer.headers.get("Content-Encoding")](answer.data)


@pytest.mark.parametrize("encodings", [None, "", "identity", "gzip", "br", "zstd", BROWSER, "*", "nonsense;q=x"])
@pytest.mark.parametrize("name", NAMES)
def test_every_file_arrives_as_it_is_in_the_folder(app: Flask, name: str, encodings: str | None):
    answer = fetch(app, f"/static/{name}", encodings)
    assert answer.status_code == 200
    assert unpacked(answer) == (STATIC / name).read_bytes()
    assert len(answer.data) == int(answer.headers["Content-Length"])
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize(
    ("encodings", "chosen"),
    [
        (BROWSER, "br"), ("gzip, deflate, zstd", "zstd"), ("gzip, deflate", "gzip"), ("deflate", None), (None, None),
        ("br;q=0.1, gzip;q=0.5", "gzip"), ("br;q=0, *", "zstd"), ("br;q=0, zstd;q=0, gzip;q=0", None),
        ("gzip;q=0.5, identity", None), ("*;q=0", None), ("GZIP", "gzip"),
    ],
)  # fmt: skip
def test_the_asker_chooses_the_encoding(app: Flask, encodings: str | None, chosen: str | None):
    assert fetch(app, f"/static/{CSS}", encodings).headers.get("Content-Encoding") == chosen


def test_a_first_visit_loads_a_third_of_what_the_files_have(app: Flask):
    loaded = [name for name in NAMES if not name.endswith(("LICENSE", "LICENSE.md"))]
    whole = sum(len(fetch(app, f"/static/{name}", None).data) for name in loaded)
    assert sum(len(fetch(app, f"/static/{name}").data) for name in loaded) < whole / 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [(CSS, "text/css"), ("js/app.js", "text/javascript"), ("img/icons.svg", "image/svg+xml")],
)
def test_a_browser_is_told_what_a_file_is(app: Flask, name: str, kind: str):
    assert {fetch(app, f"/static/{name}", encodings).content_type for encodings in (None, "br")} == {
        f"{kind}; charset=utf-8"
    }


def test_only_what_a_page_of_today_names_is_kept_for_good(app: Flask, present: str):
    assert fetch(app, present).headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789", "?v=missing", "?other=1", "?v=%ff"])
def test_a_name_that_is_not_the_contents_is_kept_for_a_minute(app: Flask, query: str):
    """An old process that is asked for a new file must not put the old one into everybody's cache."""
    answer = fetch(app, f"/static/{CSS}{query}")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize("encodings", [None, "gzip", "br", "zstd"])
def test_who_has_a_file_is_told_so(app: Flask, present: str, encodings: str | None):
    tag = fetch(app, present, encodings).headers["ETag"]
    assert not tag.startswith("W/")
    again = fetch(app, present, encodings, If_None_Match=f'"other", {tag}')
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert again.headers["Vary"] == "Accept-Encoding"
    assert fetch(app, present, encodings, If_None_Match='"other"').status_code == 200


def test_each_encoding_has_a_tag_of_its_own(app: Flask, present: str):
    tags = {fetch(app, present, encodings).headers["ETag"] for encodings in (None, "gzip", "br", "zstd")}
    assert len(tags) == 4


@pytest.mark.parametrize("encodings", [None, "br"])
def test_head_says_the_same_without_the_file(app: Flask, present: str, encodings: str | None):
    whole, head = fetch(app, present, encodings), fetch(app, present, encodings, method="HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert {**head.headers, HEADER: ""} == {**whole.headers, HEADER: ""}


def test_a_part_of_a_file_is_never_a_part_of_a_compressed_one(app: Flask, present: str):
    answer = fetch(app, present, Range="bytes=0-9")
    assert answer.status_code == 200
    assert unpacked(answer) == (STATIC / CSS).read_bytes()


@pytest.mark.parametrize(
    "path", ["../config.py", "..%2fconfig.py", "css/../../config.py", "css", "", "css/", "nothing.css"]
)
def test_nothing_else_is_served(app: Flask, path: str):
    assert fetch(app, f"/static/{path}").status_code == 404


def test_nothing_is_posted_to_a_file(app: Flask, present: str):
    assert fetch(app, present, method="POST").status_code == 405


def test_a_file_that_is_edited_is_served_and_named_anew(app: Flask, tmp_path: Path):
    file = tmp_path / "app.css"
    file.write_text("a {}")
    small = Flask("small", static_folder=tmp_path, static_url_path="/static")
    small.config["SETTINGS"] = app.config["SETTINGS"]
    early_answers.init_app(small, static_files.StaticFiles(small))
    before = f"/static/app.css?v={static_files.digest(str(file))}"
    assert fetch(small, before).data == b"a {}"
    file.write_text("b {}")
    os.utime(file, ns=(1, 1))
    after = f"/static/app.css?v={static_files.digest(str(file))}"
    assert after != before
    assert [fetch(small, address).data for address in (before, after)] == [b"b {}"] * 2
    assert "immutable" in fetch(small, after).headers["Cache-Control"]
    assert "immutable" not in fetch(small, before).headers["Cache-Control"]
    file.unlink()
    assert fetch(small, after).status_code == 404


def test_a_browser_runs_a_script_only_of_the_content_that_the_page_names(app: Flask, visitor: Visitor):
    scripts = visitor.get("/").all("script")
    assert len(scripts) == 3
    for script in scripts:
        content = unpacked(visitor.file(script["src"]))
        assert script["integrity"] == f"sha256-{b64encode(hashlib.sha256(content).digest()).decode()}"


def test_a_file_costs_no_session_and_no_query(app: Flask, present: str, count_queries, valkey):
    with count_queries() as statements:
        answer = Visitor(app).file(present)
    assert "Set-Cookie" not in answer.headers
    assert not len(statements)
    assert valkey.client.dbsize() == 0
