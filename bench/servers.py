"""What runs while something is measured: PostgreSQL, Redis, and one Granian for each that is measured."""

import http.client
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from referralhub.config import PROJECT
from tests import servers
from tests.servers import BIN, free_port

WORKERS = 2


class PostgreSQL(servers.PostgreSQL):
    """A PostgreSQL with everything that keeps data safe switched on, which counts its statements."""

    def command(self) -> list[str | Path]:
        """Start it on a socket."""
        chosen = (
            "listen_addresses=", "shared_buffers=1GB", "max_wal_size=4GB", "random_page_cost=1.1",
            "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=top",
        )  # fmt: skip
        settings = [part for setting in chosen for part in ("-c", setting)]
        return [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings]

    def options(self) -> dict[str, object]:
        """Ctrl-C is for the benchmarks, which then end this after those that use it."""
        return super().options() | {"start_new_session": True}

    def start(self) -> None:
        """Start it, ready to count."""
        super().start()
        self.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def forget_statements(self) -> None:
        """Count from zero."""
        self.execute("SELECT pg_stat_statements_reset()")

    def statements(self, database: str) -> int:
        """Return how many statements a database was asked, but for those that begin and end transactions."""
        with psycopg.connect(f"host={self.folder} user=postgres dbname=postgres") as connection:
            row = connection.execute(
                "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid "
                "WHERE datname = %s AND query !~* '^(BEGIN|COMMIT|ROLLBACK)'",
                [database],
            ).fetchone()
        return int(row[0]) if row else 0


class Granian(servers.Server):
    """A web server of two processes with one thread each, as production has it."""

    patience = 90

    def __init__(self, application: str, environment: dict[str, str]) -> None:
        self.application, self.environment = application, os.environ | environment
        self.port = free_port()

    def command(self) -> list[str | Path]:
        """Start it as the Procfile does, with room for ten thousand connections that are kept open."""
        return [
            BIN / "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port),
            "--workers", str(WORKERS), "--blocking-threads", "1", "--no-ws", "--log-level", "warning",
            "--backpressure", "16384", "--workers-kill-timeout", "5", self.application,
        ]  # fmt: skip

    def options(self) -> dict[str, object]:
        """Say what goes wrong where everybody can read it."""
        return {"cwd": PROJECT, "env": self.environment, "stderr": None, "start_new_session": True}

    def answers(self) -> bool:
        """Whether both processes are there, and one answers."""
        if len(self.workers()) < WORKERS:
            return False
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            connection.close()
            return True
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and whatever of it did not hear."""
        process = self.process
        super().stop(how)
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]

    def memory(self) -> float:
        """Return the MB that one process has for itself, on the average."""
        return sum(worker.memory_full_info().uss for worker in self.workers()) / WORKERS / 1e6


class Worker(servers.Server):
    """ReferralHub's worker, as the Procfile starts it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = os.environ | environment

    def command(self) -> list[str | Path]:
        """Start it."""
        return [BIN / "flask", "--app", "wsgi", "worker"]

    def options(self) -> dict[str, object]:
        """As for the web server."""
        return {"cwd": PROJECT, "env": self.environment, "start_new_session": True}

    def answers(self) -> bool:
        """There is nothing to ask."""
        return self.process is not None and self.process.poll() is None


def run(environment: dict[str, str], *command: str) -> str:
    """Run a Python module with these settings, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def run_for_json(environment: dict[str, str], *command: str) -> Any:
    """Run a Python module that prints JSON."""
    return json.loads(run(environment, *command))


def open_files(wanted: int) -> int:
    """Allow this process, and those that it starts, so many open files as far as can be; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    return max(soft, allowed)
