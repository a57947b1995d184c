"""Deliberate faults: each breaks the program in one place, and the machine must find it."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest import mock

from sqlalchemy import Select, delete, select, text, update

from referralhub import mail_content
from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import (
    Appeal,
    LeaderboardChange,
    MessageKind,
    OneTimeToken,
    OutboxMessage,
    Perk,
    Profile,
    ReferralState,
    RewardKind,
    TokenPurpose,
    User,
)
from referralhub.services.accounts import credentials, erasure, sign_ins, tokens
from referralhub.services.ledger import badges, entries, leaderboard
from referralhub.services.mailing import delivery, outbox
from referralhub.services.perks import claims
from referralhub.services.program import rules
from referralhub.services.recourse import answers, appeals, decisions, late_codes, missing
from referralhub.services.referrals import attribution, figures, invitation_progress, lifecycle, statistics, transitions
from referralhub.services.shared import figure_changes
from referralhub.services.shared.figure_changes import TRUSTED
from tests.properties.machine import MemberMachine, ProgramMachine
from tests.properties.world import World


@dataclass(frozen=True)
class Fault:
    """One way to break the program, and the numbers of the invariants of which one is then broken."""

    name: str
    breaking: Callable[[World], AbstractContextManager[object]]
    numbers: frozenset[int]
    machine: type[ProgramMachine]  # which takes the steps that matter often enough


Breaking = Callable[[World], Iterator[None]]
FAULTS: list[Fault] = []


def fault(*numbers: int, machine: type[ProgramMachine] = MemberMachine) -> Callable[[Breaking], Breaking]:
    def add(function: Breaking) -> Breaking:
        name = function.__name__.replace("_", " ")
        FAULTS.append(Fault(name, contextmanager(function), frozenset(numbers), machine))
        return function

    return add


def instead(module: Any, name: str, write: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    """Put another function in the place of one; `write` gets the old one."""
    return mock.patch.object(module, name, write(getattr(module, name)))


@fault(3, 7)
def credit_given_twice_without_the_constraint(world: World) -> Iterator[None]:
    def write(credit: Callable[..., Any]) -> Callable[..., Any]:
        def twice(*args: Any) -> Any:
            credit(*args)
            return credit(*args)

        return twice

    world.changes.append(lambda world: without_index(world, "uq_reward_entry_referral"))
    with instead(entries, "credit", write):
        yield


@fault(3)
def reversal_written_twice_without_the_constraint(world: World) -> Iterator[None]:
    def write(post: Callable[..., Any]) -> Callable[..., Any]:
        def twice(session: Any, profile_id: int, kind: RewardKind, *args: Any, **values: Any) -> Any:
            if kind is RewardKind.REVERSAL:
                post(session, profile_id, kind, *args, **values)
            return post(session, profile_id, kind, *args, **values)

        return twice

    world.changes.append(lambda world: _without(world, "uq_reward_entry_reverses_id"))
    with instead(entries, "post", write):
        yield


@fault(3)
def reversal_of_half_the_amount(world: World) -> Iterator[None]:
    def write(post: Callable[..., Any]) -> Callable[..., Any]:
        def half(session: Any, profile_id: int, kind: RewardKind, amount: int, *args: Any, **values: Any) -> Any:
            amount = amount // 2 if kind is RewardKind.REVERSAL else amount
            return post(session, profile_id, kind, amount, *args, **values)

        return half

    with instead(entries, "post", write):
        yield


@fault(4)
def ledger_without_its_triggers(world: World) -> Iterator[None]:
    def drop(world: World) -> None:
        with world.engine.begin() as connection:
            connection.execute(text("DROP TRIGGER reward_entry_no_update"))
            connection.execute(text("DROP TRIGGER reward_entry_no_delete"))

    world.changes.append(drop)
    yield


@fault(8)
def forgotten_event(world: World) -> Iterator[None]:
    def write(record: Callable[..., Any]) -> Callable[..., Any]:
        def forgetful(session: Any, referral_id: int, before: Any, after: ReferralState, *args: Any) -> None:
            if after is not ReferralState.HELD:
                record(session, referral_id, before, after, *args)

        return forgetful

    with instead(transitions, "record", write):
        yield


@fault(5, 6)
def double_count(world: World) -> Iterator[None]:
    def write(count: Callable[..., Any]) -> Callable[..., Any]:
        return lambda session, profile_id, change, now: count(session, profile_id, 2 * change, now)

    with instead(transitions, "count", write):
        yield


@fault(8)
def forgotten_message(world: World) -> Iterator[None]:
    def write(queue: Callable[..., Any]) -> Callable[..., Any]:
        def forgetful(session: Any, kind: MessageKind, *args: Any, **values: Any) -> None:
            if kind is not MessageKind.REFERRAL_REVERSED:
                queue(session, kind, *args, **values)

        return forgetful

    with instead(outbox, "queue", write):
        yield


@fault(8)
def message_queued_twice_under_another_key(world: World) -> Iterator[None]:
    def write(queue: Callable[..., Any]) -> Callable[..., Any]:
        def twice(session: Any, kind: MessageKind, user_id: int, key: str, *args: Any, **values: Any) -> None:
            queue(session, kind, user_id, key, *args, **values)
            if kind is MessageKind.REFERRAL_CONFIRMED:
                queue(session, kind, user_id, f"{key}again", *args, **values)

        return twice

    with instead(outbox, "queue", write):
        yield


@fault(5, 7)
def cap_ignored(world: World) -> Iterator[None]:
    with mock.patch.object(entries, "within_cap", lambda session, profile_id, program, amount: amount):
        yield


@fault(6)
def hold_period_ignored_when_spending(world: World) -> Iterator[None]:
    def write(require: Callable[..., Any]) -> Callable[..., Any]:
        def impatient(session: Any, perk: Perk, profile_id: int, now: Any) -> None:
            require(session, perk, profile_id, now + timedelta(days=400))

        return impatient

    with instead(claims, "_require_reached", write):
        yield


@fault(6)
def overdraw_check_skipped(world: World) -> Iterator[None]:
    # The CHECK of the ledger still refuses what would leave less than nothing: see the test.
    with mock.patch.object(claims, "_require_reached", lambda *_: None):
        yield


@fault(6)
def stock_not_decreased(world: World) -> Iterator[None]:
    def write(take: Callable[..., Any]) -> Callable[..., Any]:
        def generous(session: Any, perk: Perk) -> Any:
            stock = perk.stock
            taken = take(session, perk)
            perk.stock = stock
            return taken

        return generous

    with instead(claims, "_take_from_stock", write):
        yield


@fault(6)
def stock_as_the_session_saw_it_before(world: World) -> Iterator[None]:
    class Stale(Select):
        inherit_cache = True

        def execution_options(self, **_: Any) -> "Stale":
            return self

    with mock.patch.object(claims, "select", Stale):
        yield


@fault(2)
def attribution_window_ignored(world: World) -> Iterator[None]:
    with mock.patch.object(
        attribution, "find_referrer", lambda session, link, now: attribution.find_by_code(link.code)
    ):
        yield


@fault(2)
def link_of_a_former_member_still_counts(world: World) -> Iterator[None]:
    def find(code: str) -> attribution.Referrer | None:
        profile_id = db.session.scalar(select(Profile.id).where(Profile.code == code.lower()))
        return attribution.Referrer(profile_id, "somebody", code.lower()) if profile_id else None

    with mock.patch.object(attribution, "find_by_code", find):
        yield


@fault(5)
def badges_not_taken_away(world: World) -> Iterator[None]:
    def write(adjust: Callable[..., Any]) -> Callable[..., Any]:
        def generous(session: Any, profile_id: int, count: int, now: Any) -> Any:
            return adjust(session, profile_id, max(count, len(badges.of_member(profile_id))), now)

        return generous

    with instead(badges, "adjust", write):
        yield


@fault(5)
def leaderboard_change_not_noted(world: World) -> Iterator[None]:
    with mock.patch.object(leaderboard, "changed", lambda session, profile_id: None):
        yield


@fault(8)
def decision_without_its_audit_line(world: World) -> Iterator[None]:
    with mock.patch.object(transitions, "audited", lambda *_: None):
        yield


@fault(5, 7)
def amounts_of_the_rules_in_force_today(world: World) -> Iterator[None]:
    def write(credit: Callable[..., Any]) -> Callable[..., Any]:
        return lambda session, referral, program, now: credit(session, referral, rules.current(), now)

    with instead(entries, "credit", write):
        yield


@fault(5, 7)
def milestone_bonus_forgotten(world: World) -> Iterator[None]:
    with mock.patch.object(entries, "credit_milestone", lambda *_: None):
        yield


@fault(7)
def credit_before_the_verification(world: World) -> Iterator[None]:
    def write(release: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: release(*args, verification_required=False)

    with instead(lifecycle, "release", write):
        yield


@fault(9)
def verification_not_idempotent(world: World) -> Iterator[None]:
    def write(verify: Callable[..., Any]) -> Callable[..., Any]:
        def again(token: str, now: Any) -> bool:
            first: bool = verify(token, now)
            digest = tokens._digest(token)
            with transaction() as session:
                whose = session.scalar(select(OneTimeToken.user_id).where(OneTimeToken.digest == digest))
                session.execute(update(User).where(User.id == whose).values(verified_at=now))
            return first

        return again

    with instead(credentials, "verify_address", write):
        yield


@fault(7)
def token_that_never_ends(world: World) -> Iterator[None]:
    with mock.patch.dict(tokens.LIFETIMES, {TokenPurpose.VERIFY_ADDRESS: timedelta(days=400)}):
        yield


@fault(7)
def token_for_whatever_purpose(world: World) -> Iterator[None]:
    def write(use: Callable[..., Any]) -> Callable[..., Any]:
        def lenient(session: Any, purpose: TokenPurpose, token: str, now: Any) -> Any:
            digest = tokens._digest(token)
            made_for = session.scalar(select(OneTimeToken.purpose).where(OneTimeToken.digest == digest))
            return use(session, made_for or purpose, token, now)

        return lenient

    with instead(tokens, "use", write):
        yield


@fault(8)
def news_to_unconfirmed_addresses(world: World) -> Iterator[None]:
    with mock.patch.object(mail_content, "_wanted", lambda message, user, settings: user.is_active):
        yield


@fault(8)
def what_was_not_wanted_is_tried_again(world: World) -> Iterator[None]:
    with mock.patch.object(delivery, "Unwanted", type("Nobody", (Exception,), {})):
        yield


@fault(9)
def reversal_in_two_transactions(world: World) -> Iterator[None]:
    def write(take_back: Callable[..., Any]) -> Callable[..., Any]:
        def hasty(session: Any, *args: Any) -> None:
            session.commit()
            take_back(session, *args)

        return hasty

    with instead(entries, "take_back", write):
        yield


@fault(5, 10)
def erasure_that_takes_the_count_along(world: World) -> Iterator[None]:
    def erase(user_id: int, pseudonym: str, now: Any) -> None:
        old(user_id, pseudonym, now)
        with transaction() as session:
            session.execute(update(Profile).where(Profile.user_id == user_id).values(referral_count=0))

    old = erasure.erase
    with mock.patch.object(erasure, "erase", erase):
        yield


@fault(8, 10)
def mail_to_former_members(world: World) -> Iterator[None]:
    with mock.patch.object(outbox, "drop", lambda session, user_id: None):
        yield


@fault(10)
def address_kept_in_what_a_mail_server_said(world: World) -> Iterator[None]:
    def drop(session: Any, user_id: int) -> None:
        undelivered = (OutboxMessage.user_id == user_id, OutboxMessage.delivered_at.is_(None))
        session.execute(update(OutboxMessage).where(*undelivered).values(next_try_at=None))

    with mock.patch.object(outbox, "drop", drop):
        yield


@fault(10)
def former_members_stay_signed_in(world: World) -> Iterator[None]:
    with mock.patch.object(sign_ins, "end_all", lambda session, user_id: None):
        yield


@fault(10)
def tokens_outlive_the_account(world: World) -> Iterator[None]:
    keeping = dict.fromkeys(("forget", "forget_addresses"), mock.DEFAULT)
    with mock.patch.multiple(tokens, **keeping):
        yield


@fault(8)
def invited_members_are_not_noticed(world: World) -> Iterator[None]:
    with mock.patch.object(invitation_progress, "note_confirmed"):
        yield


@fault(8)
def invitations_that_are_not_sent_stay_on_their_way(world: World) -> Iterator[None]:
    with mock.patch.object(invitation_progress, "note_unwanted"):
        yield


@fault(5)
def figures_whose_changes_nobody_announces(world: World) -> Iterator[None]:
    with mock.patch.object(figure_changes, "note"):
        yield


@fault(5)
def figures_that_change_without_a_word_before_the_commit(world: World) -> Iterator[None]:
    def announce(redis: Any, session: Any, **_: Any) -> None:
        if session.info.get(figure_changes.NOTED):
            session.info[figure_changes.ANNOUNCED] = "none"

    with mock.patch.object(figure_changes, "announce", announce):
        yield


@fault(5)
def figures_that_are_believed_without_a_lease(world: World) -> Iterator[None]:
    def mget(keys: list[str]) -> list[bytes | None]:
        return [b"1" if key == TRUSTED else found for key, found in zip(keys, old(keys), strict=True)]

    old = world.redis.mget
    with mock.patch.object(world.redis, "mget", mget), mock.patch.object(figure_changes, "grant_lease"):
        yield


@fault(5)
def figures_that_time_does_not_touch(world: World) -> Iterator[None]:
    forever = world.clock.now + timedelta(days=10_000)
    with (
        instead(statistics, "of_member", lambda old: lambda *args: replace(old(*args), until=forever)),
        mock.patch.object(figures, "AT_MOST", timedelta(days=9_000)),
    ):
        yield


@fault(5)
def places_whose_changes_nobody_announces(world: World) -> Iterator[None]:
    def changed(session: Any, profile_id: int) -> None:
        session.add(LeaderboardChange(profile_id=profile_id))
        session.info[leaderboard.CHANGED] = True

    with mock.patch.object(leaderboard, "changed", changed):
        yield


@fault(2, machine=ProgramMachine)
def late_codes_that_are_never_too_late(world: World) -> Iterator[None]:
    def write(check: Callable[..., Any]) -> Callable[..., Any]:
        return lambda friend, referrer, now: check(friend, referrer, friend.joined_at)

    with instead(late_codes, "_check", write):
        yield


@fault(1, 8, machine=ProgramMachine)
def friends_who_agree_to_two_claims_without_the_constraint(world: World) -> Iterator[None]:
    world.changes.append(lambda world: without_index(world, "uq_referral_claim_friend_agreed"))
    yield


@fault(1, 8, machine=ProgramMachine)
def answers_that_nobody_listens_to(world: World) -> Iterator[None]:
    def write(close: Callable[..., Any]) -> Callable[..., Any]:
        return lambda session, claim_id, friend, agrees, now: close(session, claim_id, friend, True, now)

    with instead(answers, "_close", write):
        yield


@fault(8, machine=ProgramMachine)
def claims_that_are_decided_without_a_word(world: World) -> Iterator[None]:
    with mock.patch.object(decisions, "_tell_both", lambda *_: None):
        yield


@fault(10, machine=ProgramMachine)
def claims_that_remember_former_members(world: World) -> Iterator[None]:
    with mock.patch.object(missing, "erase", lambda *_: None):
        yield


@fault(8, 9, machine=ProgramMachine)
def appeals_that_are_heard_again_and_again(world: World) -> Iterator[None]:
    def write(file: Callable[..., Any]) -> Callable[..., Any]:
        def forgetful(referral_id: int, *args: Any) -> None:
            with transaction() as session:
                session.execute(delete(Appeal).where(Appeal.referral_id == referral_id))
            file(referral_id, *args)

        return forgetful

    with instead(appeals, "file", write):
        yield


def without_index(world: World, name: str) -> None:
    """Drop a unique index."""
    with world.engine.begin() as connection:
        connection.execute(text(f"DROP INDEX {name}"))


def _without(world: World, constraint: str) -> None:
    """Drop a unique constraint of the ledger, as nobody could by accident: SQLite must write the table anew."""
    with world.engine.begin() as connection:
        query = "SELECT sql FROM sqlite_master WHERE tbl_name = 'reward_entry' AND sql <> '' ORDER BY type = 'trigger'"
        made, *triggers = connection.execute(text(query)).scalars()
        shorter = re.sub(rf",\s*CONSTRAINT {constraint} UNIQUE \([^)]*\)", "", made)
        assert shorter != made, f"no {constraint} in {made}"
        connection.exec_driver_sql("DROP TABLE reward_entry")
        for statement in (shorter, *triggers):
            connection.exec_driver_sql(statement)
