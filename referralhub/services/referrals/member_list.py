"""A member's friends, as the member reads of them: who came, how far it has come, and why."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import Appeal, Profile, Reason, Referral, ReferralEvent, ReferralState, User
from referralhub.services.conversions import lines as conversions
from referralhub.services.conversions.lines import ConversionLine
from referralhub.services.shared import parts
from referralhub.services.shared.errors import NotFound
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
    appealed: bool
    is_verified: bool  # the friend's address

    @property
    def can_appeal(self) -> bool:
        """Whether a rejection is to be looked at again, if the referrer says so."""
        return self.state is ReferralState.REJECTED and not self.appealed


@dataclass(frozen=True)
class ReferralPage:
    """One part of a member's referrals, and how many there are in each state."""

    part: Part[ReferralLine]
    counts: dict[ReferralState, int]
    conversions: dict[int, list[ConversionLine]]  # of the referrals in this part, the newest few of each


def page_of(profile_id: int, state: ReferralState | None = None, after: int | None = None) -> ReferralPage:
    """Read a member's referrals, newest first, in one state or in all. Three queries."""
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
            Appeal.referral_id.is_not(None),
            User.verified_at.is_not(None),
        )
        .select_from(Referral)
        .outerjoin(Appeal, Appeal.referral_id == Referral.id)
        .outerjoin(ReferralEvent, ReferralEvent.id == last)  # without a trail the row is still there
        .join(Profile, Profile.id == Referral.friend_id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.referrer_id == profile_id)
    )
    if state is not None:
        query = query.where(Referral.state == state)
    lines = [ReferralLine(*row) for row in reading().execute(parts.newest(query, Referral.id, after))]
    part = parts.part(lines, after)
    return ReferralPage(part, counts, conversions.of_referrals([line.id for line in part.lines], profile_id))


def page_from(profile_id: int, referral_id: int) -> ReferralPage:
    """Read the part of a member's referrals that begins with this one. Three queries. Raises NotFound."""
    found = page_of(profile_id, after=min(referral_id + 1, parts.LARGEST))
    if not found.part.lines or found.part.lines[0].id != referral_id:
        raise NotFound("no_such_referral")
    return found


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
