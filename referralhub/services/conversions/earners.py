"""Who earns by which referrals; parts of a caller's transaction."""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from referralhub.models import Program, Referral
from referralhub.services.ledger import entries
from referralhub.services.ledger.entries import IDS


class Sides(NamedTuple):
    """Who earns by a referral: the referrer, or whom an admin gave the credit instead, and the friend."""

    referrer: int
    friend: int


def concerned(session: Session, referral_ids: Collection[int], referrer_ids: Collection[int] = ()) -> dict[int, Sides]:
    """Find who earns by these referrals, and all referrals of a referrer where a cap makes one depend on the others.

    The cap of one counts what all bring, also those that began under other rules.
    """
    rows = session.execute(_sides(), {"ids": sorted(referral_ids)}).all() if referral_ids else []
    found = {row.id: Sides(row.earner_id, row.friend_id) for row in rows}
    wide = {row.earner_id for row in rows if row.any_caps} | set(referrer_ids)
    if wide and (capped := session.scalars(_capped(), {"ids": sorted(wide)}).all()):
        found |= sides_of_members(session, capped)
    return found


def sides_of_members(session: Session, member_ids: Collection[int]) -> dict[int, Sides]:
    """Find all referrals by which these members earn as the referrer. One query."""
    rows = session.execute(_sides_of_members(), {"ids": sorted(member_ids)})
    return {row.id: Sides(row.earner_id, row.friend_id) for row in rows}


@cache  # building these queries took half of the time
def _sides() -> Select[*tuple[Any, ...]]:
    any_caps = _capping().exists().label("any_caps")  # which saves most programs a look at all of a member's referrals
    columns = Referral.id, Referral.earner_id.label("earner_id"), Referral.friend_id
    return select(*columns, any_caps).where(Referral.id.in_(IDS))


@cache
def _sides_of_members() -> Select[*tuple[Any, ...]]:
    columns = Referral.id, Referral.earner_id.label("earner_id"), Referral.friend_id
    return select(*columns).where(_earned_by())


@cache
def _capped() -> Select[int]:
    """Make the query for those of some members who have a cap that their referrals share."""
    return (
        select(Referral.earner_id)
        .where(_capping().exists(), _earned_by(), Referral.program_id.in_(_capping()))
        .distinct()
    )


def _earned_by() -> ColumnElement[bool]:
    """Choose the referrals by which members of some numbers earn; either part has an index of its own."""
    as_referrer = and_(Referral.referrer_id.in_(IDS), Referral.credited_id.is_(None))
    return or_(as_referrer, Referral.credited_id.in_(IDS))


def _capping() -> Select[int]:
    return select(Program.id).where(or_(Program.member_cap.is_not(None), Program.monthly_cap.is_not(None)))


def lock(session: Session, sides: Iterable[Sides], others: Iterable[int] = ()) -> None:
    """Let nobody else write to the ledgers of these members. A referral's state is read after that, by everybody."""
    entries.lock_profiles(session, {profile_id for pair in sides for profile_id in pair} | set(others))
