"""A database as an earlier release left it is brought up to date, and life goes on in it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from referralhub.extensions import db
from referralhub.migrations import upgrade
from referralhub.models import Program, Referral, RewardEntry, User
from tests.conftest import extra_database
from tests.people import Person, PostOffice, Records

# Two seeds, a preset, a perk and its claim, a reversal: all made by the program as it was at that revision, on SQLite.
OLD = Path(__file__).parent.parent / "data" / "members_at_0005.jsonl"


@pytest.fixture
def upgraded(make_app: Callable[..., Flask], database: str, tmp_path: Path, request) -> Iterator[Flask]:
    """An application of today, with that database."""
    with extra_database(database, tmp_path, request, migrated=False) as url:
        app = make_app(database_url=url)
        with app.app_context():
            upgrade(revision="0005")
            with db.engine.begin() as connection:
                fill(connection)
        assert app.test_client().get("/readyz").json["database"] == "migrations_pending"
        assert app.test_cli_runner().invoke(args=["db", "upgrade"]).exit_code == 0
        yield app
        with app.app_context():
            db.engine.dispose()


def fill(connection: Connection) -> None:
    """Put the rows in as they were stored: nothing of today's program has a say."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
    connection.execute(text("DELETE FROM program"))
    for line in map(json.loads, OLD.read_text().splitlines()):
        names, values = ", ".join(f'"{name}"' for name in line["row"]), ", ".join(f":{name}" for name in line["row"])
        connection.execute(text(f'INSERT INTO "{line["table"]}" ({names}) VALUES ({values})'), line["row"])
    if connection.dialect.name == "postgresql":
        for table in {line["table"] for line in map(json.loads, OLD.read_text().splitlines()) if "id" in line["row"]}:
            quoted = f'"{table}"'
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{quoted}', 'id'), max(id)) FROM {quoted}"))


def before(table: str, *columns: str) -> list[tuple[Any, ...]]:
    lines = map(json.loads, OLD.read_text().splitlines())
    return [tuple(line["row"][column] for column in columns) for line in lines if line["table"] == table]


def command(app: Flask, *words: str) -> str:
    result = app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_balance_state_and_code_is_what_it_was_and_the_books_are_right(upgraded: Flask):
    records = Records(upgraded)
    ledger = [(e.profile_id, e.kind.value, e.amount, e.balance, e.unit) for e in records.all(RewardEntry)]
    was = before("reward_entry", "profile_id", "kind", "amount", "balance", "unit")
    assert ledger == [(*entry, "USD" if unit == "us_cents" else unit) for *entry, unit in was]
    assert [(p.unit, p.currency) for p in records.all(Program)] == [
        ("money" if unit == "us_cents" else unit, "USD") for (unit,) in before("program", "unit")
    ]
    states = [(r.id, r.referrer_id, r.friend_id, r.state.value) for r in records.all(Referral)]
    assert states == before("referral", "id", "referrer_id", "friend_id", "state")
    codes = sorted((user.id, user.profile.code) for user in records.all(User))
    assert codes == sorted(before("profile", "user_id", "code"))
    command(upgraded, "leaderboard", "rebuild")
    assert "Everything follows from the ledger" in command(upgraded, "ledger", "verify")
    *_, (head,) = before("audit_log", "digest")
    assert head in command(upgraded, "audit", "verify")


def test_its_members_sign_in_and_bring_friends(upgraded: Flask):
    post_office = PostOffice(upgraded)
    mira = Person(upgraded, post_office, "mira")
    mira.password = "try-ReferralHub"
    mira.sign_in()
    page = mira.get("/dashboard/")
    for path in (
        "/dashboard/referrals",
        "/dashboard/rewards",
        "/dashboard/network",
        "/leaderboard",
        "/account/profile",
    ):
        mira.get(path)
    dora = Person(upgraded, post_office, "dora")
    dora.click(mira.link)
    dora.sign_up()
    dora.confirm_address()
    assert mira.get("/dashboard/").stat("total_referrals") == page.stat("total_referrals") + 1
    command(upgraded, "program", "set", "hold_days", "3")
    command(upgraded, "ledger", "verify")
    command(upgraded, "audit", "verify")
