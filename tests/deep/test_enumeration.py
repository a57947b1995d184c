"""Nobody learns who has an account: a known and an unknown address get the same answer after the same time.

Over HTTP, on a server with its worker, known and unknown in turns whose order is drawn. What is measured is the area
under the ROC curve: 0.5 where the time says nothing, 1 where it says all. Chance alone leaves 0.45 to 0.55 once in
thirty times with 300 pairs; so what is found outside is measured once more, with four times as many.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from referralhub import create_app
from referralhub.clock import now
from referralhub.extensions import db
from referralhub.services.accounts import signup
from tests import servers
from tests.conftest import SECRET_KEY, extra_database, make_settings
from tests.deep.conftest import Table
from tests.deep.enumeration import BUSY, Answer, Stranger, auc

pytestmark = pytest.mark.deep

PAIRS = 300
NOTHING_TOLD = (0.45, 0.55)
KNOWN = [f"known{number}@example.com" for number in range(20)]
PASSWORD = "everybody likes tea"
PAUSE = 0.03  # seconds in which the worker does what the form before has left to it


@pytest.fixture
def hub(
    database: str, valkey: servers.Valkey, tmp_path: Path, strong_passwords, request: pytest.FixtureRequest
) -> Iterator[int]:
    """Give the port of a server that has twenty members with a confirmed address, and no limits."""
    valkey.client.flushdb()
    with extra_database(database, tmp_path, request, migrated=True) as url:
        app = create_app(make_settings(url, valkey.url, tmp_path))
        with app.app_context():
            for number, address in enumerate(KNOWN):
                signup.sign_up(f"known{number}", address, PASSWORD, None, now(), verification_required=False)
            db.session.remove()
            db.engine.dispose()
        settings = {"SECRET_KEY": SECRET_KEY, "RATELIMIT_ENABLED": "false"}
        with servers.ReferralHub(tmp_path, url, valkey.url, **settings) as running:
            yield running.port


Form = Callable[[str, str], dict[str, str]]  # of an address and a name that nobody has


def sign_in(address: str, _: str) -> dict[str, str]:
    return {"username": address, "password": "a guess of somebody's"}


def sign_up(address: str, name: str) -> dict[str, str]:
    return {"username": name, "email": address, "password": PASSWORD, "password_confirm": PASSWORD}


def reset_password(address: str, _: str) -> dict[str, str]:
    return {"email": address}


FORMS = {"/login": sign_in, "/signup": sign_up, "/password/forgot": reset_password}


@pytest.mark.parametrize("path", FORMS)
def test_neither_answer_nor_time_tell(hub: int, database: str, path: str, table: Table):
    assert_same_answer(hub, path)
    for pairs in (PAIRS, 4 * PAIRS):
        known, unknown = measure(hub, path, pairs)
        found = auc(known, unknown)
        medians = [f"{statistics.median(times) * 1000:.2f} ms" for times in (known, unknown)]
        told = f"known {medians[0]}, unknown {medians[1]}, AUC {found:.3f}"
        table.append((f"accounts told apart at {path}, {database}", f"{pairs} pairs", told))
        if NOTHING_TOLD[0] <= found <= NOTHING_TOLD[1]:
            return
    pytest.fail(f"the time of {path} tells who has an account: AUC {found:.3f}")


def assert_same_answer(port: int, path: str) -> None:
    """Compare every byte that a stranger gets, also behind the form, but for what is new each time."""
    seen = []
    for address, name in (("known1@example.com", "somebody1"), ("nobody1@example.com", "somebody2")):
        stranger = Stranger(port, path)
        answers: list[Answer] = [stranger.send(FORMS[path](address, name))]
        if answers[0].status == 303:
            answers += [stranger.follow(answers[0])]
        seen.append([answer.without(address, name) for answer in answers])
        stranger.close()
    assert seen[0] == seen[1]


def measure(port: int, path: str, pairs: int) -> tuple[list[float], list[float]]:
    """Send the form in pairs, one with a known address and one with an unknown one, and give how long each took."""
    times: dict[bool, list[float]] = {True: [], False: []}
    while len(times[True]) < pairs:
        pair = {is_known: send_one(port, path, is_known) for is_known in random.sample([True, False], 2)}
        statuses = {answer.status for answer in pair.values()}
        if BUSY not in statuses:
            assert len(statuses) == 1
            for is_known, answer in pair.items():
                times[is_known].append(answer.seconds)
    return times[True], times[False]


def send_one(port: int, path: str, is_known: bool) -> Answer:
    name = f"n{random.getrandbits(64):x}"
    address = random.choice(KNOWN) if is_known else f"{name[:8]}@example.com"
    stranger = Stranger(port, path)
    time.sleep(PAUSE)
    answer = stranger.send(FORMS[path](address, name))
    stranger.close()
    return answer
