"""`ledger verify` finds rewards that do not follow from the ledger."""

import pytest
from flask import Flask
from sqlalchemy import text

from referralhub.extensions import db

WORDS = {
    "payout_without_reward": "is a payout, no reward was handed over for it",
    "payout_is_not_the_rewards": "is not its payout",
    "several_rewards_due": "2 rewards are due for it",
    "reward_without_credit": "of its credit",
    "rewards_without_cover": "are due, the ledger has",
}


def break_in(app: Flask, change: str) -> None:
    """Change what the database itself refuses to change."""
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            for trigger in ("reward_final_update", "reward_entry_no_update"):
                db.session.execute(text(f"DROP TRIGGER {trigger}"))
        else:
            db.session.execute(text("SET LOCAL session_replication_role = replica"))
        db.session.execute(text(change))
        db.session.commit()


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (
            "INSERT INTO reward_entry"
            " (id, profile_id, kind, amount, balance, number, unit, note, available_at, created)"
            " SELECT 99, profile_id, 'payout', -5, balance - 5, number + 1, unit, '', available_at, created"
            " FROM reward_entry WHERE kind = 'payout'",
            {"payout_without_reward", "rewards_without_cover"},
        ),
        ("UPDATE reward SET amount = 301 WHERE id = 2", {"reward_without_credit", "rewards_without_cover"}),
        ("UPDATE reward SET unit = 'USD' WHERE id = 2", {"reward_without_credit", "rewards_without_cover"}),
        ("UPDATE reward SET amount = 400 WHERE id = 1", {"payout_is_not_the_rewards"}),
        (
            "UPDATE reward SET payout_id = entry_id WHERE id = 1",
            {"payout_is_not_the_rewards", "payout_without_reward"},
        ),
    ],
)
def test_each_of_these_is_found(app: Flask, books, run, change: str, codes: set[str]):
    books.credit(500)
    books.credit(300)
    books.fulfil(1)
    assert run("ledger", "verify").output.splitlines()[-1] == "Everything follows from the ledger."
    break_in(app, change)
    found = run("ledger", "verify", expect=1).output
    assert {code for code, words in WORDS.items() if words in found} == codes


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_two_that_are_due_for_one_credit_are_found(app: Flask, books, run):
    books.credit(300)
    break_in(app, "DROP INDEX uq_reward_open")
    columns = "profile_id, amount, unit, state, reference, reason, changed, created"
    with app.app_context():
        db.session.execute(text(f"INSERT INTO reward (entry_id, number, {columns}) SELECT 1, 2, {columns} FROM reward"))
        db.session.commit()
    found = run("ledger", "verify", expect=1).output
    assert {code for code, words in WORDS.items() if words in found} == {"several_rewards_due", "rewards_without_cover"}
