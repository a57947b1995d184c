"""A referrer for a friend who came by no link: the part that a code entered later and a confirmed claim have in common.

A friend has one referrer. Whoever wants to be it locks the friend's account, then takes a place that is empty, so that
of two one wins; the credit has its constraints beside that.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from referralhub.models import AuditLine, Profile, Reason, Referral, User
from referralhub.services.ledger import entries
from referralhub.services.referrals import invitation_progress, lifecycle
from referralhub.services.referrals.attribution import FollowedLink, Referrer
from referralhub.services.shared import figure_changes
from referralhub.services.shared.errors import Conflict, NotFound

CORRECTED = "member.correct_referrer"  # in the audit log: an admin gave the credit for a member to somebody


@dataclass(frozen=True)
class Friend:
    """A member who may have come through somebody."""

    user_id: int
    profile_id: int
    email: str
    joined_at: datetime
    is_active: bool
    is_verified: bool
    referred_by_id: int | None


def lock_friend(session: Session, profile_id: int) -> Friend:
    """Read a member, and let nobody else change the account or who brought them until the transaction ends.

    Raises NotFound.
    """
    user_id = session.scalar(select(Profile.user_id).where(Profile.id == profile_id))
    # Not against those who only refer to the account: audit lines and mail do so, while they hold other locks.
    lock = select(User).where(User.id == user_id).with_for_update(of=User, key_share=True)
    user = session.scalar(lock.execution_options(populate_existing=True))
    if user is None:
        raise NotFound("no_such_member")
    profile = select(Profile.id, Profile.created, Profile.referred_by_id).where(Profile.user_id == user.id)
    row = session.execute(profile).one()
    return Friend(
        user.id, row.id, user.email, row.created, user.is_active, user.verified_at is not None, row.referred_by_id
    )


def attach(
    session: Session, friend: Friend, referrer: Referrer, link: FollowedLink, reason: Reason, now: datetime,
    *, announced: bool,
) -> Referral:  # fmt: skip
    """Begin the referral of a friend whom `lock_friend` gave. Part of the caller's transaction. Raises Conflict.

    It is as of the day on which the friend joined, so that everybody who joined is counted on that day; what the friend
    brings follows the rules in force now. `announced` tells the referrer of it.
    """
    if referrer.profile_id >= friend.profile_id:
        own = referrer.profile_id == friend.profile_id
        raise Conflict("own_code" if own else "code_of_newer_member", "referral_code")
    if correction_of(session, friend.user_id):
        raise Conflict("friend_has_referrer")
    for profile_id in (referrer.profile_id, friend.profile_id):  # in one order, as everybody locks them
        entries.lock_profile(session, profile_id)
    empty = (Profile.id == friend.profile_id, Profile.referred_by_id.is_(None))
    taken = update(Profile).where(*empty).values(referred_by_id=referrer.profile_id, updated=now)
    if session.scalar(taken.returning(Profile.id).execution_options(synchronize_session=False)) is None:
        raise Conflict("friend_has_referrer")
    figure_changes.note(session, friend.profile_id)  # whose dashboard asks for a code no more
    referral = lifecycle.begin(
        session, referrer, friend.profile_id, link, now,
        reason=reason, joined_at=friend.joined_at, announced=announced,
    )  # fmt: skip
    if friend.is_verified:
        invitation_progress.note_confirmed(session, friend.profile_id, friend.email, now)
    return referral


def correction_of(session: Session, user_id: int) -> dict[str, Any] | None:
    """Return to whom an admin gave the credit for a member already, as the audit log has it."""
    lines = select(AuditLine.after).where(
        AuditLine.subject == "member", AuditLine.subject_id == user_id, AuditLine.action == CORRECTED
    )
    return session.scalar(lines.limit(1))
