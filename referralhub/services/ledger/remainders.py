"""What is left of each credit, after what was taken back from it."""

from collections import defaultdict
from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, select, union
from sqlalchemy.orm import Session, aliased

from referralhub.models import RewardEntry, RewardKind

BATCH = 500  # credits of one query

_reversal = aliased(RewardEntry)
# With a row of the ledger. It is looked up for each: a join for many reads on through all reversals there are.
_reversed_by = select(_reversal.id).where(_reversal.reverses_id == RewardEntry.id).scalar_subquery()
REVERSED = _reversed_by.is_not(None)


def of(session: Session, entry_ids: Collection[int]) -> dict[int, int]:
    """Return how much is left of these credits; those of which nothing is left are not in it.

    A reversal takes all of one. Whatever else takes from a conversion, or from a referral without one, takes first from
    the newest credit that there was: a later correction before the credit that it corrected. One query for each batch.
    """
    ids, left = sorted(entry_ids), dict[int, int]()
    for start in range(0, len(ids), BATCH):
        left |= _of(session, ids[start : start + BATCH])
    return left


def _of(session: Session, ids: list[int]) -> dict[int, int]:
    groups: dict[Any, list[tuple[int, int]]] = defaultdict(list)
    for row in session.execute(_concerned(), {"ids": ids}):
        groups[_group(row)].append((row.id, row.amount))
    wanted, left = set(ids), dict[int, int]()
    for group in groups.values():
        left |= {id_: amount for id_, amount in _spread(group) if id_ in wanted}
    return left


@cache
def _concerned() -> Select[*tuple[Any, ...]]:
    """Make the query for the credits, and for all that could take from them; what was reversed is left out."""
    columns = (
        RewardEntry.id, RewardEntry.profile_id, RewardEntry.unit, RewardEntry.kind, RewardEntry.conversion_id,
        RewardEntry.referral_id, RewardEntry.amount,
    )  # fmt: skip
    standing = select(*columns).where(RewardEntry.reverses_id.is_(None), ~REVERSED)
    credit = aliased(RewardEntry)
    ids: BindParameter[int] = bindparam("ids", expanding=True)
    conversions = select(credit.conversion_id).where(credit.id.in_(ids))
    referrals = select(credit.referral_id).where(credit.id.in_(ids), credit.conversion_id.is_(None))
    found = union(  # with an "or" the whole ledger would be read
        standing.where(RewardEntry.id.in_(ids)),
        standing.where(RewardEntry.conversion_id.in_(conversions)),
        standing.where(RewardEntry.conversion_id.is_(None), RewardEntry.referral_id.in_(referrals)),
    ).subquery()
    return select(found).order_by(found.c.id)


def _group(row: Any) -> tuple[Any, ...]:
    if row.conversion_id is not None:
        return "conversion", row.conversion_id, row.profile_id, row.unit
    if row.referral_id is not None and row.kind is not RewardKind.MILESTONE:
        return "referral", row.referral_id, row.profile_id, row.unit
    return "entry", row.id


def _spread(group: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Take each amount below zero from the credits before it, the newest first, and return what is left of them."""
    left: list[tuple[int, int]] = []
    for id_, amount in group:
        left.append((id_, max(0, amount)))
        taken, place = max(0, -amount), len(left) - 1
        while taken and place >= 0:
            credit, there = left[place]
            part = min(taken, there)
            left[place], taken, place = (credit, there - part), taken - part, place - 1
    return [each for each in left if each[1]]
