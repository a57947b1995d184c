"""Members by the thousand: everything about them follows from the ledger, and loading them twice changes nothing."""

from collections import Counter

import pytest

from referralhub.extensions import db
from referralhub.models import (
    NO_PASSWORD,
    AuditLine,
    BadgeAward,
    OutboxMessage,
    Profile,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    RewardKind,
    User,
    VisitDaily,
)
from referralhub.services.ledger import recount
from referralhub.services.ledger.entries import lines
from referralhub.services.links.visits import DAYS_KEPT, FOLDED
from referralhub.services.program import rules
from referralhub.services.shared import audit, codes

MEMBERS = 400


@pytest.fixture
def run(app):
    def command(*words: str, expect: int = 0) -> str:
        result = app.test_cli_runner().invoke(args=words)
        assert result.exit_code == expect, result.output
        return result.output

    return command


@pytest.fixture
def loaded(run) -> str:
    return run("seed", "bulk", "--members", str(MEMBERS))


def test_they_are_loaded_once_and_no_drift_is_found(run, loaded, records):
    assert "400 members loaded in" in loaded
    assert "Everything follows from the ledger" in run("ledger", "verify")
    before = records.everything()
    assert "bulk members are here already" in run("seed", "bulk", "--members", "50")
    assert records.everything() == before


def test_codes_that_were_drawn_already_are_drawn_again(run, records, monkeypatch):
    monkeypatch.setattr(codes, "LENGTH", 2)  # 1,296 codes: two of hundreds draw the same for certain
    run("seed", "demo")
    demo = len(records.all(Profile))
    run("seed", "bulk", "--members", str(MEMBERS))
    assert len({profile.code for profile in records.all(Profile)}) == demo + MEMBERS


def test_nobody_can_sign_in_and_nobody_is_mailed(loaded, records):
    users = records.all(User)
    assert len(users) == MEMBERS
    assert {user.password_hash for user in users} == {NO_PASSWORD}
    assert {user.email.rpartition("@")[2] for user in users} <= {"example.com", "example.org", "example.net"}
    assert records.all(OutboxMessage) == []


def test_the_trail_tells_how_each_referral_came_to_its_state(loaded, records):
    trails: dict[int, list[ReferralEvent]] = {}
    for event in records.all(ReferralEvent):
        trails.setdefault(event.referral_id, []).append(event)
    states = Counter()
    for referral in records.all(Referral):
        states[referral.state] += 1
        trail = trails[referral.id]
        assert [event.from_state for event in trail] == [None, *(event.to_state for event in trail[:-1])]
        assert trail[-1].to_state is referral.state
        assert referral.decided_at is None or referral.decided_at == trail[-1].created
        assert [event.created for event in trail] == sorted(event.created for event in trail)
        judged = [event.evidence["assessment"] for event in trail if "assessment" in event.evidence]
        assert [found["score"] for found in judged] == ([] if referral.score is None else [referral.score])
        if referral.state in {ReferralState.HELD, ReferralState.REJECTED}:
            assert judged[0]["verdict"] != "clear"
    assert set(states) == set(ReferralState)


def test_what_was_reversed_is_taken_back_in_the_ledger(loaded, records, app):
    reversed_ = {referral.id for referral in records.all(Referral, state=ReferralState.REVERSED)}
    entries = {entry.id: entry for entry in records.all(RewardEntry)}
    taken = [entry for entry in entries.values() if entry.kind is RewardKind.REVERSAL]
    assert {entries[entry.reverses_id].referral_id for entry in taken} == reversed_
    with app.app_context():
        shown = lines(taken[0].profile_id).lines
    numbers = sorted(
        (entry for entry in entries.values() if entry.profile_id == taken[0].profile_id), key=lambda e: -e.id
    )
    assert [line.balance for line in shown] == [entry.balance for entry in numbers[: len(shown)]]


def test_decisions_are_in_the_audit_log(loaded, records, app):
    decided = records.all(Referral, state=ReferralState.REJECTED) + records.all(Referral, state=ReferralState.REVERSED)
    log = records.all(AuditLine, subject="referral")
    assert sorted(line.subject_id for line in log) == sorted(referral.id for referral in decided)
    with app.app_context():
        assert audit.verify().broken_at is None


def test_visits_are_as_the_worker_leaves_them(loaded, records, clock):
    days = {visit.day for visit in records.all(VisitDaily)}
    assert FOLDED in days
    assert min(days - {FOLDED}) >= clock().date() - DAYS_KEPT


@pytest.mark.parametrize("preset", ["dropbox", "paypal", "tesla"])
def test_the_ledger_follows_the_program_in_force(run, records, app, preset: str):
    bonus = {"milestones": [{"at": 2, "bonus": 300}, {"at": 5, "bonus": 900}], "member_cap": 5000}
    with app.app_context():
        rules.change(rules.PRESETS[preset] | bonus, app.config["CLOCK"]())
    run("seed", "bulk", "--members", str(MEMBERS))
    assert "Everything follows" in run("ledger", "verify")
    earned = Counter()
    for entry in records.all(RewardEntry):
        if entry.kind is not RewardKind.FRIEND:
            earned[entry.profile_id] += entry.amount
    assert max(earned.values()) <= 5000
    assert any(entry.kind is RewardKind.MILESTONE for entry in records.all(RewardEntry))


def test_a_recount_of_many_mends_badges_and_counts(loaded, records, app, clock, run):
    def damage() -> None:
        db.session.execute(db.delete(BadgeAward))
        db.session.execute(db.update(Profile).values(referral_count=7))  # also of those who brought nobody

    records.change(damage)
    assert "badges" in run("ledger", "verify", expect=1)
    with app.app_context():
        recount.repair(app.extensions["redis"], clock())
    assert "Everything follows" in run("ledger", "verify")


def test_others_can_join_afterwards(loaded, alice, records):
    alice.sign_up()
    assert records.one(User, username="alice").id > MEMBERS
