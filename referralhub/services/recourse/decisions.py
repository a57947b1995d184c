"""Claims to which the friend has agreed: what speaks for and against each, and what an admin decides."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from referralhub.database import reading, transaction
from referralhub.models import (
    Channel,
    ClaimState,
    Invitation,
    InvitationState,
    MessageKind,
    Profile,
    Reason,
    ReasonCode,
    Referral,
    ReferralClaim,
    ReferralState,
    User,
    VisitDaily,
)
from referralhub.services.fraud import explanations, signals
from referralhub.services.fraud.explanations import Explanation
from referralhub.services.links.visits import FOLDED
from referralhub.services.mailing import outbox
from referralhub.services.mailing.addresses import address_hash
from referralhub.services.recourse import belated
from referralhub.services.referrals import customers, transitions
from referralhub.services.referrals.attribution import FollowedLink, Referrer
from referralhub.services.shared import audit
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.calendar import zone_of
from referralhub.services.shared.errors import AlreadyDone, Conflict, NotFound, Unverified
from referralhub.services.shared.names import shown_name

SHOWN = 100  # claims on a page, the oldest first
EARLIER = 10  # of one claimant
VISITS_BEFORE, VISITS_AFTER = timedelta(days=3), timedelta(days=1)  # of a day in question
SUBJECT = "referral_claim"  # in the audit log


@dataclass(frozen=True)
class WaitingClaim:
    """A claim in the list of those that wait, since the friend's answer."""

    id: int
    claimant: str
    friend: str
    since: datetime


@dataclass(frozen=True)
class ClaimQueue:
    """What waits: `total` in all, of which the oldest are in the list."""

    claims: list[WaitingClaim]
    total: int


@dataclass(frozen=True)
class Visits:
    """How many people came by the claimant's link on one of the days in question."""

    day: date
    channel: Channel
    visitors: int


@dataclass(frozen=True)
class Invited:
    """The invitation to the friend's address, whoever wrote it."""

    inviter: str
    by_claimant: bool
    state: InvitationState
    created: datetime


@dataclass(frozen=True)
class EarlierClaim:
    """Another claim of the same member, and how it ended."""

    id: int
    state: ClaimState
    created: datetime


@dataclass(frozen=True)
class Evidence:
    """What is known of the friend who agreed, and of how they came. `joined_on` is when they really signed up.

    `days_apart` is by how many days that is after what the claimant says; below zero: before it.
    """

    joined_on: date
    days_apart: int
    visits: list[Visits]
    invited: Invited | None
    was_customer: bool
    has_referrer: bool
    explanation: Explanation


@dataclass(frozen=True)
class ClaimDetail:
    """A claim as an admin sees it; there is evidence while it waits for a decision."""

    claim: ReferralClaim
    claimant: User
    friend: User | None
    decided_by: str | None
    referral_id: int | None  # which came of it
    earlier: list[EarlierClaim]
    evidence: Evidence | None


def count() -> int:
    """Count the claims that wait for a decision. One query."""
    return reading().scalar(select(func.count()).where(ReferralClaim.state == ClaimState.AGREED)) or 0


def queue() -> ClaimQueue:
    """Read what waits for a decision. Two queries."""
    claimant, friend, claimants = aliased(Profile), aliased(Profile), aliased(User)
    query = (
        select(ReferralClaim.id, shown_name(claimants), shown_name(User), ReferralClaim.changed)
        .join(claimant, claimant.id == ReferralClaim.claimant_id)
        .join(claimants, claimants.id == claimant.user_id)
        .join(friend, friend.id == ReferralClaim.friend_id)
        .join(User, User.id == friend.user_id)
        .where(ReferralClaim.state == ClaimState.AGREED)
        .order_by(ReferralClaim.changed, ReferralClaim.id)
        .limit(SHOWN)
    )
    return ClaimQueue([WaitingClaim(*row) for row in reading().execute(query)], count())


