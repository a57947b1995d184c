"""Recounting what events earn, and comparing it with the conversions and the ledger."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from referralhub.database import snapshot
from referralhub.models import Conversion, Event, Referral, ReferralState
from referralhub.services.conversions import earners, posting
from referralhub.services.conversions.earners import Sides
from referralhub.services.conversions.posting import Known
from referralhub.services.ledger.recount import Drift

BATCH = 200  # members who earn by events, at once


def drifts() -> Iterator[Drift]:
    """Yield every event, conversion and credit that does not follow from what happened; nothing when all is well."""
    session = snapshot()  # what happens meanwhile is no drift
    told = select(Event.referral_id).where(Event.referral_id.is_not(None))
    members = sorted(session.scalars(select(Referral.earner_id).where(Referral.id.in_(told)).distinct()))
    for start in range(0, len(members), BATCH):
        yield from _of_referrals(session, earners.sides_of_members(session, members[start : start + BATCH]))
    session.commit()


def _of_referrals(session: Session, sides: Mapping[int, Sides]) -> Iterator[Drift]:
    known = posting.know(session, sides)
    for each in known.earnings:
        wanted, said = posting.outcome(each), known.said[each.event.id]
        if wanted != said:
            values = {"event": each.event.id, "state": said.state.value, "reason": said.reason_code}
            recounted = {"recounted": wanted.state.value, "recounted_reason": wanted.reason_code}
            yield Drift("event_says_otherwise", values | recounted)
    waiting = {each.case.id for each in known.earnings if each.qualifies and each.case.state is ReferralState.PENDING}
    for referral_id in sorted(waiting):
        yield Drift("referral_waits_for_nothing", {"referral": referral_id})
    yield from _conversions(session, sides, known)


def _conversions(session: Session, sides: Mapping[int, Sides], known: Known) -> Iterator[Drift]:
    names = ("id", "event_id", *posting.COLUMNS)
    query = select(*(getattr(Conversion, name) for name in names)).where(Conversion.referral_id.in_(sides))
    rows: dict[int, Any] = {row.event_id: row._asdict() for row in session.execute(query)}
    there = posting.balances(session, [row["id"] for row in rows.values()])
    for each in known.conversions:
        row = rows.pop(each.event.id, None)
        if row is None:
            yield Drift("conversion_missing", {"event": each.event.id})
            continue
        for name, wanted in zip(posting.COLUMNS, posting.columns(each), strict=True):
            if row[name] != wanted:
                values = {"conversion": row["id"], "what": name, "actual": row[name], "recounted": wanted}
                yield Drift("conversion_differs", values)
        due, have = posting.due(each, sides[each.case.id]), there.get(row["id"], {})
        for profile_id, unit in sorted({*due, *have}):
            amount, _ = due.get((profile_id, unit), (0, ""))
            actual = have[profile_id, unit].amount if (profile_id, unit) in have else 0
            if actual != amount:
                values = {"conversion": row["id"], "member": profile_id, "unit": unit}
                yield Drift("conversion_is_not_the_ledgers", values | {"actual": actual, "recounted": amount})
    for row in rows.values():
        yield Drift("conversion_without_event", {"conversion": row["id"]})
