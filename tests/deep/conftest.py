"""A million members, loaded once for the tests that need so many."""

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from referralhub.extensions import db
from tests.conftest import extra_database
from tests.functional.sample.test_growth import look_at_tables, program_at

MEMBERS = 1_000_000


@dataclass(frozen=True)
class Million:
    """Where the members are, and what loading them took."""

    url: str
    output: str
    exit_code: int
    members: int
    seconds: float
    gibibytes: float  # of memory, at most


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
