"""Missing referrals, as members tell of them: "my friend joined and I got nothing". The friend is asked.

Whether there is such a member is for the worker to find out, who asks them by mail: neither the page nor its time tells
the claimant. An admin has the last word, in `missing_review`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Select, String, cast, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from referralhub.database import insert, reading, transaction
from referralhub.models import Channel, ClaimState, MessageKind, OutboxMessage, Profile, ReferralClaim, User
from referralhub.services.mailing import outbox
from referralhub.services.mailing.addresses import canonical
from referralhub.services.shared import parts
from referralhub.services.shared.calendar import zone_of
from referralhub.services.shared.errors import AlreadyDone, Conflict, DomainError
from referralhub.services.shared.names import shown_name
from referralhub.services.shared.parts import Part

MOST_OPEN = 10  # claims of one member that nobody has answered or decided
LONGEST_WORDS = 500
ANSWER_WITHIN = timedelta(days=30)
NEW = timedelta(hours=1)  # for which a claim is looked at whenever mail is delivered; then it is once an hour
SAME_CLICK = timedelta(minutes=1)  # within which a second claim is the first, sent again by an impatient browser
OPEN = (ClaimState.ASKED, ClaimState.AGREED)


class ClaimReason(StrEnum):
    """Why the system itself ended a claim. What an admin says is kept in words."""

    NAMED_ANOTHER = "named_another"  # the friend had agreed to somebody else's claim
    CAME_OTHERWISE = "came_otherwise"  # somebody else brought the friend by then
    FRIEND_LEFT = "friend_left"  # the account of the friend who had agreed was deleted


@dataclass(frozen=True)
class ClaimLine:
    """One claim as its claimant reads it; an `address` is none once its owner has deleted their account."""

    id: int
    address: str | None
    joined_on: date
    state: ClaimState
    reason: str
    by_admin: bool  # whose words the reason is; else it is a code of ours, or nothing
    created: datetime
    changed: datetime


@dataclass(frozen=True)
class ClaimLetter:
    """What a mail about a claim says: who is in it, and why it was decided so."""

    claimant: str
    friend: str
    reason: str
    is_claimant: bool  # who gets it


def claim(user: User, address: str, joined_on: date, channel: Channel, words: str, now: datetime) -> None:
    """Note that a friend with this address joined through a member, who was not credited; known or not.

    `now` is in the program's time zone. A member claims an address once, and has at most ten open claims. Raises
    DomainError for what cannot be, and Conflict: AlreadyDone for the second of two clicks.
    """
    _check(user, address, joined_on, now)
    with transaction() as session:
        # Two forms sent at once must not pass the limit together.
        session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
        values = {
            "claimant_id": user.profile.id, "address": address, "joined_on": joined_on, "channel": channel,
            "words": words, "state": ClaimState.ASKED, "reason": "", "changed": now, "created": now,
        }  # fmt: skip
        claim_id = session.scalar(
            insert(ReferralClaim).values(values).on_conflict_do_nothing().returning(ReferralClaim.id)
        )
        if claim_id is None:
            raise _claimed_before(session, user.profile.id, address, now)
        mine = (ReferralClaim.claimant_id == user.profile.id, ReferralClaim.state.in_(OPEN))
        if (session.scalar(select(func.count()).where(*mine)) or 0) > MOST_OPEN:
            raise Conflict("too_many_claims", most=MOST_OPEN)
        session.info[outbox.WAITING] = True  # so that the worker looks at once


def _claimed_before(session: Session, profile_id: int, address: str, now: datetime) -> Conflict:
    same = (ReferralClaim.claimant_id == profile_id, func.lower(ReferralClaim.address) == address.lower())
    created = session.execute(select(ReferralClaim.created).where(*same)).scalar_one()
    return (AlreadyDone if now - created < SAME_CLICK else Conflict)("claimed_before", "email")


def _check(user: User, address: str, joined_on: date, now: datetime) -> None:
    if user.verified_at is None:
        raise Conflict("claimant_unconfirmed")
    if canonical(address) == canonical(user.email):
        raise DomainError("claim_of_oneself", "email")
    if joined_on > now.date():
        raise DomainError("joined_in_future", "joined_on")
    if joined_on < user.profile.created.astimezone(zone_of(now)).date():
        raise DomainError("joined_before_claimant", "joined_on")


def claims_of(profile_id: int, after: int | None = None) -> Part[ClaimLine]:
    """Read one part of what a member claimed, newest first. One query."""
    query = select(
        ReferralClaim.id,
        ReferralClaim.address,
        ReferralClaim.joined_on,
        ReferralClaim.state,
        ReferralClaim.reason,
        ReferralClaim.decided_by_id.is_not(None),
        ReferralClaim.created,
        ReferralClaim.changed,
    ).where(ReferralClaim.claimant_id == profile_id)
    rows = reading().execute(parts.newest(query, ReferralClaim.id, after))
    return parts.part([ClaimLine(*row) for row in rows], after)


def ask_friends(now: datetime, *, new_only: bool = False) -> int:
    """Mail the question to each friend who has to answer one and was not asked yet; return to how many.

    They are members who came by no link, after the claimant, and have shown to read the mail at that address: one who
    confirms it only now is asked now, unless `new_only` claims of the last hour are looked at.
    """
    query = _unasked()
    if new_only:
        query = query.where(ReferralClaim.created > now - NEW)
    found = reading().execute(query).all()
    if found:
        with transaction() as session:
            for claim_id, user_id in found:
                kind, payload = MessageKind.CLAIM_QUESTION, {"claim_id": claim_id}
                outbox.queue(session, kind, user_id, f"{kind.value}:{claim_id}", payload, now)
    return len(found)


def _unasked() -> Select[int, int]:
    claimant, claimants = aliased(Profile), aliased(User)
    key = literal(f"{MessageKind.CLAIM_QUESTION.value}:") + cast(ReferralClaim.id, String)
    return (
        select(ReferralClaim.id, User.id)
        .join(User, func.lower(User.email) == func.lower(ReferralClaim.address))
        .join(Profile, Profile.user_id == User.id)
        .join(claimant, claimant.id == ReferralClaim.claimant_id)
        .join(claimants, claimants.id == claimant.user_id)
        .where(
            ReferralClaim.state == ClaimState.ASKED,
            User.verified_at.is_not(None),
            User.is_active,
            claimants.is_active,
            Profile.referred_by_id.is_(None),
            Profile.id > ReferralClaim.claimant_id,
            ~select(OutboxMessage.id).where(OutboxMessage.key == key).exists(),
        )
        .order_by(ReferralClaim.id)
    )


def is_asked(claim_id: int, friend_id: int) -> bool:
    """Whether a question that waits to be mailed still has to be asked of this friend. One query."""
    claimant, claimants = aliased(Profile), aliased(User)
    query = (
        select(ReferralClaim.id)
        .join(claimant, claimant.id == ReferralClaim.claimant_id)
        .join(claimants, claimants.id == claimant.user_id)
        .join(Profile, Profile.id == friend_id)
        .where(
            ReferralClaim.id == claim_id,
            ReferralClaim.state == ClaimState.ASKED,
            claimants.is_active,
            Profile.referred_by_id.is_(None),
        )
    )
    return reading().scalar(query) is not None


def letter(claim_id: int, user_id: int) -> ClaimLetter:
    """Return what a mail about a claim says to this one of the two. One query."""
    claimant, friend, claimants = aliased(Profile), aliased(Profile), aliased(User)
    query = (
        select(shown_name(claimants), shown_name(User), ReferralClaim.reason, claimants.id == user_id)
        .join(claimant, claimant.id == ReferralClaim.claimant_id)
        .join(claimants, claimants.id == claimant.user_id)
        .outerjoin(friend, friend.id == ReferralClaim.friend_id)
        .outerjoin(User, User.id == friend.user_id)
        .where(ReferralClaim.id == claim_id)
    )
    found, friends_name, reason, is_claimant = reading().execute(query).one()
    return ClaimLetter(found, friends_name or "", reason, bool(is_claimant))


def expire_due(now: datetime) -> int:
    """End the claims that nobody answered for 30 days, whether there was anybody to answer or not; return how many."""
    waiting = (ReferralClaim.state == ClaimState.ASKED, ReferralClaim.created <= now - ANSWER_WITHIN)
    with transaction() as session:
        expired = update(ReferralClaim).where(*waiting).values(state=ClaimState.EXPIRED, changed=now)
        return len(session.scalars(expired.returning(ReferralClaim.id)).all())


def erase(session: Session, profile_id: int, addresses: Collection[str], now: datetime) -> None:
    """Forget what a member claimed, and who claimed them; part of the caller's transaction.

    The addresses are the member's own, in lower case. What was open is over.
    """
    mine = ReferralClaim.claimant_id == profile_id
    theirs = or_(func.lower(ReferralClaim.address).in_(addresses), ReferralClaim.friend_id == profile_id)
    state = ReferralClaim.state
    for matching, values in (
        ((mine, state.in_(OPEN)), {"state": ClaimState.EXPIRED, "changed": now}),
        ((mine,), {"address": None, "words": ""}),
        (
            (ReferralClaim.friend_id == profile_id, state == ClaimState.AGREED),
            {"state": ClaimState.REJECTED, "reason": ClaimReason.FRIEND_LEFT.value, "changed": now},
        ),
        ((theirs,), {"address": None}),
    ):
        session.execute(
            update(ReferralClaim).where(*matching).values(values).execution_options(synchronize_session=False)
        )
