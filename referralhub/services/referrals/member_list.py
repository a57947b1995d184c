"""A member's friends, as the member reads of them: who came, how far it has come, and why."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import Profile, Reason, Referral, ReferralEvent, ReferralState, User
from referralhub.services.shared import parts
from referralhub.services.shared.names import shown_name
from referralhub.services.shared.parts import Part


@dataclass(frozen=True)
class ReferralLine:
    """One referral as its referrer reads it: the friend, the state, and why."""

    id: int
    username: str
    state: ReferralState
    created: datetime
    visited_at: datetime
    decided_at: datetime | None
    reason: Reason


@dataclass(frozen=True)
class ReferralPage:
    """One part of a member's referrals, and how many there are in each state."""

    part: Part[ReferralLine]
    counts: dict[ReferralState, int]


def page_of(profile_id: int, state: ReferralState | None = None, after: int | None = None) -> ReferralPage:
    """Read a member's referrals, newest first, in one state or in all. Two queries."""
    by_state = select(Referral.state, func.count()).where(Referral.referrer_id == profile_id).group_by(Referral.state)
    counts = {each: number for each, number in reading().execute(by_state)}  # noqa: C416 - a Row is no pair for dict()
    event = aliased(ReferralEvent)
    last = select(func.max(event.id)).where(event.referral_id == Referral.id).scalar_subquery()
    query = (
        select(
            Referral.id,
            shown_name(User),
            Referral.state,
            Referral.created,
            Referral.visited_at,
            Referral.decided_at,
            ReferralEvent.reason,
        )
        .select_from(Referral)
        .outerjoin(ReferralEvent, ReferralEvent.id == last)  # without a trail the row is still there
        .join(Profile, Profile.id == Referral.friend_id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.referrer_id == profile_id)
    )
    if state is not None:
        query = query.where(Referral.state == state)
    lines = [ReferralLine(*row) for row in reading().execute(parts.newest(query, Referral.id, after))]
    return ReferralPage(parts.part(lines, after), counts)


def name_of_friend(referral_id: int) -> str:
    """Return what the friend of a referral is called today."""
    return (
        reading()
        .execute(
            select(shown_name(User))
            .join(Profile, Profile.user_id == User.id)
            .join(Referral, Referral.friend_id == Profile.id)
            .where(Referral.id == referral_id)
        )
        .scalar_one()
    )
