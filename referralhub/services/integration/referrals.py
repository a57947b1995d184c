"""All referrals of the program, by the numbers that the product knows their members by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import Channel, ExternalMember, Profile, Reason, Referral, ReferralEvent, ReferralState, User
from referralhub.services.shared import parts
from referralhub.services.shared.errors import NotFound
from referralhub.services.shared.names import shown_name
from referralhub.services.shared.parts import Part


class Person(NamedTuple):
    """One side of a referral; `external_id` is none where the product did not bring them."""

    external_id: str | None
    name: str


@dataclass(frozen=True)
class Line:
    """One referral, and why it is where it is."""

    id: int
    referrer: Person
    friend: Person
    state: ReferralState
    channel: Channel
    score: int | None
    reason: Reason
    created: datetime
    decided_at: datetime | None


def newest(
    after: int | None = None,
    state: ReferralState | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Part[Line]:
    """Read one part of the list, the newest first: begun from `since` on and before `until`. Two queries."""
    ids, at = select(Referral.id), select(Referral.created).where(Referral.id == after)
    if state is not None:
        ids = ids.where(Referral.state == state)
    if since is not None:
        ids = ids.where(Referral.created >= since)
    if until is not None:
        ids = ids.where(Referral.created < until)
    rows = parts.latest_of(reading(), _referrals(), ids, Referral.id, Referral.created, after, at)
    return parts.part([_line(row) for row in rows], after)


def get(referral_id: int) -> Line:
    """Return a referral. One query. Raises NotFound."""
    row = reading().execute(_referrals().where(Referral.id == referral_id)).one_or_none()
    if row is None:
        raise NotFound("no_such_referral")
    return _line(row)


def _line(row: Any) -> Line:
    id_, one_number, one_name, other_number, other_name, *others = row
    return Line(id_, Person(one_number, one_name), Person(other_number, other_name), *others)


def _referrals() -> Select[*tuple[Any, ...]]:
    referrer, friend = aliased(Profile), aliased(Profile)
    one, other = aliased(User), aliased(User)
    number_of_one, number_of_other = aliased(ExternalMember), aliased(ExternalMember)
    event = aliased(ReferralEvent)
    last = select(func.max(event.id)).where(event.referral_id == Referral.id).scalar_subquery()
    return (
        select(
            Referral.id, number_of_one.external_id, shown_name(one), number_of_other.external_id, shown_name(other),
            Referral.state, Referral.channel, Referral.score, ReferralEvent.reason, Referral.created,
            Referral.decided_at,
        )
        .select_from(Referral)
        .outerjoin(ReferralEvent, ReferralEvent.id == last)  # without a trail the row is still there
        .join(referrer, referrer.id == Referral.referrer_id)
        .join(one, one.id == referrer.user_id)
        .outerjoin(number_of_one, number_of_one.user_id == one.id)
        .join(friend, friend.id == Referral.friend_id)
        .join(other, other.id == friend.user_id)
        .outerjoin(number_of_other, number_of_other.user_id == other.id)
    )  # fmt: skip
