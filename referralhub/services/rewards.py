"""The ledger: every amount that was given, and the cached sums that follow from it."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from referralhub.models import Profile, Program, Referral, RewardEntry, RewardKind


def credit(session: Session, referral: Referral, program: Program, now: datetime) -> None:
    """Give both sides what the referral's program promised; part of the caller's transaction.

    A side that gets nothing has no entry. A second credit breaks a unique constraint, and with it the transaction.
    """
    sides = (
        (referral.referrer_id, RewardKind.REFERRER, program.referrer_amount),
        (referral.friend_id, RewardKind.FRIEND, program.friend_amount),
    )
    for profile_id, kind, amount in sides:
        if amount == 0:
            continue
        session.add(
            RewardEntry(
                profile_id=profile_id,
                referral_id=referral.id,
                kind=kind,
                amount=amount,
                unit=program.unit,
                available_at=now + timedelta(days=program.hold_days),
                created=now,
            )
        )
        session.flush()
        session.execute(
            update(Profile).where(Profile.id == profile_id).values(points=Profile.points + amount, updated=now)
        )
