"""Referrals: from a followed link to a credit, with a trail of each step."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import (
    MessageKind,
    Profile,
    Program,
    Reason,
    ReasonCode,
    Referral,
    ReferralEvent,
    ReferralState,
    Role,
    User,
)
from referralhub.services.fraud import signals
from referralhub.services.fraud.assessment import Verdict
from referralhub.services.ledger import badges, entries, leaderboard
from referralhub.services.mailing import outbox
from referralhub.services.program import rules
from referralhub.services.referrals import customers
from referralhub.services.referrals.attribution import FollowedLink, Referrer
from referralhub.services.shared import audit, figure_changes
from referralhub.services.shared.audit import SYSTEM, Actor
from referralhub.services.shared.errors import (
    AlreadyDecided,
    DomainError,
    NotFound,
    Unverified,
    WrongState,
)

REASON_VALUES = "reason_values"  # in the audit log, beside a code for a reason
EXPIRES_DAYS = 30  # how long a friend has to confirm the address


def begin(session: Session, referrer: Referrer, friend_id: int, link: FollowedLink, now: datetime) -> None:
    """Record that a new member came through a referrer; the credit waits. Part of the caller's transaction."""
    referral = Referral(
        referrer_id=referrer.profile_id,
        friend_id=friend_id,
        program_id=rules.current().id,
        state=ReferralState.PENDING,
        channel=link.channel,
        visited_at=min(link.visited_at, now),  # of two machines whose clocks differ a little
        created=now,
    )
    session.add(referral)
    session.flush()
    evidence = {"channel": link.channel.value, "visited_at": link.visited_at.isoformat()}
    _record(session, referral, None, ReferralState.PENDING, Reason(ReasonCode.SIGNED_UP), evidence, now)
    _tell_referrer(session, referral, MessageKind.FRIEND_JOINED, {}, now)


