"""Trying events once more that could not be used when they came."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from referralhub.database import reading, transaction
from referralhub.models import CustomerKind, Event, EventCustomer, EventState
from referralhub.services.integration import event_customers, events
from referralhub.services.integration.events import Row
from referralhub.services.integration.signups import Why
from referralhub.services.shared import audit
from referralhub.services.shared.audit import Actor

BATCH = 100  # events in one transaction


@dataclass(frozen=True)
class Replayed:
    """How many kept events were tried, and how many of them are kept no more."""

    tried: int
    used: int


def replay(actor: Actor, now: datetime, *, codes_only: bool = False) -> Replayed:
    """Try every kept event once more: its code may be known by now, or who its customer is.

    With `codes_only` only signups are tried: what else is kept waits for another event, which uses it. Batches of 100
    are a transaction each, with a line in the audit log where anything was used.
    """
    query = select(Event.id).where(Event.state == EventState.KEPT).order_by(Event.id)
    if codes_only:
        query = query.where(Event.reason_code == Why.UNKNOWN_CODE.value)
    ids = reading().scalars(query).all()
    used = 0
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        used += events.again_on_collision(partial(_replay, batch, actor, now))
    return Replayed(len(ids), used)


def _replay(ids: Collection[int], actor: Actor, now: datetime) -> int:
    with transaction() as session:
        person, organization = aliased(EventCustomer), aliased(EventCustomer)
        query = (
            select(person.external_id, organization.external_id)
            .select_from(Event)
            .outerjoin(person, person.id == Event.customer_id)
            .outerjoin(organization, organization.id == Event.organization_id)
            .where(Event.id.in_(ids))
        )
        keys = set()
        for number, organization_number in session.execute(query):
            keys |= {(CustomerKind.PERSON, number), (CustomerKind.ORGANIZATION, organization_number)}
        customers = event_customers.lock(session, {(kind, number) for kind, number in keys if number}, now)
        events.work(session, _kept(session, ids), customers, {}, now)
        used = len(ids) - len(_kept(session, ids))
        if used:
            audit.record(session, actor, "events.replay", "events", None, {}, {"used": used}, now)
    return used


def _kept(session: Session, ids: Collection[int]) -> list[Row]:
    query = select(
        Event.id, Event.type, Event.customer_id, Event.organization_id, Event.occurred_at, Event.signup
    ).where(Event.id.in_(ids), Event.state == EventState.KEPT)  # fmt: skip
    return [Row(*row) for row in session.execute(query.order_by(Event.id))]