def of_claim(claim_id: int, now: datetime) -> ClaimDetail:
    """Read a claim with its evidence, days in the zone that `now` is in. Some twenty queries. Raises NotFound."""
    query = select(ReferralClaim, User.username).outerjoin(User, User.id == ReferralClaim.decided_by_id)
    row = reading().execute(query.where(ReferralClaim.id == claim_id)).one_or_none()
    if row is None:
        raise NotFound("no_such_referral_claim")
    claim, decided_by = row
    both = select(User).join(Profile, Profile.user_id == User.id)
    people = reading().scalars(both.where(Profile.id.in_([claim.claimant_id, claim.friend_id]))).all()
    claimant = next(user for user in people if user.profile.id == claim.claimant_id)
    friend = next((user for user in people if user.profile.id == claim.friend_id), None)
    ids = {"referrer_id": claim.claimant_id, "friend_id": claim.friend_id}
    referral_id = reading().scalar(select(Referral.id).filter_by(**ids)) if friend else None
    waits = friend is not None and claim.state is ClaimState.AGREED
    evidence = _evidence(claim, friend, now) if friend and waits else None
    return ClaimDetail(claim, claimant, friend, decided_by, referral_id, _earlier(claim), evidence)


def _evidence(claim: ReferralClaim, friend: User, now: datetime) -> Evidence:
    joined_on = friend.profile.created.astimezone(zone_of(now)).date()
    as_if = Referral(
        referrer_id=claim.claimant_id, friend_id=friend.profile.id, channel=claim.channel,
        state=ReferralState.PENDING, created=friend.profile.created,
    )  # fmt: skip
    found = signals.judge(reading(), as_if)
    return Evidence(
        joined_on=joined_on,
        days_apart=(joined_on - claim.joined_on).days,
        visits=_visits(claim, joined_on),
        invited=_invited(claim),
        was_customer=customers.friend_was_one(reading(), as_if),
        has_referrer=friend.profile.referred_by_id is not None,
        explanation=explanations.of_now(found, ReferralState.PENDING, now),
    )


def _visits(claim: ReferralClaim, joined_on: date) -> list[Visits]:
    """Read who came by the claimant's link shortly before the day on which the friend joined, or is said to have."""
    spans = [VisitDaily.day.between(day - VISITS_BEFORE, day + VISITS_AFTER) for day in {joined_on, claim.joined_on}]
    query = (
        select(VisitDaily.day, VisitDaily.channel, VisitDaily.visitors)
        .where(VisitDaily.profile_id == claim.claimant_id, VisitDaily.day > FOLDED, VisitDaily.visitors > 0)
        .where(spans[0] | spans[-1])
        .order_by(VisitDaily.day, VisitDaily.channel)
    )
    return [Visits(*row) for row in reading().execute(query)]


def _invited(claim: ReferralClaim) -> Invited | None:
    if claim.address is None:
        return None
    query = (
        select(shown_name(User), Invitation.profile_id == claim.claimant_id, Invitation.state, Invitation.created)
        .join(Profile, Profile.id == Invitation.profile_id)
        .join(User, User.id == Profile.user_id)
        .where(Invitation.address_hash == address_hash(claim.address))
    )
    row = reading().execute(query).one_or_none()
    return Invited(*row) if row else None


def _earlier(claim: ReferralClaim) -> list[EarlierClaim]:
    query = (
        select(ReferralClaim.id, ReferralClaim.state, ReferralClaim.created)
        .where(ReferralClaim.claimant_id == claim.claimant_id, ReferralClaim.id != claim.id)
        .order_by(ReferralClaim.id.desc())
        .limit(EARLIER)
    )
    return [EarlierClaim(*row) for row in reading().execute(query)]


