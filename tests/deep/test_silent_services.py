"""Redis or PostgreSQL is stopped under load, says nothing for a while, and goes on: nobody waits for it for long."""

import http.client
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from referralhub import create_app
from referralhub.extensions import db
from tests import servers
from tests.conftest import SECRET_KEY, extra_database, make_settings
from tests.people import Person, PostOffice, path_of

pytestmark = pytest.mark.deep

A_SECOND = 20  # requests
BEFORE, SILENT, AFTER = 3, 20, 4  # seconds
AT_MOST = 1.2  # seconds for any answer: one, on a machine that has much else to do
ALIVE = 0.05  # seconds for /healthz, 95 times of 100
BACK = 2.0  # seconds after which all is as before


class EightThreads(servers.ReferralHub):
    """One process with as many as a machine with a few processors would have."""

    def _run(self, command: list[str]) -> None:
        super()._run(["8" if word == "4" else word for word in command])


@dataclass
class Answer:
    """What came of one request."""

    path: str
    sent: float  # seconds since the beginning
    took: float
    status: int


@pytest.fixture(params=["redis", "postgresql"])
def silent(request: pytest.FixtureRequest, valkey, postgresql) -> servers.Server:
    return {"redis": valkey, "postgresql": postgresql}[request.param]


@pytest.fixture
def hub(tmp_path: Path, valkey, request: pytest.FixtureRequest) -> Iterator[servers.ReferralHub]:
    valkey.client.flushdb()
    with (
        extra_database("postgresql", tmp_path, request, migrated=True) as url,
        EightThreads(tmp_path, url, valkey.url, SECRET_KEY=SECRET_KEY) as hub,
    ):
        yield hub


@pytest.fixture
def member(hub: servers.ReferralHub, valkey, tmp_path: Path) -> Iterator[Person]:
    app: Flask = create_app(make_settings(hub.environment["DATABASE_URL"], valkey.url, tmp_path))
    alice = Person(app, PostOffice(app), "alice")
    alice.sign_up()
    yield alice
    with app.app_context():
        db.engine.dispose()
    app.extensions["redis"].close()


def ask(port: int, path: str, cookie: str, begun: float) -> Answer:
    sent = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Cookie": f"referralhub={cookie}"} if cookie else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return Answer(path, sent - begun, time.monotonic() - sent, answer.status)


def under_load(port: int, paths: dict[str, str], silent: servers.Server) -> list[Answer]:
    """Ask as many times a second, whether or not there are answers, and let the service be silent in between."""
    begun, answers = time.monotonic(), []
    with ThreadPoolExecutor(200) as threads, ThreadPoolExecutor(1) as meanwhile:

        def be_silent() -> None:
            time.sleep(BEFORE)
            with silent.hanging():
                time.sleep(SILENT)

        meanwhile.submit(be_silent)
        for number in range((BEFORE + SILENT + AFTER) * A_SECOND):
            time.sleep(max(0, begun + number / A_SECOND - time.monotonic()))
            path = list(paths)[number % len(paths)]
            answers.append(threads.submit(ask, port, path, paths[path], begun))
    return [each.result() for each in answers]


def test_nobody_waits_for_a_silent_service(hub: servers.ReferralHub, member: Person, silent: servers.Server):
    link, cookie = path_of(member.link), member.session_id()
    paths = {"/healthz": "", "/": "", link: "", "/signup": "", "/dashboard/network": cookie, "/readyz": ""}
    answers = under_load(hub.port, paths, silent)

    shown = {path: [each for each in answers if each.path == path] for path in paths}
    for path, found in shown.items():
        print(f"{path:20} {len(found)} answers, 95 of 100 within {p95(found) * 1000:.0f} ms")  # noqa: T201 - for who runs it
    wrong = [each.sent - BEFORE - SILENT for each in answers if each.status >= 500]
    longest = max(each.took for each in answers)
    print(f"the longest took {longest * 1000:.0f} ms; all was well {max(0, *wrong):.2f} s after it went on")  # noqa: T201 - the same

    assert longest < AT_MOST
    assert p95(shown["/healthz"]) <= ALIVE
    during = [each for each in answers if BEFORE + AT_MOST < each.sent < BEFORE + SILENT - AT_MOST]
    statuses = {path: {each.status for each in during if each.path == path} for path in paths}
    public = 200 if isinstance(silent, servers.Valkey) else 503  # what is in the database is on those pages
    assert statuses == {
        "/healthz": {200}, "/": {public}, link: {302}, "/signup": {public}, "/dashboard/network": {503},
        "/readyz": {503},
    }  # fmt: skip
    assert max(wrong) < BACK


def p95(answers: list[Answer]) -> float:
    return statistics.quantiles([each.took for each in answers], n=20)[-1]
