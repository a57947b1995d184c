"""An import while somebody else writes to the same database: another import, or a member who joins."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from flask import Flask

from referralhub import database as ways
from referralhub.clock import system_clock
from referralhub.models import User
from referralhub.services.accounts import signup
from referralhub.services.operations import archive
from tests.archives import OTHER, command
from tests.conftest import extra_database
from tests.people import Records


@pytest.fixture
def saved(app: Flask, alice, tmp_path: Path) -> Path:
    alice.sign_up()
    command(app, "export", str(tmp_path / "archive"))
    return tmp_path / "archive"


@pytest.fixture
def elsewhere(make_app, database: str, tmp_path: Path, request, monkeypatch):
    """An empty program, whose SQLite does not wait long."""
    monkeypatch.setattr(ways, "SQLITE_WAITS", 0.5)
    with extra_database(OTHER[database], tmp_path, request, migrated=True) as url:
        yield make_app(database_url=url)


@pytest.fixture
def halfway(elsewhere: Flask, saved: Path):
    """An import that has seen that the database is empty, and goes on when it is told to."""
    seen, go_on, errors = Event(), Event(), []

    def stop(_: int) -> None:
        seen.set()
        go_on.wait(20)

    def run() -> None:
        try:
            with elsewhere.app_context():
                archive.restore(saved, stop)
        except Exception as error:
            errors.append(error)

    thread = Thread(target=run)
    thread.start()
    seen.wait(20)

    def finish() -> None:
        go_on.set()
        thread.join()
        assert errors == []

    yield finish
    go_on.set()
    thread.join()


def test_the_second_says_that_another_is_running(halfway: Callable[[], None], elsewhere: Flask, saved: Path):
    said = command(elsewhere, "import", str(saved), expect=1)
    assert "nother import" in said
    assert "Nothing was changed" in said
    assert "contradicts" not in said
    halfway()
    assert "here already" in command(elsewhere, "import", str(saved))


def test_who_joins_meanwhile_waits_and_contradicts_nothing(halfway: Callable[[], None], elsewhere: Flask, monkeypatch):
    def join() -> None:
        with elsewhere.app_context():
            signup.create_admin("grace", "grace@example.com", "grace likes tea", system_clock())

    other = Thread(target=join)
    other.start()
    other.join(0.2)
    assert other.is_alive()
    halfway()
    other.join()
    assert [user.username for user in Records(elsewhere).all(User)] == ["alice", "grace"]
