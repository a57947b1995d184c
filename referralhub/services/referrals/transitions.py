"""A referral's way from one state to the next, and everything that follows from it; parts of a caller's transaction.

Which ways there are, and who may take them, is for `lifecycle` to say, and for the room `recourse`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from referralhub.models import (
    CONFIRMED_ADDRESS,
    MessageKind,
    Profile,
    Program,
    Reason,
    Referral,
    ReferralEvent,
    ReferralState,
    Role,
)
from referralhub.services.conversions import posting
from referralhub.services.ledger import badges, entries, leaderboard
from referralhub.services.mailing import outbox
from referralhub.services.program import rules
from referralhub.services.shared import audit, figure_changes
from referralhub.services.shared.audit import SYSTEM, Actor
from referralhub.services.shared.errors import AlreadyDecided, DomainError, NotFound, WrongState
from referralhub.services.webhooks import announcing

REASON_VALUES = "reason_values"  # in the audit log, beside a code for a reason


def take(
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


def move(session: Session, referral_id: int, before: ReferralState, after: ReferralState, now: datetime) -> Referral:
    """Do so, or say why not. Raises NotFound or WrongState."""
    referral = take(session, Referral.id == referral_id, before, after, now)
    if referral is None:
        raise _refusal(session, referral_id, before, after)
    return referral


def _refusal(session: Session, referral_id: int, before: ReferralState, after: ReferralState) -> DomainError:
    """Return why a referral was not moved; asked after the attempt, so that it tells what really stood in the way."""
    state = session.scalar(select(Referral.state).where(Referral.id == referral_id))
    if state is None:
        return NotFound("no_such_referral")
    return (AlreadyDecided if state is after else WrongState)(expected=before)


def record(
    session: Session,
    referral: Referral,
    before: ReferralState | None,
    after: ReferralState,
    reason: Reason,
    evidence: dict[str, Any],
    now: datetime,
    actor: Actor = SYSTEM,
) -> None:
    """Write the line of the trail."""
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
    if after is not before:  # a verdict that is only kept is no news
        announcing.referral(session, referral.id, after, now)


def audited(
    session: Session, referral: Referral, before: ReferralState, actor: Actor, reason: Reason, now: datetime
) -> None:
    """Write the audit line of somebody's decision, last: see `audit.record`."""
    after = referral.state.value
    values = {REASON_VALUES: reason.values} if actor.role is Role.SYSTEM and reason.values else {}
    states = {"state": before.value}, {"state": after} | values
    why = reason.text or reason.code
    audit.record(session, actor, f"referral.{after}", "referral", referral.id, *states, now, why)


def set_aside(
    session: Session, referral: Referral, actor: Actor, reason: Reason, now: datetime, evidence: dict[str, Any]
) -> None:
    """Everything that follows from a hold; the referral has just been moved."""
    record(session, referral, ReferralState.PENDING, ReferralState.HELD, reason, evidence, now, actor)
    tell_referrer(session, referral, MessageKind.REFERRAL_HELD, {}, now)


def credit(
    session: Session,
    referral: Referral,
    before: ReferralState,
    actor: Actor,
    reason: Reason,
    now: datetime,
    evidence: dict[str, Any] | None = None,
) -> None:
    """Everything that follows from a confirmation; the referral has just been moved."""
    program = session.get_one(Program, referral.program_id)
    total = count(session, referral.referrer_id, +1, now)
    given = {}  # at once; what events earn is told by each conversion
    earned = {"amount": 0, "unit": program.ledger_unit, "total": total}
    if program.qualifies_on == CONFIRMED_ADDRESS:
        given = entries.credit(session, referral, program, now)
        earned["amount"] = given["referrer"]
    else:
        posting.reconcile(session, [referral.id], now)
        for unit, amount in posting.given(session, referral.id, referral.referrer_id):
            earned |= {"amount": amount, "unit": unit}
    entries.credit_milestone(session, referral, program, total, now)
    posting.reconcile_capped(session, referral.referrer_id, now)
    evidence = {"given": given} | (evidence or {})
    record(session, referral, before, ReferralState.CONFIRMED, reason, evidence, now, actor)
    new_badges = badges.adjust(session, referral.referrer_id, total, now)
    leaderboard.changed(session, referral.referrer_id)
    tell_referrer(session, referral, MessageKind.REFERRAL_CONFIRMED, earned, now)
    tier = rules.tier_reached(rules.current().tiers, total)
    for badge in new_badges:
        news = {"badge": badge.value, "tier": tier, "total": total}
        tell_referrer(session, referral, MessageKind.BADGE_EARNED, news, now)
    if tier and not new_badges:
        tell_referrer(session, referral, MessageKind.TIER_REACHED, {"tier": tier, "total": total}, now)
    for badge in new_badges:
        announcing.badge(session, referral.referrer_id, badge, now)
    if tier:
        announcing.tier(session, referral.referrer_id, tier, now)


def count(session: Session, profile_id: int, change: int, now: datetime) -> int:
    """Keep the referrer's cached count and the moment it was reached, and return the new count."""
    latest = (
        select(func.max(Referral.decided_at))
        .where(Referral.referrer_id == profile_id, Referral.state == ReferralState.CONFIRMED)
        .scalar_subquery()
    )
    total: int = session.execute(
        update(Profile)
        .where(Profile.id == profile_id)
        .values(referral_count=Profile.referral_count + change, last_confirmed_at=latest, updated=now)
        .returning(Profile.referral_count)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    return total


def tell_referrer(
    session: Session, referral: Referral, kind: MessageKind, payload: dict[str, Any], now: datetime
) -> None:
    """Queue a mail to the referrer, once for each cause."""
    user_id = session.execute(select(Profile.user_id).where(Profile.id == referral.referrer_id)).scalar_one()
    key = f"{kind.value}:{referral.id}:{payload.get('badge', '')}"
    outbox.queue(session, kind, user_id, key, {"referral_id": referral.id, **payload}, now)
