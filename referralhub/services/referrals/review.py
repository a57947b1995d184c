"""The review queue: what waits for a person, side by side with why, and what happens when nobody comes."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import Select, String, case, cast, func, literal, select
from sqlalchemy.orm import Session, aliased

from referralhub.database import insert, reading, transaction
from referralhub.models import (
    Appeal,
    Channel,
    ClaimState,
    MessageKind,
    Once,
    Profile,
    Reason,
    ReasonCode,
    Referral,
    ReferralClaim,
    ReferralEvent,
    ReferralState,
    Sighting,
    SignupFacts,
    User,
)
from referralhub.services.fraud import explanations
from referralhub.services.fraud.assessment import LIKELY
from referralhub.services.fraud.explanations import Explanation
from referralhub.services.mailing import outbox
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import SYSTEM, Actor
from referralhub.services.shared.errors import DomainError
from referralhub.services.shared.names import shown_name

SHOWN = 100  # cases on a page, the oldest first
REMIND_AFTER = (timedelta(days=3), timedelta(days=7))
RELEASE_AFTER = timedelta(days=30)


@dataclass(frozen=True)
class Case:
    """One referral that waits; `explanation` is none where a person held it, for `reason`.

    After an `appeal` in the referrer's words it was rejected before, for the reason `rejected_for`.
    """

    id: int
    referrer: str
    referrer_user_id: int
    friend: str
    friend_user_id: int
    score: int | None
    channel: Channel
    created: datetime
    held_at: datetime
    reason: Reason | None
    explanation: Explanation | None
    network: str | None  # equal for those who signed up from one place
    appeal: str | None
    rejected_for: Reason | None


class GroupKind(StrEnum):
    """What the cases of a group have in common."""

    NETWORK = "network"
    RULES = "rules"
    PERSON = "person"
    SINGLE = "single"


@dataclass(frozen=True)
class Group:
    """Cases that look alike: they came from one network, or the same rules held them, or a person did.

    One that is like no other is in a group of `kind` "single" with its likes.
    """

    kind: GroupKind
    rules: tuple[str, ...]
    cases: list[Case]


@dataclass(frozen=True)
class Queue:
    """What waits: `total` in all, of which the oldest are in the groups."""

    groups: list[Group]
    total: int


@dataclass(frozen=True)
class Decided:
    """What became of a decision on several cases."""

    done: int
    refused: list[tuple[int, DomainError]]  # which could not be decided, and why


def queue() -> Queue:
    """Read what waits for a decision, grouped by what the cases have in common. Three queries."""
    total = reading().scalar(select(func.count()).where(Referral.state == ReferralState.HELD)) or 0
    rows = reading().execute(_oldest()).all()
    steps = _reasons([row.id for row in rows])
    cases = [_case(row, steps[row.id]) for row in rows]
    return Queue(_grouped(cases), total)


def decide(
    ids: Collection[int],
    confirm: bool,
    reason: Reason,
    actor: Actor,
    now: datetime,
    *,
    verification_required: bool = True,
) -> Decided:
    """Confirm or reject cases, each in a transaction of its own: one that was decided meanwhile stops no other."""
    release = partial(lifecycle.release, verification_required=verification_required)
    step = release if confirm else lifecycle.reject
    refused: list[tuple[int, DomainError]] = []
    for referral_id in sorted(set(ids)):
        try:
            step(referral_id, actor, reason, now)
        except DomainError as error:
            refused.append((referral_id, error))
    return Decided(len(set(ids)) - len(refused), refused)


def remind(now: datetime) -> int:
    """Mail the admins when cases have waited for 3 days, and again at 7; returns how many cases that was about.

    One mail, however many cases, held referrals and claims alike. It can be called any number of times: each case is
    told of once for each span.
    """
    with transaction() as session:
        due = sum(_newly_due(session, waited) for after in REMIND_AFTER for waited in _waited(after, now))
        if due:
            held = session.scalar(select(func.count()).where(Referral.state == ReferralState.HELD)) or 0
            agreed = select(func.count()).where(ReferralClaim.state == ClaimState.AGREED)
            waiting = held + (session.scalar(agreed) or 0)
            admins = session.scalars(select(User.id).where(User.is_admin, User.is_active).order_by(User.id)).all()
            for user_id in admins:
                key = f"{MessageKind.REVIEW_REMINDER.value}:{user_id}:{now:%Y-%m-%dT%H:%M}"
                outbox.queue(session, MessageKind.REVIEW_REMINDER, user_id, key, {"waiting": waiting}, now)
    return due


def release_due(now: datetime, *, verification_required: bool = True) -> int:
    """Confirm cases that nobody decided for 30 days, unless they are likely fraud or a person held or rejected them.

    Returns how many; each in its own transaction, with an audit line in the system's name.
    """
    query = select(Referral.id).where(
        Referral.state == ReferralState.HELD,
        Referral.decided_at <= now - RELEASE_AFTER,
        Referral.score < LIKELY,
        ~_APPEALED,
    )
    reason = Reason(ReasonCode.NOT_DECIDED_IN_TIME, {"days": RELEASE_AFTER.days, "below": LIKELY})
    return decide(
        reading().scalars(query).all(), True, reason, SYSTEM, now, verification_required=verification_required
    ).done


def _newly_due(session: Session, waited: Select[str, datetime]) -> int:
    """Mark the cases that have waited for so long, and count those that were not marked before. One statement."""
    marking = insert(Once).from_select(["key", "created"], waited).on_conflict_do_nothing().returning(Once.key)
    return len(session.scalars(marking).all())


def _waited(after: timedelta, now: datetime) -> tuple[Select[str, datetime], Select[str, datetime]]:
    """Name the marks of the held referrals, and of the claims, that have waited for so long.

    Older ones were told of; these marks are not kept for ever.
    """

    def marks(about: Any, id_: Any, since: Any) -> Select[str, datetime]:
        key = about + cast(id_, String) + literal(f":{after.days}")
        return select(key, literal(now, Once.created.type)).where(since <= now - after, since > now - RELEASE_AFTER)

    about = case((_APPEALED, "appeal:"), else_="review:")  # which is a case once more
    held = marks(about, Referral.id, Referral.decided_at).where(Referral.state == ReferralState.HELD)
    claims = marks(literal("claim:"), ReferralClaim.id, ReferralClaim.changed)
    return held, claims.where(ReferralClaim.state == ClaimState.AGREED)


_APPEALED = select(Appeal.referral_id).where(Appeal.referral_id == Referral.id).exists()


def _oldest() -> Any:
    referrer, friend = aliased(Profile), aliased(Profile)
    one, other = aliased(User), aliased(User)
    return (
        select(
            Referral.id,
            Referral.score,
            Referral.channel,
            Referral.created,
            Referral.decided_at,
            one.id.label("referrer_user_id"),
            shown_name(one).label("referrer"),
            other.id.label("friend_user_id"),
            shown_name(other).label("friend"),
            Sighting.network,
            Appeal.words.label("appeal"),
        )
        .join(referrer, referrer.id == Referral.referrer_id)
        .join(one, one.id == referrer.user_id)
        .join(friend, friend.id == Referral.friend_id)
        .join(other, other.id == friend.user_id)
        .outerjoin(SignupFacts, SignupFacts.profile_id == friend.id)
        .outerjoin(Sighting, Sighting.id == SignupFacts.sighting_id)
        .outerjoin(Appeal, Appeal.referral_id == Referral.id)
        .where(Referral.state == ReferralState.HELD)
        .order_by(Referral.decided_at, Referral.id)
        .limit(SHOWN)
    )


def _reasons(ids: Sequence[int]) -> dict[int, dict[ReferralState, ReferralEvent]]:
    """Read how each of these came to be held, and, where there was an appeal, rejected."""
    query = select(ReferralEvent).where(
        ReferralEvent.referral_id.in_(ids),
        ReferralEvent.to_state.in_([ReferralState.HELD, ReferralState.REJECTED]),
        ReferralEvent.reason_code != ReasonCode.APPEALED,
    )
    found: dict[int, dict[ReferralState, ReferralEvent]] = {each: {} for each in ids}
    for event in reading().scalars(query.order_by(ReferralEvent.id)):
        found[event.referral_id][event.to_state] = event
    return found


def _case(row: Any, steps: dict[ReferralState, ReferralEvent]) -> Case:
    held, rejected = (steps.get(state) for state in (ReferralState.HELD, ReferralState.REJECTED))
    return Case(
        row.id, row.referrer, row.referrer_user_id, row.friend, row.friend_user_id, row.score, row.channel,
        row.created, row.decided_at, held.reason if held else None,
        explanations.read(held, ReferralState.HELD) if held else None, row.network,
        row.appeal, rejected.reason if rejected else None,
    )  # fmt: skip


def _grouped(cases: Sequence[Case]) -> list[Group]:
    """Put cases together that came from one place, and of the others those that the same rules held."""
    by_network = Counter(case.network for case in cases if case.network)
    alike: dict[tuple[str | None, tuple[str, ...]], list[Case]] = defaultdict(list)
    for each in cases:
        shared = each.network and by_network[each.network] > 1
        alike[(each.network, ()) if shared else (None, _rules(each))].append(each)
    groups = [Group(_kind(*key), key[1], members) for key, members in alike.items() if len(members) > 1]
    alone = [members[0] for members in alike.values() if len(members) == 1]
    return [*groups, Group(GroupKind.SINGLE, (), alone)] if alone else groups


def _rules(case: Case) -> tuple[str, ...]:
    if case.explanation is None:
        return ()
    return tuple(sorted({*(finding.rule for finding in case.explanation.findings), *case.explanation.incomplete}))


def _kind(network: str | None, rules: tuple[str, ...]) -> GroupKind:
    if network:
        return GroupKind.NETWORK
    return GroupKind.RULES if rules else GroupKind.PERSON
