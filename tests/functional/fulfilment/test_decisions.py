"""A reward is handed over once, whoever says so, how often, and whatever else happens at that moment."""

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralhub.extensions import db
from referralhub.models import AuditLine, Reward, RewardEntry, RewardKind, RewardState
from referralhub.services.fulfilment import decisions
from referralhub.services.shared.audit import OPERATOR
from referralhub.services.shared.errors import Conflict, DomainError, NotFound
from tests.people import all_at_once

PAYOUT = RewardKind.PAYOUT


@pytest.fixture(autouse=True)
def in_order(books):
    yield
    books.close()


def test_handed_over_it_is_paid_once_and_the_first_word_counts(books, records, clock):
    entry = books.credit(500)
    clock.advance(hours=1)
    assert books.fulfil(1, " invoice 7 ")
    assert not books.fulfil(1, "invoice 8")
    reward, payout = records.one(Reward), records.one(RewardEntry, kind=PAYOUT)
    assert (reward.state, reward.reference, reward.payout_id) == (RewardState.FULFILLED, "invoice 7", payout.id)
    assert (payout.amount, payout.unit, payout.note, payout.balance) == (-500, "EUR", "invoice 7", 0)
    assert (reward.entry_id, reward.changed) == (entry, clock())
    line = records.one(AuditLine, subject="reward")
    assert (line.action, line.subject_id) == ("reward.fulfilled", 1)
    assert (line.before, line.after["reference"]) == ({"state": "due"}, "invoice 7")
    with pytest.raises(Conflict, match="reward_fulfilled"):
        books.fail(1, "too late")


def test_what_failed_stays_owed_until_it_is_handed_over(app: Flask, books, records, clock):
    books.credit(500)
    assert books.fail(1, "no account")
    assert not books.fail(1, "another reason")
    assert (records.one(Reward).state, records.one(Reward).reason) == (RewardState.FAILED, "no account")
    assert books.balance == (500, 0)
    with app.app_context():
        assert decisions.retry(1, OPERATOR, clock())
        assert not decisions.retry(1, OPERATOR, clock())
    assert (records.one(Reward).state, records.one(Reward).reason) == (RewardState.DUE, "")
    books.fail(1, "still none")
    assert books.fulfil(1)
    records.one(RewardEntry, kind=PAYOUT)
    assert [line.action for line in records.all(AuditLine, subject="reward")] == [
        "reward.failed", "reward.due", "reward.failed", "reward.fulfilled",
    ]  # fmt: skip


def test_what_failed_is_withdrawn_where_it_is_taken_back(books, records):
    entry = books.credit(500)
    books.fail(1, "no account")
    books.take_back(entry)
    assert books.rewards == [(entry, 500, "withdrawn")]
    with pytest.raises(Conflict, match="reward_withdrawn"):
        books.fail(1, "again")


def test_handed_over_after_it_was_withdrawn_is_the_truth_and_a_debt(books):
    entry, other = books.credit(500), books.credit(200)
    books.take_back(entry)
    assert books.fulfil(1, "left already")
    assert books.balance == (-300, -300)
    assert books.rewards == [(entry, 500, "fulfilled"), (other, 200, "withdrawn")]


def test_of_the_smaller_one_after_it_nothing_is_due_then(books):
    older, entry = books.credit(100), books.credit(100)
    books.post(-200)
    assert books.due == {}
    books.program(handed_over=False)
    books.post(200)
    assert books.due == {entry: 100, older: 100}
    first = next(number for number, (of, *_) in enumerate(books.rewards, 1) if of == entry)
    assert books.fulfil(first)  # the first of two
    assert books.due == {older: 100}
    assert books.balance == (100, 0)


def test_what_cannot_be_kept_or_is_not_there_is_refused(books):
    books.credit(500)
    for words in ("x" * 201, "a\nb", "a\0b", "\ud800"):
        with pytest.raises(DomainError, match="words_malformed"):
            books.fulfil(1, words)
    with pytest.raises(NotFound):
        books.fulfil(2)
    assert books.rewards[0][2] == "due"


def test_said_by_many_at_once_it_is_paid_once(books, records):
    books.credit(500)
    books.credit(300)
    done = all_at_once([lambda number=number: books.fulfil(1 + number % 2, str(number)) for number in range(12)])
    assert sum(done) == 2
    assert sorted(entry.amount for entry in records.all(RewardEntry, kind=PAYOUT)) == [-500, -300]
    assert books.balance == (0, 0)


def test_handed_over_while_it_is_taken_back_it_is_withdrawn_or_a_debt(books, records):
    entries = [books.credit(100) for _ in range(4)]
    rewards = [books.reward(entry) for entry in entries]
    all_at_once(
        [lambda entry=entry: books.take_back(entry) for entry in entries]
        + [lambda reward=reward: books.fulfil(reward) for reward in rewards]
    )
    assert books.balance == (-400, -400)
    assert {state for _, _, state in books.rewards} == {"fulfilled"}
    assert len(records.all(RewardEntry, kind=PAYOUT)) == 4


def test_failed_and_handed_over_at_once_one_of_them_is_first(books, records):
    books.credit(500)

    def fail() -> bool:
        try:
            return books.fail(1, "no account")
        except Conflict:
            return False

    all_at_once([fail, lambda: books.fulfil(1)] * 4)
    assert books.rewards[0][2] == "fulfilled"
    records.one(RewardEntry, kind=PAYOUT)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reward SET state = 'due', payout_id = NULL WHERE id = 1",
        "UPDATE reward SET payout_id = 1 WHERE id = 1",  # a second payout for it
        "UPDATE reward SET amount = 1 WHERE id = 1",
        "DELETE FROM reward WHERE id = 1",
        "UPDATE reward SET state = 'fulfilled' WHERE id = 2",  # without a payout
        "UPDATE reward SET state = 'fulfilled', payout_id = (SELECT payout_id FROM reward WHERE id = 1) WHERE id = 2",
        "INSERT INTO reward SELECT 9, entry_id, 2, profile_id, amount, unit, state, '', '', NULL, changed, created "
        "FROM reward WHERE id = 2",  # a second one that is due for an entry
        "INSERT INTO reward SELECT 9, entry_id, 1, profile_id, amount, unit, 'withdrawn', '', '', NULL, changed, "
        "created FROM reward WHERE id = 2",
    ],
)
def test_the_database_itself_refuses(app: Flask, books, records, change: str):
    books.credit(500)
    books.credit(300)
    books.fulfil(1)
    before = records.everything()
    with app.app_context(), pytest.raises(DBAPIError):
        db.session.execute(text(change))
        db.session.commit()
    assert records.everything() == before
