"""What production is made of, as `deploy/local.sh` starts it, with ways to ask it, look into it and harm it."""

import os
import shutil
import signal
import ssl
import subprocess
from http.client import HTTPSConnection
from pathlib import Path

import psycopg
from redis import Redis

from referralhub.config import PROJECT
from tests import servers

WEB = ("web-1", "web-2")
SERVICES = ("nginx", *WEB, "worker", "postgresql", "redis")


class Topology(servers.Server):
    """nginx, two web processes, a worker, PostgreSQL and Redis; settings may be given."""

    patience = 60

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.environment = os.environ | settings
        self.output = folder / "output"

    def command(self) -> list[str | Path]:
        return [PROJECT / "deploy/local.sh", self.folder]

    def options(self) -> dict[str, object]:
        return {"env": self.environment, "stdout": self._output, "stderr": self._output, "start_new_session": True}

    def start(self) -> None:
        with self.output.open("wb") as self._output:
            super().start()
        lines = (self.folder / "settings.env").read_text().splitlines()
        self.settings = dict(line.split("=", 1) for line in lines)
        self.base_url = self.settings["BASE_URL"]
        self.port = int(self.base_url.rpartition(":")[2])
        ports = map(int, self.settings["PORTS"].strip('"').split())
        self.ports = dict(zip(("http", "https", *WEB, "postgresql", "redis"), ports, strict=True))
        self.trusting = ssl.create_default_context(cafile=str(self.folder / "nginx/fullchain.pem"))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()
        return "is ready" in self.output.read_text()

    def pid(self, service: str) -> int:
        """Name the first process of a service."""
        return int((self.folder / "run" / service).read_text())

    def children(self, service: str) -> list[int]:
        """Name the processes that it started."""
        first = self.pid(service)
        return list(map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split()))

    def signal(self, service: str, signum: signal.Signals) -> None:
        os.kill(self.pid(service), signum)

    def connect(self, address: str = "127.0.0.1", port: int | None = None) -> HTTPSConnection:
        """Give a connection to nginx, from one of the many addresses of this machine, for a person each."""
        connection = HTTPSConnection("127.0.0.1", port or self.port, timeout=40, context=self.trusting)
        connection.source_address = (address, 0)
        return connection

    def flask(self, *arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run an operators' command as they do."""
        return subprocess.run(
            [PROJECT / "deploy/flask", *arguments],
            env=os.environ | {"ENVIRONMENT_FILE": str(self.folder / "settings.env")} | environment,
            input=typed, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def database(self) -> psycopg.Connection:
        return psycopg.connect(self.settings["DATABASE_URL"], autocommit=True)

    def redis(self) -> Redis:
        return Redis.from_url(self.settings["REDIS_URL"])

    def log(self, service: str) -> str:
        return (self.folder / "log" / f"{service}.log").read_text()


def missing() -> list[str]:
    """Name the packages that a machine lacks for it."""
    programs = {"nginx": "nginx", "redis-server": "redis-server", "openssl": "openssl"}
    path = f"{os.environ['PATH']}:/usr/sbin"
    lacks = [package for program, package in programs.items() if not shutil.which(program, path=path)]
    return lacks + ([] if list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) else ["postgresql"])
