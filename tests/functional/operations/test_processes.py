"""The processes of the Procfile, as they are started everywhere: what signals do to them."""

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from referralhub.config import PROJECT
from referralhub.processes import NICENESS
from tests import servers
from tests.servers import serves, wait_until

pytestmark = pytest.mark.one_database

Start = Callable[..., subprocess.Popen[bytes]]
ENDED = 15  # seconds; what hangs, hangs for good
MANY = 1100  # connections; Granian has room for 1,024 by itself


class Started:
    """A command in a group of its own, on a free port."""

    def __init__(self, command: list[str | Path], environment: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{environment['PORT']}"
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def serves(self) -> bool:
        return serves(self.url)

    def below(self, pid: int | None = None) -> dict[int, str]:
        """Name all processes below it, with their command lines."""
        found = {}
        for child in children(pid or self.process.pid):
            found |= {child: command_of(child), **self.below(child)}
        return found


def children(pid: int) -> list[int]:
    with suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def command_of(pid: int) -> str:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def refuses(url: str) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 2):
        return False
    return True


@pytest.fixture
def files() -> Iterator[None]:
    """As many open files as this machine allows, here and in what is started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def start(instance: Path, database_url: str, valkey: servers.Valkey) -> Iterator[Start]:
    """Start a command, and leave nothing of it behind."""
    everything: list[Started] = []

    def begin(*command: str | Path) -> Started:
        environment = servers.environment_of(instance, database_url, valkey.url, PORT=str(servers.free_port()))
        everything.append(Started([*command], environment))
        return everything[-1]

    yield begin
    for started in everything:
        left = [*started.below(), started.process.pid]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        started.process.wait()


WEB = ("deploy/process", "web")
LAUNCHER = (sys.executable, "-m", "referralhub.launch")


class TestWeb:
    def test_ends_whole_when_its_first_process_is_killed(self, start: Start):
        """An orphan would go on answering, beside the one that is started in its place."""
        web = start(*WEB)
        wait_until(web.serves, "it serves")
        web.process.kill()
        wait_until(lambda: refuses(web.url), "nobody listens any more", ENDED)

    def test_ends_when_it_is_told_to_while_it_starts(self, start: Start):
        web = start(*WEB)
        loading = "there is a process that loads the application"
        wait_until(lambda: any("granian" in command for command in web.below().values()), loading)
        web.process.terminate()
        assert web.process.wait(ENDED) == 0

    def test_answers_though_many_keep_their_connections(self, files: None, start: Start):
        """An open dashboard keeps one, and nobody is to wait for it to be closed."""
        web = start(*WEB)
        wait_until(web.serves, "it serves")
        address = ("127.0.0.1", int(web.url.rpartition(":")[2]))
        with ExitStack() as open_:
            for _ in range(MANY):
                open_.enter_context(socket.create_connection(address, 5))
            assert web.serves()


class TestLauncher:
    def test_lets_the_worker_give_way_to_pages(self, start: Start):
        launcher = start(*LAUNCHER)
        niceness: dict[str, int] = {}

        def known() -> bool:
            for pid, command in launcher.below().items():
                for what in ("flask --app wsgi worker", "granian"):
                    if what in command:
                        niceness[what] = os.getpriority(os.PRIO_PROCESS, pid)
            return niceness == {"flask --app wsgi worker": NICENESS, "granian": 0}

        wait_until(known, "the worker alone is nice")

    def test_lets_its_processes_begin_anew_at_hup(self, start: Start):
        launcher = start(*LAUNCHER)

        def pids(what: str) -> set[int]:
            return {pid for pid, command in launcher.below().items() if what in command}

        wait_until(lambda: bool(pids("flask --app wsgi worker")) and launcher.serves(), "it runs")
        worker, web = pids("flask --app wsgi worker"), pids("granian")
        launcher.process.send_signal(signal.SIGHUP)
        wait_until(lambda: bool(pids("flask --app wsgi worker") - worker), "a new worker has begun")
        wait_until(lambda: bool(pids("granian") - web), "a new web process has begun")
        assert not pids("flask --app wsgi worker") & worker
        assert pids("granian") > web  # those of before go on until it serves
        assert launcher.serves()
