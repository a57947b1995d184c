"""Servers are killed, stopped and filled up while people sign up: nothing that was done is lost, and it is soon over.

The load goes on through all of it. A fault is over when the last answer that failed was due; one that failed says 503
(or, where nginx cannot know whether a form was taken, 502) with Retry-After, and never 500.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.deep.conftest import Crowd, Table
from tests.deep.load import Answer, Load, quantile
from tests.deep.test_load import WARM
from tests.deep.topology import WEB, Topology

pytestmark = pytest.mark.deep

BACK = 5.0  # seconds after which it serves again
EVERY = 8.0  # seconds from one fault to the next
SILENT = 30  # seconds


@pytest.fixture(scope="module")
def load(crowd: Crowd) -> Iterator[Load]:
    with Load(crowd.topology, crowd.codes, crowd.members, "kill") as load:
        time.sleep(WARM)
        yield load


@pytest.fixture
def topology(crowd: Crowd) -> Topology:
    return crowd.topology


class Trial:
    """What became of the load under faults of one kind, each of which is over at some moment."""

    def __init__(self, load: Load, table: Table, name: str) -> None:
        self.load, self.table, self.name = load, table, name
        self.moments: list[float] = []
        self.begun = time.monotonic()

    def over(self) -> None:
        """Wait until it must be over, and longer."""
        self.moments.append(time.monotonic())
        time.sleep(EVERY)

    def judge(self, topology: Topology) -> None:
        """Look at each answer, into the database, and at the books."""
        answers = self.load.since(self.begun)
        failed = [answer for answer in answers if answer.failed]
        back = max((each.due - self._cause(each) for each in failed), default=0.0)
        later = [each for each in answers if any(BACK <= each.due - moment < EVERY for moment in self.moments)]
        lost = lost_of(self.load, topology)
        books = topology.flask("ledger", "verify")
        held = "hold" if books.returncode == 0 else "drift"
        statuses = Counter(answer.status for answer in failed)
        self.table.append((
            self.name, f"{len(self.moments)} ×", f"{len(failed)} of {len(answers)} failed: {dict(statuses)}",
            f"back after {max(0, back):.1f} s, then p95 {quantile(later, 95):.0f} ms",
            f"{len(lost)} writes lost, books {held}",
        ))  # fmt: skip
        assert [answer for answer in failed if not answer.told_when] == []
        assert lost == []
        assert books.returncode == 0, books.stdout
        assert back <= BACK

    def _cause(self, answer: Answer) -> float:
        """Give the moment that an answer may have failed of: it may have been on its way, or the fault was lasting."""
        return max((moment for moment in self.moments if moment <= answer.due + answer.took), default=answer.due)


def lost_of(load: Load, topology: Topology) -> list[str]:
    """Name those who were told that they had joined or confirmed, of which the database knows nothing.

    A referral is decided with the confirmation; there is none where Redis lost whose link was followed.
    """
    newcomers = list(load.newcomers)
    joined = [each.name for each in newcomers if each.joined]  # by now, before the database is asked
    confirmed = [each.name for each in newcomers if each.confirmed]
    with topology.database() as connection:
        rows = connection.execute(
            'SELECT username, verified_at IS NOT NULL, state FROM "user" JOIN profile ON user_id = "user".id '
            "LEFT JOIN referral ON friend_id = profile.id WHERE username = ANY (%s)",
            [joined + confirmed],
        ).fetchall()
    known = {name for name, _, _ in rows}
    decided = {name for name, verified, state in rows if verified and state != "pending"}
    return [f"{name} joined" for name in joined if name not in known] + [
        f"{name} confirmed" for name in confirmed if name not in decided
    ]


def kill_again_and_again(trial: Trial, topology: Topology, times: int, victim: Callable[[int], int]) -> None:
    for number in range(times):
        os.kill(victim(number), signal.SIGKILL)
        trial.over()
    trial.judge(topology)


def test_postgresql(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, "kill -9 PostgreSQL")
    kill_again_and_again(trial, topology, 5, lambda _: topology.pid("postgresql"))


def test_redis(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, "kill -9 Redis")
    kill_again_and_again(trial, topology, 5, lambda _: topology.pid("redis"))


def test_web_processes(load: Load, topology: Topology, table: Table):
    """Either the process that answers, or the one that started it."""

    def victim(number: int) -> int:
        web = WEB[number % 2]
        return topology.pid(web) if number % 4 < 2 else topology.children(web)[-1]

    kill_again_and_again(Trial(load, table, "kill -9 a web process"), topology, 10, victim)


def test_worker(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, "kill -9 the worker")
    kill_again_and_again(trial, topology, 10, lambda _: topology.pid("worker"))


def test_silent_redis(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, f"Redis silent for {SILENT} s")
    topology.signal("redis", signal.SIGSTOP)
    time.sleep(SILENT)
    topology.signal("redis", signal.SIGCONT)
    trial.over()
    trial.judge(topology)


def test_no_room_for_redis_file(load: Load, topology: Topology, table: Table):
    if not (topology.folder / "redis").is_mount():
        pytest.skip("only root can give Redis a file system of its own, and nothing was proved")
    trial, filler = Trial(load, table, "no room for Redis' file"), topology.folder / "redis/filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):  # until there is no room
            pass
    time.sleep(10)
    filler.unlink()
    trial.over()
    assert any(answer.failed for answer in load.since(trial.begun)), "the disk was not full"
    trial.judge(topology)


def test_redis_forgets_everything(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, "FLUSHALL")
    with topology.redis() as redis:
        redis.flushall()
    trial.over()
    trial.judge(topology)


def test_web_processes_begin_anew(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, "HUP to a web process")
    for web in WEB:
        topology.signal(web, signal.SIGHUP)
        trial.over()
    nobody_noticed(trial, topology)


def test_web_processes_are_stopped(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, "TERM to a web process")
    for web in WEB:
        topology.signal(web, signal.SIGTERM)
        trial.over()
    nobody_noticed(trial, topology)


def test_nginx_reads_its_files_anew(load: Load, topology: Topology, table: Table):
    trial = Trial(load, table, "nginx -s reload")
    for _ in range(3):
        topology.signal("nginx", signal.SIGHUP)  # which is what it sends
        trial.over()
    nobody_noticed(trial, topology)


def nobody_noticed(trial: Trial, topology: Topology) -> None:
    assert [answer for answer in trial.load.since(trial.begun) if answer.failed] == []
    trial.judge(topology)