def settle(session: Session, friend_id: int, now: datetime, reason: Reason) -> None:
    """Judge the pending referral of a friend who has met the conditions, and confirm it or set it aside.

    That of somebody who was a customer before is rejected: nobody brought them. Part of the caller's transaction. The
    call that moves the row out of `pending` does the rest; a repeated one finds nothing to do.
    """
    referral = session.scalar(
        select(Referral)
        .where(Referral.friend_id == friend_id, Referral.state == ReferralState.PENDING)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if referral is None:
        return
    if customers.friend_was_one(session, referral):
        if _take(session, Referral.id == referral.id, ReferralState.PENDING, ReferralState.REJECTED, now):
            known = Reason(ReasonCode.ALREADY_CUSTOMER)
            _record(session, referral, ReferralState.PENDING, ReferralState.REJECTED, known, {}, now)
        return
    found = signals.judge(session, referral)
    after = ReferralState.CONFIRMED if found.verdict is Verdict.CLEAR else ReferralState.HELD
    if _take(session, Referral.id == referral.id, ReferralState.PENDING, after, now, score=found.score) is None:
        return
    if after is ReferralState.CONFIRMED:
        _confirmed(session, referral, ReferralState.PENDING, SYSTEM, reason, now, found.snapshot())
    else:
        _held(session, referral, SYSTEM, reason, now, found.snapshot())


def hold(referral_id: int, actor: Actor, reason: Reason, now: datetime) -> None:
    """Set a pending referral aside for an admin; the referrer hears of it. Raises WrongState."""
    with transaction() as session:
        referral = _move(session, referral_id, ReferralState.PENDING, ReferralState.HELD, now)
        _held(session, referral, actor, reason, now, {})
        _decided(session, referral, ReferralState.PENDING, actor, reason, now)


def release(
    referral_id: int, actor: Actor, reason: Reason, now: datetime, *, verification_required: bool = True
) -> None:
    """Confirm a held referral after all. Raises WrongState, or Unverified while the friend's address is unconfirmed."""
    with transaction() as session:
        referral = _move(session, referral_id, ReferralState.HELD, ReferralState.CONFIRMED, now)
        if verification_required and not session.scalar(
            select(User.verified_at).join(Profile, Profile.user_id == User.id).where(Profile.id == referral.friend_id)
        ):
            raise Unverified
        _confirmed(session, referral, ReferralState.HELD, actor, reason, now)
        _decided(session, referral, ReferralState.HELD, actor, reason, now)


def reject(referral_id: int, actor: Actor, reason: Reason, now: datetime) -> None:
    """Decide that a held referral does not count. Raises WrongState."""
    with transaction() as session:
        referral = _move(session, referral_id, ReferralState.HELD, ReferralState.REJECTED, now)
        _record(session, referral, ReferralState.HELD, ReferralState.REJECTED, reason, {}, now, actor)
        _decided(session, referral, ReferralState.HELD, actor, reason, now)


def reverse(referral_id: int, actor: Actor, reason: Reason, now: datetime) -> None:
    """Take a confirmed referral back: opposite ledger entries, count, badges and place. Raises WrongState."""
    with transaction() as session:
        referral = _move(session, referral_id, ReferralState.CONFIRMED, ReferralState.REVERSED, now)
        _record(session, referral, ReferralState.CONFIRMED, ReferralState.REVERSED, reason, {}, now, actor)
        for profile_id in entries.concerned(session, referral):  # in one order, as everybody locks them
            entries.lock_profile(session, profile_id)
        count = _count(session, referral.referrer_id, -1, now)
        entries.take_back(session, referral, count, now, reason.text)
        badges.adjust(session, referral.referrer_id, count, now)
        leaderboard.changed(session, referral.referrer_id)
        _tell_referrer(session, referral, MessageKind.REFERRAL_REVERSED, {"reason": reason.text, "total": count}, now)
        _decided(session, referral, ReferralState.CONFIRMED, actor, reason, now)


def expire_due(now: datetime) -> int:
    """End referrals whose friend did not confirm the address in time; return how many. Each in its own transaction."""
    due = (
        reading()
        .scalars(
            select(Referral.id).where(
                Referral.state == ReferralState.PENDING, Referral.created <= now - timedelta(days=EXPIRES_DAYS)
            )
        )
        .all()
    )
    for referral_id in due:
        with transaction() as session:
            matching = Referral.id == referral_id
            if referral := _take(session, matching, ReferralState.PENDING, ReferralState.EXPIRED, now):
                reason = Reason(ReasonCode.NOT_VERIFIED_IN_TIME, {"days": EXPIRES_DAYS})
                _record(session, referral, ReferralState.PENDING, ReferralState.EXPIRED, reason, {}, now)
    return len(due)


def _take(
    session: Session,
    matching: ColumnElement[bool],
    before: ReferralState,
    after: ReferralState,
    now: datetime,
    **values: Any,
) -> Referral | None:
    """Move a referral from one state to the next; None when it is not in the first (any more)."""
    moved: Referral | None = session.scalar(
        update(Referral)
        .where(matching, Referral.state == before)
        .values(state=after, decided_at=now.replace(microsecond=0), **values)  # as precise as the leaderboard's order
        .returning(Referral)
        .execution_options(populate_existing=True)
    )
    return moved


def _move(session: Session, referral_id: int, before: ReferralState, after: ReferralState, now: datetime) -> Referral:
    referral = _take(session, Referral.id == referral_id, before, after, now)
    if referral is None:
        raise _refusal(session, referral_id, before, after)
    return referral


def _refusal(session: Session, referral_id: int, before: ReferralState, after: ReferralState) -> DomainError:
    """Return why a referral was not moved; asked after the attempt, so that it tells what really stood in the way."""
    state = session.scalar(select(Referral.state).where(Referral.id == referral_id))
    if state is None:
        return NotFound("no_such_referral")
    return (AlreadyDecided if state is after else WrongState)(expected=before)


def _decided(
    session: Session, referral: Referral, before: ReferralState, actor: Actor, reason: Reason, now: datetime
) -> None:
    """Write the audit line of somebody's decision, last: see `audit.record`."""
    after = referral.state.value
    values = {REASON_VALUES: reason.values} if actor.role is Role.SYSTEM and reason.values else {}
    states = {"state": before.value}, {"state": after} | values
    why = reason.text or reason.code
    audit.record(session, actor, f"referral.{after}", "referral", referral.id, *states, now, why)


def _held(
    session: Session,
    referral: Referral,
    actor: Actor,
    reason: Reason,
    now: datetime,
    assessment: dict[str, Any],
) -> None:
    evidence = {"assessment": assessment} if assessment else {}
    _record(session, referral, ReferralState.PENDING, ReferralState.HELD, reason, evidence, now, actor)
    _tell_referrer(session, referral, MessageKind.REFERRAL_HELD, {}, now)


def _confirmed(
    session: Session,
    referral: Referral,
    before: ReferralState,
    actor: Actor,
    reason: Reason,
    now: datetime,
    assessment: dict[str, Any] | None = None,
) -> None:
    """Everything that follows from a confirmation; the referral has just been moved."""
    program = session.get_one(Program, referral.program_id)
    count = _count(session, referral.referrer_id, +1, now)
    given = entries.credit(session, referral, program, now)
    entries.credit_milestone(session, referral, program, count, now)
    evidence = {"given": given} | ({"assessment": assessment} if assessment else {})
    _record(session, referral, before, ReferralState.CONFIRMED, reason, evidence, now, actor)
    new_badges = badges.adjust(session, referral.referrer_id, count, now)
    leaderboard.changed(session, referral.referrer_id)
    earned = {"amount": given["referrer"], "unit": program.ledger_unit, "total": count}
    _tell_referrer(session, referral, MessageKind.REFERRAL_CONFIRMED, earned, now)
    tier = rules.tier_reached(rules.current().tiers, count)
    for badge in new_badges:
        news = {"badge": badge.value, "tier": tier, "total": count}
        _tell_referrer(session, referral, MessageKind.BADGE_EARNED, news, now)
    if tier and not new_badges:
        _tell_referrer(session, referral, MessageKind.TIER_REACHED, {"tier": tier, "total": count}, now)


def _count(session: Session, profile_id: int, change: int, now: datetime) -> int:
    """Keep the referrer's cached count and the moment it was reached, and return the new count."""
    latest = (
        select(func.max(Referral.decided_at))
        .where(Referral.referrer_id == profile_id, Referral.state == ReferralState.CONFIRMED)
        .scalar_subquery()
    )
    count: int = session.execute(
        update(Profile)
        .where(Profile.id == profile_id)
        .values(referral_count=Profile.referral_count + change, last_confirmed_at=latest, updated=now)
        .returning(Profile.referral_count)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    return count


def _tell_referrer(
    session: Session, referral: Referral, kind: MessageKind, payload: dict[str, Any], now: datetime
) -> None:
    user_id = session.execute(select(Profile.user_id).where(Profile.id == referral.referrer_id)).scalar_one()
    key = f"{kind.value}:{referral.id}:{payload.get('badge', '')}"
    outbox.queue(session, kind, user_id, key, {"referral_id": referral.id, **payload}, now)


def _record(
    session: Session,
    referral: Referral,
    before: ReferralState | None,
    after: ReferralState,
    reason: Reason,
    evidence: dict[str, Any],
    now: datetime,
    actor: Actor = SYSTEM,
) -> None:
    figure_changes.note(session, referral.referrer_id)
    session.add(
        ReferralEvent(
            referral_id=referral.id,
            actor_id=actor.user_id,
            from_state=before,
            to_state=after,
            reason=reason,
            evidence=evidence,
            created=now,
        )
    )
