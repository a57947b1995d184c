"""A friend who came by no link enters a member's code after signing up, while the program lets them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from referralhub.database import reading, transaction
from referralhub.models import Channel, Profile, Reason, ReasonCode, Referral, ReferralEvent, User
from referralhub.services.fraud import signals
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.program import rules
from referralhub.services.recourse import belated
from referralhub.services.recourse.belated import Friend
from referralhub.services.referrals import attribution, lifecycle
from referralhub.services.referrals.attribution import FollowedLink, Referrer
from referralhub.services.shared import codes
from referralhub.services.shared.errors import AlreadyDone, Conflict, UnknownCode
from referralhub.services.shared.names import shown_name


@dataclass(frozen=True)
class BroughtBy:
    """Who brought a member, and how that came to be known: `reason` is that of the trail's first line."""

    name: str
    reason: Reason
    since: datetime


@dataclass(frozen=True)
class ReferrerPage:
    """What a member reads of who brought them; `until` is how long a code can be entered, none when it cannot."""

    brought_by: BroughtBy | None
    days: int  # for which the program takes a code
    until: datetime | None


def deadline(profile: Profile, days: int, now: datetime) -> datetime | None:
    """Return until when a member can enter a code; none for one whom it is too late for, or whom somebody brought.

    `days` is the rule in force.
    """
    until = profile.created + timedelta(days=days)
    return until if days and profile.referred_by_id is None and now <= until else None


def page_of(profile: Profile, now: datetime) -> ReferrerPage:
    """Read who brought a member, or until when they can say so. Two queries."""
    query = (
        select(shown_name(User), ReferralEvent.reason, ReferralEvent.created)
        .select_from(Referral)
        .join(ReferralEvent, (ReferralEvent.referral_id == Referral.id) & ReferralEvent.from_state.is_(None))
        .join(Profile, Profile.id == Referral.referrer_id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.friend_id == profile.id)
        .order_by(ReferralEvent.id)
        .limit(1)
    )
    row = reading().execute(query).one_or_none()
    days = rules.current().late_code_days
    return ReferrerPage(BroughtBy(*row) if row else None, days, None if row else deadline(profile, days, now))


def enter(
    profile_id: int,
    code: str,
    origin: RequestOrigin,
    now: datetime,
    *,
    members: tuple[int, ...] = (),
    verification_required: bool = True,
) -> Referrer:
    """Let the owner of a code be who brought this member; the credit follows, or waits for the address as usual.

    `members` were signed in with this browser before. Of two codes at once the first counts. Raises UnknownCode, or
    Conflict: too late, own code, that of somebody who came later, or there is a referrer already; AlreadyDone where it
    is this one.
    """
    with transaction() as session:
        friend = belated.lock_friend(session, profile_id)
        referrer = attribution.find_by_code(code)
        _check(friend, referrer, now)
        if referrer is None:
            raise UnknownCode
        reason = Reason(ReasonCode.CODE_ENTERED, {"at": now.isoformat()})
        settles = friend.is_verified or not verification_required
        link = FollowedLink(codes.normal(code), Channel.CODE, now)
        belated.attach(session, friend, referrer, link, reason, now, announced=not settles)
        signals.note_later(session, friend.profile_id, origin, members, now)
        if settles:
            lifecycle.settle(session, friend.profile_id, now, reason)
    return referrer


def _check(friend: Friend, referrer: Referrer | None, now: datetime) -> None:
    """Refuse who has a referrer or is too late, before it is said whether there is such a code."""
    if friend.referred_by_id is not None:
        same = referrer is not None and referrer.profile_id == friend.referred_by_id
        raise (AlreadyDone if same else Conflict)("has_referrer", "referral_code")
    days = rules.current().late_code_days
    if not days:
        raise Conflict("late_codes_off", "referral_code")
    if not friend.is_active or now > friend.joined_at + timedelta(days=days):
        raise Conflict("late_code_too_late", "referral_code", days=days)
