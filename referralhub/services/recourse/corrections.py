"""An admin gives the credit for a friend to the member who really brought them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import CONFIRMED_ADDRESS, Profile, Program, Referral, ReferralState, RewardEntry, RewardKind
from referralhub.services.conversions import posting
from referralhub.services.ledger import entries
from referralhub.services.program import rules
from referralhub.services.recourse import belated
from referralhub.services.recourse.belated import CORRECTED
from referralhub.services.referrals import attribution
from referralhub.services.shared import audit
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import AlreadyDone, Conflict, NotFound


def correct_referrer(user_id: int, code: str, reason: str, actor: Actor, now: datetime) -> None:
    """Let the credit for a member go to the one who really brought them, once for each member.

    How they came stays as it was recorded; the credit moves by two entries of the ledger, which a reversal of the
    referral takes back too. Where events are rewarded, what each earned moves, and those to come are credited to the
    right one. Where nobody was credited, the right one gets what the program gives today. Raises NotFound or Conflict.
    """
    with transaction() as session:
        profile_id = session.scalar(select(Profile.id).where(Profile.user_id == user_id))
        if profile_id is None:
            raise NotFound("no_such_member")
        friend = belated.lock_friend(session, profile_id)
        right = attribution.find_by_code(code)
        if right is None:
            raise Conflict("no_such_code", "code")
        if right.profile_id >= friend.profile_id:
            raise Conflict("referrer_came_later", "code")
        referral = _decided(session, friend.profile_id)
        _check(session, user_id, right.profile_id, referral)
        had: int | None
        moved: dict[str, Any] = {}  # what events earned is in the ledger, entry by entry
        if referral and _is_confirmed_by_event(session, referral):
            had = referral.earner_id
            posting.credit_instead(session, referral, right.profile_id, reason, now)
        else:
            had, moved = _move_credit(session, referral, right.profile_id, reason, now)
        before = {"referrer": had and _user_of(session, had)}
        after = {"referrer": _user_of(session, right.profile_id)} | moved
        audit.record(session, actor, CORRECTED, "member", user_id, before, after, now, reason)


def _move_credit(
    session: Session, referral: Referral | None, right_id: int, reason: str, now: datetime
) -> tuple[int | None, dict[str, Any]]:
    """Move what was given once, or give it; return who had it, and what it is."""
    credited = _credited(session, referral) if referral else None
    for profile_id in sorted({right_id, *([credited.profile_id] if credited else [])}):
        entries.lock_profile(session, profile_id)
    if credited:
        amount, unit, available_at = credited.amount, credited.unit, credited.available_at
    else:
        program = rules.current()
        amount = entries.within_cap(session, right_id, program, program.referrer_amount)
        unit, available_at = program.ledger_unit, now + timedelta(days=program.hold_days)
    moves = [(right_id, amount)] + ([(credited.profile_id, -amount)] if credited else [])
    for profile_id, change in moves:
        if change:
            entries.post(
                session, profile_id, RewardKind.ADJUSTMENT, change, unit, now,
                available_at=available_at, referral_id=referral.id if referral else None, note=reason,
            )  # fmt: skip
    return credited.profile_id if credited else None, {"amount": amount, "unit": unit}


def _decided(session: Session, friend_id: int) -> Referral | None:
    """Lock the referral of a friend, if there is one. Raises Conflict while nobody has decided about it.

    One that waits is not locked: an event that confirms it locks the ledgers first.
    """
    theirs = select(Referral).where(Referral.friend_id == friend_id).execution_options(populate_existing=True)
    decided = theirs.where(Referral.state.not_in([ReferralState.PENDING, ReferralState.HELD]))
    # Not against those who only refer to it, as events do, while they hold other locks.
    referral: Referral | None = session.scalar(decided.with_for_update(key_share=True))
    if referral is None and session.scalar(theirs):
        raise Conflict("referral_undecided", "code")
    return referral


def _is_confirmed_by_event(session: Session, referral: Referral) -> bool:
    program = session.get_one(Program, referral.program_id)
    return referral.state is ReferralState.CONFIRMED and program.qualifies_on != CONFIRMED_ADDRESS


def _check(session: Session, user_id: int, right_id: int, referral: Referral | None) -> None:
    if referral and referral.state is ReferralState.CONFIRMED and referral.referrer_id == right_id:
        raise Conflict("has_the_credit", "code")
    if corrected := belated.correction_of(session, user_id):
        if corrected["referrer"] == _user_of(session, right_id):
            raise AlreadyDone("corrected_before", "code")
        raise Conflict("corrected_before", "code")


def _credited(session: Session, referral: Referral) -> RewardEntry | None:
    """Find the one entry that credited the referrer, unless it was taken back."""
    if referral.state is not ReferralState.CONFIRMED:
        return None
    of_it = RewardEntry.referral_id == referral.id, RewardEntry.kind == RewardKind.REFERRER
    return session.scalar(select(RewardEntry).where(*of_it))


def _user_of(session: Session, profile_id: int) -> int:
    return session.execute(select(Profile.user_id).where(Profile.id == profile_id)).scalar_one()
