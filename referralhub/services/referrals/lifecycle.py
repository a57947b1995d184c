"""Referrals: from a followed link to a credit, with a trail of each step."""

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import (
    CONFIRMED_ADDRESS,
    ExternalMember,
    MessageKind,
    Profile,
    Program,
    Reason,
    ReasonCode,
    Referral,
    ReferralEvent,
    ReferralState,
    User,
)
from referralhub.services.conversions import posting
from referralhub.services.fraud import explanations, signals
from referralhub.services.fraud.assessment import Assessment, Verdict
from referralhub.services.fraud.explanations import Explanation
from referralhub.services.ledger import badges, entries, leaderboard
from referralhub.services.program import rules
from referralhub.services.referrals import customers, transitions
from referralhub.services.referrals.attribution import FollowedLink, Referrer
from referralhub.services.shared.audit import SYSTEM, Actor
from referralhub.services.shared.errors import Unverified

EXPIRES_DAYS = 30  # how long a friend has to confirm the address
SIGNED_UP = Reason(ReasonCode.SIGNED_UP)


def begin(
    session: Session,
    referrer: Referrer,
    friend_id: int,
    link: FollowedLink,
    now: datetime,
    *,
    reason: Reason = SIGNED_UP,
    joined_at: datetime | None = None,
    announced: bool = True,
) -> Referral:
    """Record that a member came through a referrer; the credit waits. Part of the caller's transaction.

    `joined_at` is when the friend signed up, where that was before. The referrer hears of it if it is `announced`.
    """
    created = joined_at or now
    referral = Referral(
        referrer_id=referrer.profile_id,
        friend_id=friend_id,
        program_id=rules.current().id,
        state=ReferralState.PENDING,
        channel=link.channel,
        visited_at=min(link.visited_at, created),  # of two machines whose clocks differ a little; or known later only
        created=created,
    )
    session.add(referral)
    session.flush()
    evidence = {"channel": link.channel.value, "visited_at": link.visited_at.isoformat()}
    transitions.record(session, referral, None, ReferralState.PENDING, reason, evidence, now)
    if announced:
        transitions.tell_referrer(session, referral, MessageKind.FRIEND_JOINED, {}, now)
    return referral


