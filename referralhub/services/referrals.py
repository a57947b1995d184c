"""Referrals: from a followed link to a credit, with a trail of each step."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from referralhub.extensions import db
from referralhub.models import (
    Channel,
    MessageKind,
    Profile,
    Program,
    Referral,
    ReferralEvent,
    ReferralState,
    User,
)
from referralhub.services import outbox, programs, rewards
from referralhub.services.errors import UnknownCode


@dataclass(frozen=True)
class Attribution:
    """A link that was followed, or a code typed in: whose, how, and when."""

    code: str
    channel: Channel
    visited_at: datetime


@dataclass(frozen=True)
class Referrer:
    """The member behind a live code."""

    profile_id: int
    name: str


@dataclass(frozen=True)
class RecentReferral:
    """One line of a member's list."""

    username: str
    state: ReferralState
    created: datetime


def find_by_code(code: str) -> Referrer | None:
    """Find whose live code it is; codes are the same in any case."""
    row = db.session.execute(
        select(Profile.id, User.username)
        .join(User, User.id == Profile.user_id)
        .where(Profile.code == code.lower(), User.is_active)
    ).one_or_none()
    return Referrer(*row) if row else None


def find_referrer(attribution: Attribution, now: datetime) -> Referrer | None:
    """Find who earns the credit: nobody if the link is older than the program's window or dead by now.

    Raises UnknownCode for a code that was typed in, since its owner expects it to count.
    """
    window = timedelta(days=programs.current().window_days)
    referrer = find_by_code(attribution.code) if now - attribution.visited_at <= window else None
    if referrer is None and attribution.channel is Channel.CODE:
        raise UnknownCode
    return referrer


def begin(session: Session, referrer: Referrer, friend_id: int, attribution: Attribution, now: datetime) -> None:
    """Record that a new member came through a referrer; the credit waits. Part of the caller's transaction."""
    referral = Referral(
        referrer_id=referrer.profile_id,
        friend_id=friend_id,
        program_id=programs.current().id,
        state=ReferralState.PENDING,
        channel=attribution.channel,
        visited_at=attribution.visited_at,
        created=now,
    )
    session.add(referral)
    session.flush()
    evidence = {"channel": attribution.channel.value, "visited_at": attribution.visited_at.isoformat()}
    _record(session, referral.id, None, ReferralState.PENDING, "signed up", evidence, now)


def settle(session: Session, friend_id: int, now: datetime, reason: str) -> None:
    """Decide the pending referral of a friend who has met the conditions; part of the caller's transaction.

    Whoever moves the row out of `pending` does the rest, so that a repeated call finds nothing to do.
    """
    referral = session.scalar(
        update(Referral)
        .where(Referral.friend_id == friend_id, Referral.state == ReferralState.PENDING)
        .values(state=ReferralState.CONFIRMED, decided_at=now)
        .returning(Referral)
    )
    if referral is None:
        return
    program = session.get_one(Program, referral.program_id)
    _record(session, referral.id, ReferralState.PENDING, ReferralState.CONFIRMED, reason, {}, now)
    rewards.credit(session, referral, program, now)
    referrer = session.execute(
        update(Profile)
        .where(Profile.id == referral.referrer_id)
        .values(referral_count=Profile.referral_count + 1, last_confirmed_at=now, updated=now)
        .returning(Profile.user_id, Profile.referral_count)
    ).one()
    friend = session.execute(select(User.username).join(Profile).where(Profile.id == friend_id)).scalar_one()
    outbox.queue(
        session,
        MessageKind.REFERRAL_CONFIRMED,
        referrer.user_id,
        f"confirmed:{referral.id}",
        {
            "friend": friend,
            "amount": program.referrer_amount,
            "unit": program.unit.value,
            "total": referrer.referral_count,
        },
        now,
    )


def recent(profile_id: int, limit: int = 8) -> list[RecentReferral]:
    """List the newest referrals of a member, newest first. One query."""
    rows = db.session.execute(
        select(User.username, Referral.state, Referral.created)
        .join(Profile, Profile.id == Referral.friend_id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.referrer_id == profile_id)
        .order_by(Referral.created.desc(), Referral.id.desc())
        .limit(limit)
    )
    return [RecentReferral(*row) for row in rows]


def _record(
    session: Session,
    referral_id: int,
    before: ReferralState | None,
    after: ReferralState,
    reason: str,
    evidence: dict[str, Any],
    now: datetime,
) -> None:
    session.add(
        ReferralEvent(
            referral_id=referral_id,
            from_state=before,
            to_state=after,
            reason=reason,
            evidence=evidence,
            created=now,
        )
    )
