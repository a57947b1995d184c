"""A thousand tries at once, at a server with several processes: exactly as many pass as are allowed."""

import http.client
import re
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests import servers
from tests.conftest import SECRET_KEY, extra_database

pytestmark = pytest.mark.deep

TRIES, THREADS = 1000, 50


class SeveralProcesses(servers.ReferralHub):
    """Four web processes, which know of each other through Redis alone."""

    def _run(self, command: list[str]) -> None:
        super()._run([*command[:-1], "--workers", "4", command[-1]] if command[0] == "granian" else command)


def send_at_once(port: int, path: str, values: dict[str, str]) -> Counter[int]:
    """Send a form a thousand times from fifty browsers that start together."""
    start, statuses, errors = threading.Barrier(THREADS), Counter(), []

    def run() -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("GET", path)
            answer = connection.getresponse()
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', answer.read().decode())[1]
            headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(values | {"csrf_token": token})
            start.wait()
            for _ in range(TRIES // THREADS):
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] += 1
            connection.close()
        except BaseException as error:
            start.abort()
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return statuses


@pytest.mark.parametrize("path_and_allowed", [("/signup", 20), ("/login", 10)], ids=["signup", "login"])
def test_exactly_the_allowed_number_passes(valkey, tmp_path: Path, request, path_and_allowed: tuple[str, int]):
    path, allowed = path_and_allowed
    valkey.client.flushdb()
    settings = {"SECRET_KEY": SECRET_KEY}
    with (
        extra_database("sqlite", tmp_path, request, migrated=True) as url,
        SeveralProcesses(tmp_path, url, valkey.url, **settings) as hub,
    ):
        statuses = send_at_once(hub.port, path, {"username": "nobody", "password": ""})
    assert statuses == {422: allowed, 429: TRIES - allowed}