def settle(session: Session, friend_id: int, now: datetime, reason: Reason, *, by_event: bool = False) -> None:
    """Judge the pending referral of a friend who has met the conditions, and confirm it or set it aside.

    That of somebody who was a customer before is rejected: nobody brought them. Where the program waits for an event,
    and this is not `by_event`, the verdict is only kept: what it is founded on is deleted before most friends buy.
    Part of the caller's transaction. The call that moves the row out of `pending` does the rest; a repeated one finds
    nothing to do.
    """
    referral = session.scalar(
        select(Referral)
        .where(Referral.friend_id == friend_id, Referral.state == ReferralState.PENDING)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if referral is None:
        return
    pending, this = ReferralState.PENDING, Referral.id == referral.id
    if customers.friend_was_one(session, referral):
        if transitions.take(session, this, pending, ReferralState.REJECTED, now):
            known = Reason(ReasonCode.ALREADY_CUSTOMER)
            transitions.record(session, referral, pending, ReferralState.REJECTED, known, {}, now)
        return
    waits = session.get_one(Program, referral.program_id).qualifies_on != CONFIRMED_ADDRESS and not by_event
    found = signals.judge(session, referral)
    score, verdict, evidence = found.score, found.verdict, {"assessment": found.snapshot()}
    if waits:
        referral.score = score
        transitions.record(session, referral, pending, pending, reason, evidence, now)
        return
    if by_event and (kept := _judged_before(session, referral, found)):
        score, verdict, evidence = kept.score, kept.verdict, {}
    after = ReferralState.CONFIRMED if verdict is Verdict.CLEAR else ReferralState.HELD
    if transitions.take(session, this, pending, after, now, score=score) is None:
        return
    if after is ReferralState.CONFIRMED:
        transitions.credit(session, referral, pending, SYSTEM, reason, now, evidence)
    else:
        transitions.set_aside(session, referral, SYSTEM, reason, now, evidence)


def _judged_before(session: Session, referral: Referral, found: Assessment) -> Explanation | None:
    """Return the verdict of the signup, where its facts are gone by now."""
    if found.verdict is not Verdict.INCOMPLETE:
        return None
    trail = select(ReferralEvent).where(ReferralEvent.referral_id == referral.id).order_by(ReferralEvent.id.desc())
    kept = (explanations.read(event, ReferralState.PENDING) for event in session.scalars(trail))
    return next((each for each in kept if each), None)


def hold(referral_id: int, actor: Actor, reason: Reason, now: datetime) -> None:
    """Set a pending referral aside for an admin; the referrer hears of it. Raises WrongState."""
    with transaction() as session:
        referral = transitions.move(session, referral_id, ReferralState.PENDING, ReferralState.HELD, now)
        transitions.set_aside(session, referral, actor, reason, now, {})
        transitions.audited(session, referral, ReferralState.PENDING, actor, reason, now)


def release(
    referral_id: int, actor: Actor, reason: Reason, now: datetime, *, verification_required: bool = True
) -> None:
    """Confirm a held referral after all. Raises WrongState, or Unverified while the friend's address is unconfirmed."""
    with transaction() as session:
        referral = transitions.move(session, referral_id, ReferralState.HELD, ReferralState.CONFIRMED, now)
        if verification_required and not _is_vouched_for(session, referral.friend_id):
            raise Unverified
        transitions.credit(session, referral, ReferralState.HELD, actor, reason, now)
        transitions.audited(session, referral, ReferralState.HELD, actor, reason, now)


def _is_vouched_for(session: Session, friend_id: int) -> bool:
    """Whether the friend has confirmed the address, or is a customer whom a product knows."""
    query = (
        select(or_(User.verified_at.is_not(None), ExternalMember.user_id.is_not(None)))
        .join(Profile, Profile.user_id == User.id)
        .outerjoin(ExternalMember, ExternalMember.user_id == User.id)
        .where(Profile.id == friend_id)
    )
    return bool(session.scalar(query))


def reject(referral_id: int, actor: Actor, reason: Reason, now: datetime) -> None:
    """Decide that a held referral does not count. Raises WrongState."""
    with transaction() as session:
        referral = transitions.move(session, referral_id, ReferralState.HELD, ReferralState.REJECTED, now)
        transitions.record(session, referral, ReferralState.HELD, ReferralState.REJECTED, reason, {}, now, actor)
        transitions.audited(session, referral, ReferralState.HELD, actor, reason, now)


def reverse(referral_id: int, actor: Actor, reason: Reason, now: datetime) -> None:
    """Take a confirmed referral back: opposite ledger entries, count, badges and place. Raises WrongState."""
    with transaction() as session:
        referral = transitions.move(session, referral_id, ReferralState.CONFIRMED, ReferralState.REVERSED, now)
        transitions.record(session, referral, ReferralState.CONFIRMED, ReferralState.REVERSED, reason, {}, now, actor)
        for profile_id in entries.concerned(session, referral):  # in one order, as everybody locks them
            entries.lock_profile(session, profile_id)
        total = transitions.count(session, referral.referrer_id, -1, now)
        entries.take_back(session, referral, total, now, reason.text)
        posting.reconcile(session, [referral.id], now)
        badges.adjust(session, referral.referrer_id, total, now)
        leaderboard.changed(session, referral.referrer_id)
        lost = {"reason": reason.text, "total": total}
        transitions.tell_referrer(session, referral, MessageKind.REFERRAL_REVERSED, lost, now)
        transitions.audited(session, referral, ReferralState.CONFIRMED, actor, reason, now)


def expire_due(now: datetime) -> int:
    """End referrals whose friend did not confirm the address in time; return how many. Each in its own transaction.

    Those that wait for an event have time without end. One that began after the signup, by a code that was entered
    later, has as much time as the others.
    """
    since = now - timedelta(days=EXPIRES_DAYS)
    began_later = select(ReferralEvent.id).where(
        ReferralEvent.referral_id == Referral.id, ReferralEvent.from_state.is_(None), ReferralEvent.created > since
    )
    waiting = (Referral.state == ReferralState.PENDING, Referral.created <= since, ~began_later.exists())
    by_address = Program.qualifies_on == CONFIRMED_ADDRESS
    query = select(Referral.id).join(Program, Program.id == Referral.program_id).where(*waiting, by_address)
    due = reading().scalars(query).all()
    for referral_id in due:
        with transaction() as session:
            matching = Referral.id == referral_id
            if referral := transitions.take(session, matching, ReferralState.PENDING, ReferralState.EXPIRED, now):
                reason = Reason(ReasonCode.NOT_VERIFIED_IN_TIME, {"days": EXPIRES_DAYS})
                transitions.record(session, referral, ReferralState.PENDING, ReferralState.EXPIRED, reason, {}, now)
    return len(due)
