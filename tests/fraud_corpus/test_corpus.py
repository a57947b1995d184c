"""How many attacks the fraud rules stop, and how many honest people they keep waiting. `pytest -s` shows the table."""

import sys
from collections.abc import Callable
from statistics import median

import pytest
from flask import Flask
from sqlalchemy import event

from referralhub.extensions import db
from tests.fraud_corpus.play import Result, play

ATTACKS, HONEST = 214, 215


def check(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{result.table()}\n")
    attacks, honest = result.total(attack=True), result.total(attack=False)
    assert (attacks.total(), honest.total()) == (ATTACKS, HONEST)
    assert attacks["confirmed"] <= 0.05 * ATTACKS, result.why
    assert honest.total() - honest["confirmed"] <= 0.02 * HONEST, result.why
    assert not (attacks + honest).keys() - {"confirmed", "held", "likely fraud", "not attributed"}, "a machine rejected"
    assert honest["not attributed"] == 0


@pytest.fixture
def quick_app(make_app: Callable[..., Flask], database: str) -> Flask:
    """An application for a crowd; nothing of it outlives the test, so nothing needs to reach the disk."""
    app = make_app(ratelimit_enabled=False)
    if database == "sqlite":
        with app.app_context():
            event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return app


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_attacks_are_held_and_honest_people_are_not(quick_app: Flask, capsys: pytest.CaptureFixture[str]):
    check(play(quick_app), capsys)


@pytest.mark.deep
def test_the_same_with_all_2031_friends_and_verifying_stays_quick(quick_app: Flask, capsys: pytest.CaptureFixture[str]):
    result = play(quick_app, most_friends=2031)
    check(result, capsys)
    usual, crowded = median(result.seconds["friends here and there"]), median(result.seconds["2,031 in five hours"])
    with capsys.disabled():
        sys.stdout.write(f"a verification takes {usual:.4f} s; with 2,031 friends {crowded:.4f} s\n")
    assert crowded < 3 * usual + 0.05
