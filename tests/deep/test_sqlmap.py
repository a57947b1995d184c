"""sqlmap, at its third of five levels, on every parameter that a route reads: it finds nothing to inject.

Which those are is noted while each route is asked once. Techniques that wait (`SLEEP`) are left out: on a machine that
does other things they find what is not there, and what they would find the others see in the answer. Client headers,
which the third level adds, are tried at the routes that read them into a table: signing up and in, and a link.
"""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask, Request
from werkzeug.datastructures import ImmutableMultiDict

from tests import servers
from tests.conftest import SECRET_KEY
from tests.deep.conftest import Table
from tests.deep.surface import Target, targets
from tests.everybody import everybody
from tests.pages import Visitor
from tests.people import PostOffice, Records

pytestmark = pytest.mark.deep

SQLMAP = "sqlmap==1.10.10"
UVX = [servers.BIN / "uvx", "--quiet", "--from", SQLMAP, "sqlmap"]
NOTHING = "all tested parameters do not appear to be injectable"
CODE = Path(__file__).parent.parent.parent / "referralhub"
HEADERS_READ = {"/join", "/signup", "/login", "/<code:code>/"}
# Their routes change who the others are sent by: they come last, and those that sign out do not come.
LAST = "/admin"
SIGNS_OUT = {"/logout", "/account/sessions/end-others", "/account/sessions/<row(bits=63):sign_in_id>/end"}


class Noting(ImmutableMultiDict):
    """What was sent, which notes what is looked for in it."""

    read: set[str] = set()  # noqa: RUF012 - one for all, as requests come one after the other

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, *more, **options):
        self.read.add(name)
        return super().get(name, *more, **options)

    def getlist(self, name: str, *more, **options):
        self.read.add(name)
        return super().getlist(name, *more, **options)


class NotingRequest(Request):
    parameter_storage_class = Noting


@dataclass(frozen=True)
class Run:
    """One call of sqlmap: a path, of which a part may be marked, and what is sent with it."""

    target: Target
    path: str
    values: dict[str, str]
    cookie: str

    def command(self, base_url: str, database: str, folder: Path) -> list[str | Path]:
        query = f"?{urlencode(self.values)}" if self.target.method == "GET" and self.values else ""
        headers = [] if self.target.rule in HEADERS_READ else ["--skip", "user-agent,referer,host,cookie"]
        return [
            *UVX, "--url", f"{base_url}{self.path}{query}", "--cookie", self.cookie or "a=b",
            *(["--method", "POST", "--data", urlencode(self.values)] if self.target.method == "POST" else []),
            "--batch", "--level", "3", "--technique", "BEUQ", "--dbms", database, "--flush-session",
            "--ignore-code", "*", "--ignore-redirects", "--disable-coloring", "--output-dir", folder, *headers,
        ]  # fmt: skip


def names_read(visitor: Visitor, target: Target, token: str) -> list[str]:
    """Ask once, and give what the route looked for."""
    Noting.read.clear()
    sent = dict.fromkeys(target.fields, "1") | {"csrf_token": "x"}
    if target.method == "GET":
        visitor.client.get(target.path(), query_string=sent).close()
    else:
        visitor.client.post(target.path(), data=sent | {"csrf_token": token}).close()
    return sorted(Noting.read)


def runs(app: Flask, people: dict[str, Visitor], known: list[Target]) -> Iterator[Run]:
    for target in sorted(known, key=lambda target: target.rule.startswith(LAST)):
        if target.rule in SIGNS_OUT or target.rule.startswith("/static/"):
            continue
        alone = target.rule in {"/join", "/signup", "/login", "/password/forgot"}
        visitor = people["admin" if target.rule.startswith(LAST) else "anonymous" if alone else "owner"]
        page = visitor.get("/login" if alone else "/privacy")
        token = page.all('[name="csrf_token"]')[0]["value"]
        cookie = f"{visitor.cookie_name}={visitor.session_id()}"
        values = {name: target.fields.get(name) or "1" for name in names_read(visitor, target, token)}
        if target.method == "POST":
            values["csrf_token"] = token
        if values.keys() - {"csrf_token"} or target.rule in HEADERS_READ:
            yield Run(target, target.path(), values, cookie)
        for part, value in target.parts.items():
            yield Run(target, target.path(**{part: f"{value}*"}), {"csrf_token": token}, cookie)


@pytest.fixture
def sqlmap() -> None:
    """It is fetched from the package index once, into an environment of its own."""
    found = subprocess.run([*UVX, "--version"], capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, f"the package index has no {SQLMAP}, or it does not run: {found.stderr}"


def test_nothing_is_found(
    sqlmap, make_app, database_url: str, database: str, valkey: servers.Valkey, clock, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], table: Table,
):  # fmt: skip
    app = make_app(ratelimit_enabled=False)
    app.request_class = NotingRequest
    people = everybody(app, PostOffice(app), clock)
    code = "\n".join(map(Path.read_text, CODE.rglob("*.py")))
    wanted = list(runs(app, people, targets(app, people, Records(app), code)))
    settings = {"SECRET_KEY": SECRET_KEY, "RATELIMIT_ENABLED": "false"}
    with (
        servers.ReferralHub(tmp_path, database_url, valkey.url, **settings) as hub,
        ThreadPoolExecutor(2) as threads,
        capsys.disabled(),
    ):

        def call(number: int) -> str:
            command = wanted[number].command(hub.base_url, database, tmp_path / f"run{number}")
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800).stdout

        said = []
        for run, text in zip(wanted, threads.map(call, range(len(wanted))), strict=True):
            said.append(text)
            done = f"{database}: {len(said)} of {len(wanted)} runs of sqlmap"
            print(f"{done}, {run.target.method} {run.path}", flush=True)  # noqa: T201 - progress of an hour
    found = [
        f"{run.target.method} {run.path}:\n{text[-2000:]}"
        for run, text in zip(wanted, said, strict=True)
        if NOTHING not in text
    ]
    parameters = sum(len(run.values) if "*" not in run.path else 1 for run in wanted)
    many = f"{len(wanted)} runs, {parameters} parameters"
    table.append((f"sqlmap, level 3, {database}", many, f"{len(found)} with a finding"))
    assert found == [], "\n".join(found)
