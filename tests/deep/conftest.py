"""Many members, loaded once for the tests that need so many."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest
from sqlalchemy import text

from referralhub.extensions import db
from tests import servers
from tests.conftest import extra_database
from tests.deep.load import Newcomer, join
from tests.deep.topology import Topology, missing
from tests.functional.sample.test_growth import look_at_tables, program_at

MEMBERS = 1_000_000
CROWD = 100_000  # members behind nginx
DASHBOARDS = 40  # of members who are looking
Table = list[tuple[str, ...]]  # what was tried, how much of it, and what came of it


@dataclass(frozen=True)
class Million:
    """Where the members are, and what loading them took."""

    url: str
    output: str
    exit_code: int
    members: int
    seconds: float
    gibibytes: float  # of memory, at most


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say something that is read although the test passes."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return say


@pytest.fixture(scope="session")
def million(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Million]:
    folder: Path = tmp_path_factory.mktemp("million")
    with extra_database("postgresql", folder, request, migrated=True) as url:
        with program_at(url, folder, request) as app:
            look_at_tables()
            run = app.test_cli_runner().invoke
            run(args=["leaderboard", "rebuild"])  # a worker was there before, so that everybody moves at once
            begun = time.perf_counter()
            loaded = run(args=["seed", "bulk", "--members", str(MEMBERS)])
            seconds = time.perf_counter() - begun
            members = db.session.scalar(text('SELECT count(*) FROM "user"'))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        yield Million(url, loaded.output, loaded.exit_code, members, seconds, memory)


@dataclass(frozen=True)
class Crowd:
    """What production is made of, with many members; their links, and those who are looking at their dashboards."""

    topology: Topology
    codes: list[str]
    members: list[Newcomer]


def needs_packages() -> None:
    """Skip what cannot be tried here."""
    if lacks := missing():
        pytest.skip(f"nothing was proved: Debian has what is missing, apt-get install {' '.join(lacks)}")


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    """Start it; what Redis writes is in a file system of its own, which can become full where the tests run as root."""
    needs_packages()
    with servers.short_folder() as folder:
        (folder / "redis").mkdir()
        mounted = not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256m", "redis", folder / "redis"], check=False, capture_output=True
        ).returncode
        try:
            with Topology(folder) as topology:
                loaded = topology.flask("seed", "bulk", "--members", str(CROWD))
                assert loaded.returncode == 0, loaded.stderr
                with topology.database() as connection:
                    connection.execute("ANALYZE")
                    rows = connection.execute("SELECT code FROM profile WHERE listed ORDER BY id").fetchall()
                codes = [row[0] for row in rows]
                members = join(topology, DASHBOARDS, codes, "member")
                yield Crowd(topology, codes, members)
                for member in members:
                    member.connection.close()
        finally:
            if mounted:
                subprocess.run(["umount", folder / "redis"], check=True)


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Take rows of what was measured, which are printed as one table in the end."""
    rows: Table = []
    yield rows
    columns = list(zip_longest(*rows, fillvalue=""))
    widths = [max(map(len, column)) for column in columns]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        for row in zip(*columns, strict=True):
            sys.stdout.write("\n" + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
        sys.stdout.write("\n")
