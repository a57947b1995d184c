"""What a friend says to a claim, by a link that was mailed to them: yes or no, once, signed in or not."""

from dataclasses import dataclass
from datetime import date, datetime

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from referralhub.database import reading, transaction
from referralhub.models import ClaimState, Profile, ReferralClaim, User
from referralhub.services.fraud import signals
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.recourse import belated
from referralhub.services.recourse.belated import Friend
from referralhub.services.recourse.missing import ANSWER_WITHIN, MOST_OPEN, ClaimReason
from referralhub.services.shared.errors import AlreadyDone, BadLink
from referralhub.services.shared.names import shown_name


@dataclass(frozen=True)
class Answered:
    """One claim as the friend reads it who agreed to it."""

    claimant: str
    state: ClaimState
    reason: str
    by_admin: bool
    changed: datetime


@dataclass(frozen=True)
class Question:
    """What a friend is asked; `answer` is what they said, none while it waits."""

    claimant: str
    joined_on: date
    answer: ClaimState | None


def token(claim_id: int, friend_id: int, secret_key: str) -> str:
    """Make what lets a friend, and nobody else, answer a claim."""
    return _serializer(secret_key).dumps([claim_id, friend_id])


def read_token(text: str, secret_key: str) -> tuple[int, int]:
    """Return the claim that a link is about, and the friend whom it was mailed to. Raises BadLink."""
    try:
        claim_id, friend_id = _serializer(secret_key).loads(text)
    except BadSignature:
        raise BadLink from None
    return claim_id, friend_id


def _serializer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt="claim")


def question(claim_id: int, friend_id: int, now: datetime) -> Question:
    """Read what a friend is asked, or has answered. One query. Raises BadLink when it is too late."""
    claimant = aliased(Profile)
    query = (
        select(shown_name(User), ReferralClaim.joined_on, ReferralClaim.state, ReferralClaim.friend_id)
        .add_columns(ReferralClaim.created, User.is_active)
        .join(claimant, claimant.id == ReferralClaim.claimant_id)
        .join(User, User.id == claimant.user_id)
        .where(ReferralClaim.id == claim_id)
    )
    row = reading().execute(query).one_or_none()
    if row is None:
        raise BadLink
    if row.friend_id == friend_id:
        said = ClaimState.DECLINED if row.state is ClaimState.DECLINED else ClaimState.AGREED
        return Question(row[0], row.joined_on, said)
    if row.state is not ClaimState.ASKED or not row.is_active or row.created <= now - ANSWER_WITHIN:
        raise BadLink
    return Question(row[0], row.joined_on, None)


def answer(
    claim_id: int,
    friend_id: int,
    agrees: bool,
    origin: RequestOrigin,
    now: datetime,
    *,
    members: tuple[int, ...] = (),
) -> ClaimState:
    """Take the answer of a friend, and return what becomes of the claim: agreed, declined, or rejected.

    It is rejected where the friend agreed to another one, or has a referrer by now: of two, the first counts. `members`
    were signed in with this browser before. Raises AlreadyDone for the second answer, and BadLink when it is too late.
    """
    with transaction() as session:
        friend = belated.lock_friend(session, friend_id)
        found = session.execute(
            select(ReferralClaim.state, ReferralClaim.friend_id, ReferralClaim.created, User.is_active)
            .join(Profile, Profile.id == ReferralClaim.claimant_id)
            .join(User, User.id == Profile.user_id)
            .where(ReferralClaim.id == claim_id)
        ).one_or_none()
        if found and found.friend_id == friend_id:
            raise AlreadyDone("claim_answered")
        if not (found and found.is_active and friend.is_active) or found.created <= now - ANSWER_WITHIN:
            raise BadLink
        state = _close(session, claim_id, friend, agrees, now)
        if state is None:
            raise BadLink
        if state is ClaimState.AGREED:
            signals.note_later(session, friend_id, origin, members, now)
    return state


def _close(session: Session, claim_id: int, friend: Friend, agrees: bool, now: datetime) -> ClaimState | None:
    """Move a claim out of `asked`; None when it is not there (any more)."""
    if not agrees:
        return _move(session, claim_id, ClaimState.DECLINED, now, friend_id=friend.profile_id)
    rejected, why = ClaimState.REJECTED, ClaimReason.CAME_OTHERWISE
    if friend.referred_by_id is None:
        try:
            with session.begin_nested():
                return _move(session, claim_id, ClaimState.AGREED, now, friend_id=friend.profile_id)
        except IntegrityError:  # one friend agrees to one claim
            why = ClaimReason.NAMED_ANOTHER
    return _move(session, claim_id, rejected, now, friend_id=friend.profile_id, reason=why.value)


def _move(session: Session, claim_id: int, after: ClaimState, now: datetime, **values: int | str) -> ClaimState | None:
    asked = (ReferralClaim.id == claim_id, ReferralClaim.state == ClaimState.ASKED)
    moved = update(ReferralClaim).where(*asked).values(state=after, changed=now, **values)
    return session.scalar(moved.returning(ReferralClaim.state).execution_options(synchronize_session=False))


def answered_by(profile_id: int) -> list[Answered]:
    """Read what became of the claims that a member agreed to, the newest first. One query."""
    claimant = aliased(Profile)
    query = (
        select(shown_name(User), ReferralClaim.state, ReferralClaim.reason)
        .add_columns(ReferralClaim.decided_by_id.is_not(None), ReferralClaim.changed)
        .join(claimant, claimant.id == ReferralClaim.claimant_id)
        .join(User, User.id == claimant.user_id)
        .where(ReferralClaim.friend_id == profile_id, ReferralClaim.state != ClaimState.DECLINED)
        .order_by(ReferralClaim.id.desc())
        .limit(MOST_OPEN)
    )
    return [Answered(*row) for row in reading().execute(query)]
