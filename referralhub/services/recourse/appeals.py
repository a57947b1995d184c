"""A referrer appeals against a rejection, once: an admin looks at it again."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.models import Appeal, Reason, ReasonCode, Referral, ReferralState
from referralhub.services.referrals import transitions
from referralhub.services.shared.errors import AlreadyDone, Conflict, NotFound

LONGEST_WORDS = 500


def file(referral_id: int, profile_id: int, words: str, now: datetime) -> None:
    """Bring a rejected referral of this member's before an admin once more.

    Raises NotFound for one that is not theirs, WrongState for one that is not rejected, and Conflict where there was an
    appeal: AlreadyDone while it is not decided.
    """
    with transaction() as session:
        if session.scalar(select(Referral.referrer_id).where(Referral.id == referral_id)) != profile_id:
            raise NotFound("no_such_referral")
        appeal = insert(Appeal).values(referral_id=referral_id, words=words, created=now)
        if session.scalar(appeal.on_conflict_do_nothing().returning(Appeal.referral_id)) is None:
            waits = session.scalar(select(Referral.state).where(Referral.id == referral_id)) is ReferralState.HELD
            raise AlreadyDone("appeal_waits") if waits else Conflict("appealed_before")
        before, after = ReferralState.REJECTED, ReferralState.HELD
        referral = transitions.move(session, referral_id, before, after, now)
        transitions.record(session, referral, before, after, Reason(ReasonCode.APPEALED), {}, now)


def forget_words(session: Session, profile_id: int) -> None:
    """Empty what a member wrote in appeals; part of the caller's transaction."""
    # Looked up for each referral: a join for many of them reads all appeals there are.
    appealed = select(Appeal.referral_id).where(Appeal.referral_id == Referral.id).scalar_subquery()
    theirs = session.scalars(select(Referral.id).where(Referral.referrer_id == profile_id, appealed.is_not(None)))
    if ids := theirs.all():
        emptied = update(Appeal).where(Appeal.referral_id.in_(ids)).values(words="")
        session.execute(emptied.execution_options(synchronize_session=False))
