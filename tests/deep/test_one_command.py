"""`make run` from a fresh clone: it starts, it starts again quickly, and it leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from referralhub.config import PROJECT
from referralhub.embedded import socket_path
from tests.servers import free_port, serves, wait_until

pytestmark = pytest.mark.deep
FIRST_START, NEXT_START, STOP = 90, 3, 15  # seconds; the second is looked at by one test alone


class Launched:
    """A `make run`, in a process group of its own as a terminal gives it one."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = (
            "SECRET_KEY",
            "DATABASE_URL",
            "REDIS_URL",
            "BASE_URL",
            "MAIL_URL",
            "INSTANCE_PATH",
            "REFERRALHUB_ENV",
        )
        environment = {key: value for key, value in os.environ.items() if key not in settings and "MAKE" not in key}
        with (clone.parent / f"{clone.name}-{self.port}.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["make", "run", f"PORT={self.port}"], cwd=clone, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def wait_until_it_serves(self, seconds: float) -> None:
        wait_until(lambda: self.ended() or serves(self.url), "it serves", seconds)
        assert not self.ended(), self.log()

    def log(self) -> str:
        return (self.clone.parent / f"{self.clone.name}-{self.port}.log").read_text()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def launcher(self) -> int:
        """Find the launcher that this `make` runs."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        assert len(children) == 1
        return int(children[0])


def processes_of(folder: Path) -> dict[int, str]:
    """Find every process that was started from a folder or names it."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if (process / "cwd").readlink().is_relative_to(folder) or str(folder) in command:
                found[int(process.name)] = command
    return found


def assert_nothing_is_left(clone: Path) -> None:
    with suppress(TimeoutError):
        wait_until(lambda: not processes_of(clone), "everything ended", STOP)
    assert processes_of(clone) == {}


@pytest.fixture(scope="module")
def make_clone() -> Iterator[Callable[[str], Path]]:
    """Clone what is committed, into a short path, since a socket will be in it."""
    with tempfile.TemporaryDirectory(prefix="rh-", dir="/tmp") as folder:

        def clone(name: str) -> Path:
            target = Path(folder) / name
            subprocess.run(["git", "clone", "--quiet", PROJECT, target], check=True)
            return target

        yield clone
        for pid in processes_of(Path(folder)):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def clone(make_clone: Callable[[str], Path]) -> Path:
    """A clone that has run once."""
    clone = make_clone("first")
    launched = Launched(clone)
    launched.wait_until_it_serves(FIRST_START)
    os.killpg(launched.process.pid, signal.SIGINT)
    launched.process.wait(STOP)
    return clone


@pytest.fixture
def launch(clone: Path) -> Iterator[Callable[..., Launched]]:
    """Start `make run` in a clone that has run before; what a test leaves running is ended."""
    started: list[Launched] = []

    def start(where: Path = clone) -> Launched:
        launched = Launched(where)
        started.append(launched)
        launched.wait_until_it_serves(FIRST_START)
        return launched

    yield start
    for launched in started:
        with suppress(ProcessLookupError):
            os.killpg(launched.process.pid, signal.SIGTERM)
        launched.process.wait(STOP)


def test_a_fresh_clone_serves_and_says_where(make_clone):
    clone = make_clone("fresh")
    launched = Launched(clone)
    try:
        launched.wait_until_it_serves(FIRST_START)
        wait_until(lambda: "is ready" in launched.log(), "it says so", 5)
        assert launched.url in launched.log()
        assert "mira" in launched.log()
        page = urllib.request.urlopen(f"{launched.url}/leaderboard").read().decode()
        assert "data-rank" in page  # the demo is there
        clean = subprocess.run(["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True)
        assert clean.stdout == b""
    finally:
        os.killpg(launched.process.pid, signal.SIGINT)
        launched.process.wait(STOP)
    assert_nothing_is_left(clone)


def test_the_second_start_is_quick_and_keeps_what_was_there(launch, clone: Path):
    secret = (clone / "instance/secret_key").read_text()
    took = []
    for _ in range(3):  # the machine may be busy with something else, and then the quickest says what it takes
        begun = time.monotonic()
        launched = launch()
        took.append(time.monotonic() - begun)
        os.killpg(launched.process.pid, signal.SIGINT)
        launched.process.wait(STOP)
    assert min(took) < NEXT_START
    assert (clone / "instance/secret_key").read_text() == secret


def test_ctrl_c_ends_everything(launch, clone: Path):
    launched = launch()
    assert len(processes_of(clone)) >= 4  # make, the launcher, Valkey, the web server, the worker
    os.killpg(launched.process.pid, signal.SIGINT)
    launched.process.wait(STOP)
    assert_nothing_is_left(clone)


def test_term_to_make_ends_everything(launch, clone: Path):
    launched = launch()
    launched.process.terminate()
    launched.process.wait(STOP)
    assert_nothing_is_left(clone)


@pytest.mark.parametrize("whom", ["launcher", "make"])
def test_kill_leaves_nothing_behind(launch, clone: Path, whom: str):
    launched = launch()
    os.kill(launched.launcher() if whom == "launcher" else launched.process.pid, signal.SIGKILL)
    launched.process.wait(STOP)
    assert_nothing_is_left(clone)


def test_after_a_kill_it_starts_again(launch, clone: Path):
    launched = launch()
    os.killpg(launched.process.pid, signal.SIGKILL)
    launched.process.wait(STOP)
    assert_nothing_is_left(clone)
    launch()


def test_a_taken_port_is_named_and_nothing_else_happens(launch, clone: Path):
    first = launch()
    second = subprocess.run(
        ["make", "run", f"PORT={first.port}"], cwd=clone, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode != 0
    assert f"port {first.port}" in second.stderr
    assert "Traceback" not in second.stderr
    assert serves(first.url)


def test_two_clones_run_side_by_side(launch, clone: Path):
    other = clone.with_name("second")
    shutil.copytree(clone, other, symlinks=True, ignore=shutil.ignore_patterns("instance", ".venv"))
    (other / "instance").mkdir()
    shutil.copy(clone / "instance/.gitignore", other / "instance")
    first = launch()
    second = Launched(other)
    second.wait_until_it_serves(FIRST_START)
    assert serves(first.url)
    os.killpg(second.process.pid, signal.SIGINT)
    second.process.wait(STOP)
    assert_nothing_is_left(other)
    assert serves(first.url)


def test_two_launchers_of_one_folder_share_its_valkey(launch, clone: Path):
    first, second = launch(), launch()
    valkeys = [pid for pid, command in processes_of(clone).items() if "valkey-server" in command]
    assert len(valkeys) == 1
    os.killpg(first.process.pid, signal.SIGINT)  # the one that started it
    first.process.wait(STOP)
    wait_until(lambda: ready(second), "the other one takes over", 10)
    os.killpg(second.process.pid, signal.SIGINT)
    second.process.wait(STOP)
    assert_nothing_is_left(clone)


def test_a_valkey_that_was_killed_is_started_again_with_its_data(launch, clone: Path):
    launched = launch()
    client = redis.Redis(unix_socket_path=str(socket_path(clone / "instance")))
    client.set("kept", "yes")
    time.sleep(1.5)  # what is older than a second is on disk
    (valkey,) = [pid for pid, command in processes_of(clone).items() if "valkey-server" in command]
    os.kill(valkey, signal.SIGKILL)
    wait_until(lambda: ready(launched), "it is back", 10)
    assert client.get("kept") == b"yes"
    client.close()


@pytest.mark.parametrize("command", ["granian", "worker"])
def test_when_one_process_dies_all_end(launch, clone: Path, command: str):
    """Half a program is worse than none: whoever runs it sees it end and starts it again."""
    launched = launch()

    def pids() -> list[int]:
        return [pid for pid, line in processes_of(clone).items() if command in line and "sh -c" not in line]

    wait_until(lambda: bool(pids()), "it runs")  # the worker starts after the web server
    os.kill(min(pids()), signal.SIGKILL)
    assert launched.process.wait(STOP) != 0
    assert_nothing_is_left(clone)


def ready(launched: Launched) -> bool:
    with suppress(OSError):
        urllib.request.urlopen(f"{launched.url}/readyz", timeout=2).close()
        return True
    return False