def confirm(claim_id: int, reason: Reason, actor: Actor, now: datetime, *, verification_required: bool = True) -> None:
    """Let the claimant be who brought the friend, and credit it, by an admin's decision; both read why.

    Raises NotFound, AlreadyDone, Unverified, or Conflict: it does not wait, or the friend has a referrer by now.
    """
    with transaction() as session:
        friend_id, agreed_at = _who_agreed(session, claim_id, ClaimState.CONFIRMED)
        friend = belated.lock_friend(session, friend_id)
        claim = _move(session, claim_id, ClaimState.CONFIRMED, reason, actor, now)
        if verification_required and not friend.is_verified:
            raise Unverified
        referrer, link = Referrer(claim.claimant_id, "", ""), FollowedLink("", claim.channel, friend.joined_at)
        said = Reason(ReasonCode.FRIEND_AGREED, {"at": agreed_at.isoformat()})
        referral = belated.attach(session, friend, referrer, link, said, now, announced=False)
        found = signals.judge(session, referral)
        before, this = ReferralState.PENDING, Referral.id == referral.id
        transitions.take(session, this, before, ReferralState.CONFIRMED, now, score=found.score)
        evidence = {"claim": claim.id, "assessment": found.snapshot()}
        transitions.credit(session, referral, before, actor, reason, now, evidence)
        _tell_both(session, claim, now)
        transitions.audited(session, referral, before, actor, reason, now)
        _audited(session, claim, "claim.confirm", actor, reason, now)


def reject(claim_id: int, reason: Reason, actor: Actor, now: datetime) -> None:
    """Decide that the claimant was not who brought the friend; both read why. Raises NotFound or Conflict."""
    with transaction() as session:
        friend_id, _ = _who_agreed(session, claim_id, ClaimState.REJECTED)
        belated.lock_friend(session, friend_id)
        claim = _move(session, claim_id, ClaimState.REJECTED, reason, actor, now)
        _tell_both(session, claim, now)
        _audited(session, claim, "claim.reject", actor, reason, now)


def _who_agreed(session: Session, claim_id: int, after: ClaimState) -> tuple[int, datetime]:
    """Read who agreed to a claim, and when: the friend's account is locked before the claim, as everybody does."""
    row = session.execute(
        select(ReferralClaim.friend_id, ReferralClaim.changed).where(
            ReferralClaim.id == claim_id, ReferralClaim.state == ClaimState.AGREED
        )
    ).one_or_none()
    if row is None or row.friend_id is None:
        raise _refusal(session, claim_id, after)
    return row.friend_id, row.changed


def _move(
    session: Session, claim_id: int, after: ClaimState, reason: Reason, actor: Actor, now: datetime
) -> ReferralClaim:
    agreed = (ReferralClaim.id == claim_id, ReferralClaim.state == ClaimState.AGREED)
    values: dict[str, Any] = {"state": after, "reason": reason.text, "decided_by_id": actor.user_id, "changed": now}
    moved = update(ReferralClaim).where(*agreed).values(values).returning(ReferralClaim)
    claim: ReferralClaim | None = session.scalar(moved.execution_options(populate_existing=True))
    if claim is None:
        raise _refusal(session, claim_id, after)
    return claim


def _refusal(session: Session, claim_id: int, after: ClaimState) -> Conflict | NotFound:
    state = session.scalar(select(ReferralClaim.state).where(ReferralClaim.id == claim_id))
    if state is None:
        return NotFound("no_such_referral_claim")
    return (AlreadyDone if state is after else Conflict)("claim_does_not_wait")


def _tell_both(session: Session, claim: ReferralClaim, now: datetime) -> None:
    kind, payload = MessageKind.CLAIM_DECIDED, {"claim_id": claim.id, "state": claim.state.value}
    both = select(Profile.user_id).where(Profile.id.in_([claim.claimant_id, claim.friend_id]))
    for user_id in session.scalars(both.order_by(Profile.id)).all():
        outbox.queue(session, kind, user_id, f"{kind.value}:{claim.id}:{user_id}", payload, now)


def _audited(session: Session, claim: ReferralClaim, action: str, actor: Actor, reason: Reason, now: datetime) -> None:
    states = {"state": ClaimState.AGREED.value}, {"state": claim.state.value}
    audit.record(session, actor, action, SUBJECT, claim.id, *states, now, reason.text)
