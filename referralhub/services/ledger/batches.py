"""Many entries of the ledger at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ScalarSelect, Select, String, bindparam, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

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
    note: str = ""


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
        last |= {(row.profile_id, unit): (row.number or 0, row.balance or 0) for row in found}
    rows: list[dict[str, Any]] = []
    for each in postings:
        number, balance = last[each.profile_id, each.unit]
        last[each.profile_id, each.unit] = number, balance = number + 1, balance + each.amount
        rows.append(vars(each) | {"number": number, "balance": balance, "created": now})
    session.execute(insert(RewardEntry).returning(RewardEntry.id), rows)  # else it is a statement for each
    entries.note_change(session, {(each.profile_id, each.unit) for each in postings}, now)


@cache
def _last_entries() -> Select[int, int, int]:
    """Make the query for the number and the balance of each member's last entry: one look each into an index."""
    mine = RewardEntry.profile_id == Profile.id, RewardEntry.unit == bindparam("unit", type_=String)

    def last(column: InstrumentedAttribute[int]) -> ScalarSelect[int]:
        return select(column).where(*mine).order_by(RewardEntry.number.desc()).limit(1).scalar_subquery()

    number, balance = last(RewardEntry.number), last(RewardEntry.balance)
    return select(Profile.id.label("profile_id"), number.label("number"), balance.label("balance")).where(
        Profile.id.in_(IDS)
    )
