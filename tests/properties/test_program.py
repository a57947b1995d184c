"""The ten things that must always hold, looked for by a machine that uses the program in every order there is."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import event

from referralhub.extensions import db
from tests import conftest
from tests.people import Clock
from tests.properties import selling_faults  # noqa: F401 - adds its own
from tests.properties.faults import FAULTS, Fault
from tests.properties.invariants import Broken
from tests.properties.machine import MemberMachine, ProgramMachine, ShopMachine
from tests.properties.world import World

QUICKLY_FOUND = {
    "cap ignored",
    "double count",
    "ledger without its triggers",
    "message queued twice under another key",
}
USUAL = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False)


@pytest.fixture
def world(
    make_app: Callable[..., Flask], clock: Clock, database: str, instance: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    app = make_app()
    emptying = _empty_sqlite if database == "sqlite" else _empty_postgresql
    with World(app, clock, emptying(app, instance, request)).running() as world:
        yield world


def _empty_sqlite(app: Flask, folder: Path, request: pytest.FixtureRequest) -> Callable[[], None]:
    migrated: Path = request.getfixturevalue("migrated_file")
    with app.app_context():
        engine = db.engine
    # Nothing here outlives the test, so nothing needs to reach the disk.
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))

    def empty() -> None:
        engine.dispose()
        shutil.copyfile(migrated, folder / "next.sqlite3")
        for rest in folder.glob("referralhub.sqlite3-*"):
            rest.unlink()
        (folder / "next.sqlite3").replace(folder / "referralhub.sqlite3")

    return empty


def _empty_postgresql(app: Flask, folder: Path, request: pytest.FixtureRequest) -> Callable[[], None]:
    server = request.getfixturevalue("postgresql")
    return lambda: server.execute(conftest._EMPTY, "tests")


def run(world: World, chosen: settings, every: int = 0, kind: type[ProgramMachine] = ProgramMachine) -> int:
    """Run the machine, of this `kind`, and say how many examples it took; with `every`, print a line after so many."""
    started = 0

    def machine() -> ProgramMachine:
        nonlocal started
        started += 1
        if every and started % every == 0:
            sys.stdout.write(f"{world.engine.dialect.name}: {started} examples\n")
            sys.stdout.flush()
        return kind(world)

    # Hypothesis follows each example with up to five that are nearly the same: here each takes as long as a new one.
    only_new = mock.patch.object(ConjectureRunner, "generate_mutations_from")
    try:
        with only_new:
            run_state_machine_as_test(machine, settings=chosen)
    except Broken as error:
        error.examples = started
        raise
    return started


# A failure is not made smaller here, which can take minutes; the run for long does that.
@pytest.mark.parametrize("kind", [ProgramMachine, ShopMachine])
def test_what_must_always_hold(world: World, kind: type[ProgramMachine]):
    few = settings(
        USUAL,
        max_examples=8 if kind is ProgramMachine else 6,
        stateful_step_count=30,
        derandomize=True,
        phases=(Phase.generate,),
    )
    run(world, few, kind=kind)


@pytest.mark.deep
@pytest.mark.parametrize("kind", [ProgramMachine, MemberMachine, ShopMachine])
def test_what_must_always_hold_for_long(world: World, kind: type[ProgramMachine], capfd: pytest.CaptureFixture[str]):
    examples = int(os.environ.get("PROPERTY_EXAMPLES", "500"))
    with capfd.disabled():
        run(world, settings(USUAL, max_examples=examples, stateful_step_count=50), every=25, kind=kind)


def _marked(fault: Fault) -> object:
    return pytest.param(fault, id=fault.name, marks=() if fault.name in QUICKLY_FOUND else pytest.mark.deep)


@pytest.mark.parametrize("fault", [_marked(fault) for fault in FAULTS])
@pytest.mark.parametrize("database", ["sqlite"])
def test_the_machine_finds_a_deliberate_fault(world: World, fault: Fault):
    enough = settings(
        USUAL,
        max_examples=300,
        stateful_step_count=40,
        derandomize=True,
        phases=(Phase.generate,),
        verbosity=Verbosity.quiet,
    )
    with fault.breaking(world), pytest.raises(Broken) as found:
        run(world, enough, kind=fault.machine)
    message, examples = str(found.value), found.value.examples - 1  # the last one is the failing one, once more
    sys.stdout.write(f"{fault.name}: example {examples}: {message.splitlines()[0][:150]}\n")
    assert found.value.number in fault.numbers, message
