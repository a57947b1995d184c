"""Many entries of the ledger at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, String, bindparam, func, insert, select
from sqlalchemy.orm import Session, aliased

from referralhub.models import Profile, RewardEntry, RewardKind
from referralhub.services.ledger import entries
from referralhub.services.ledger.entries import IDS


@dataclass(frozen=True)
class Posting:
    """An entry that is to be written for a conversion."""

    profile_id: int
    kind: RewardKind
    amount: int
    unit: str
    available_at: datetime
    referral_id: int
    conversion_id: int
    cause_id: int | None = None  # the event that changed what the conversion earns


def post_all(session: Session, postings: Sequence[Posting], now: datetime) -> None:
    """Add many entries, in this order; a query for each unit, and one statement to write.

    The caller has locked the members' ledgers.
    """
    if not postings:
        return
    last: dict[tuple[int, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for unit in {each.unit for each in postings}:
        wanted = {each.profile_id for each in postings if each.unit == unit}
        found = session.execute(_last_entries(), {"ids": sorted(wanted), "unit": unit})
        last |= {(row.profile_id, unit): (row.number, row.balance) for row in found}
    rows: list[dict[str, Any]] = []
    for each in postings:
        number, balance = last[each.profile_id, each.unit]
        last[each.profile_id, each.unit] = number, balance = number + 1, balance + each.amount
        rows.append(vars(each) | {"number": number, "balance": balance, "note": "", "created": now})
    session.execute(insert(RewardEntry).returning(RewardEntry.id), rows)  # else it is a statement for each
    entries.note_change(session, {(each.profile_id, each.unit) for each in postings}, now)


@cache
def _last_entries() -> Select[int, int, int]:
    unit = bindparam("unit", type_=String)
    other = aliased(RewardEntry)
    highest = select(func.max(other.number)).where(other.profile_id == Profile.id, other.unit == unit)
    return (
        select(RewardEntry.profile_id, RewardEntry.number, RewardEntry.balance)
        .select_from(Profile)
        .join(RewardEntry, RewardEntry.profile_id == Profile.id)
        .where(Profile.id.in_(IDS), RewardEntry.unit == unit, RewardEntry.number == highest.scalar_subquery())
    )
