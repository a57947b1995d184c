"""What each event of a referral earned, or why it did not, for people to read."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from referralhub.database import reading
from referralhub.models import Amount, Conversion, Event, Referral

MOST, NEWEST = 100, 5  # of one referral alone, and of each in a list


@dataclass(frozen=True)
class ConversionLine:
    """One event of the type that the program rewards; what it earns for each side is net of refunds.

    `reason_code` says why it earns nothing, or less than promised.
    """

    referral_id: int
    own_id: str
    type: str
    occurred_at: datetime
    sale: Amount | None
    refunded: int  # of it, in its unit
    referrer: Amount
    friend: Amount
    reason_code: str
    reason_values: dict[str, Any]


def of_referral(referral_id: int) -> list[ConversionLine]:
    """Read the newest hundred of a referral, the latest first. One query."""
    return _read([referral_id], MOST).get(referral_id, [])


def of_referrals(referral_ids: Collection[int], earner_id: int) -> dict[int, list[ConversionLine]]:
    """Read the newest few of each of these referrals by which a member earns, the latest first.

    One query, none for no referrals.
    """
    return _read(referral_ids, NEWEST, Referral.earner_id == earner_id) if referral_ids else {}


def _read(referral_ids: Collection[int], most: int, *only: ColumnElement[bool]) -> dict[int, list[ConversionLine]]:
    latest_first = (Event.occurred_at.desc(), Event.id.desc())
    place = func.row_number().over(partition_by=Conversion.referral_id, order_by=latest_first)
    numbered = (
        select(
            Conversion, Event.own_id, Event.type, Event.occurred_at, Event.amount, Event.currency, place.label("place")
        )
        .join(Event, Event.id == Conversion.event_id)
        .join(Referral, Referral.id == Conversion.referral_id)
        .where(Conversion.referral_id.in_(sorted(referral_ids)), *only)
        .subquery()
    )
    found: dict[int, list[ConversionLine]] = defaultdict(list)
    query = select(numbered).where(numbered.c.place <= most).order_by(numbered.c.referral_id, numbered.c.place)
    for row in reading().execute(query):
        sale = Amount(row.amount, row.currency) if row.amount is not None else None
        found[row.referral_id].append(
            ConversionLine(
                row.referral_id, row.own_id, row.type, row.occurred_at, sale, row.refunded if sale else 0,
                Amount(row.referrer_amount, row.referrer_unit), Amount(row.friend_amount, row.friend_unit),
                row.reason_code, row.reason_values,
            )
        )  # fmt: skip
    return found
