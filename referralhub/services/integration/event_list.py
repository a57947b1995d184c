"""The events of a product, as it and its operators read them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import Amount, Conversion, Event, EventCustomer, EventState
from referralhub.services.shared import parts
from referralhub.services.shared.errors import NotFound
from referralhub.services.shared.parts import Part

SIDES = ("referrer_amount", "referrer_unit", "friend_amount", "friend_unit")  # columns of a conversion


@dataclass(frozen=True)
class EventLine:
    """One event; `referrer` and `friend` are what it earns for them by now, none where it is of no type that earns."""

    id: int
    product: str
    own_id: str
    type: str
    state: EventState
    reason_code: str
    reason_values: dict[str, Any]
    external_id: str | None
    organization_id: str | None
    referral_id: int | None
    amount: int | None
    currency: str | None
    refund_of: str | None
    details: dict[str, Any]
    occurred_at: datetime
    created: datetime
    refunded: int | None
    referrer: Amount | None
    friend: Amount | None


def newest(
    product: str | None = None,
    after: int | None = None,
    *,
    state: EventState | None = None,
    type_: str | None = None,
) -> Part[EventLine]:
    """Read one part of the events, the newest first: a product's or everybody's. Two queries."""
    asked = ((Event.product, product), (Event.state, state), (Event.type, type_))
    ids = select(Event.id).where(*(column == value for column, value in asked if value is not None))
    rows = parts.newest_of(reading(), _events(), ids, Event.id, after)
    return parts.part([_line(row) for row in rows], after)


def get(product: str, own_id: str) -> EventLine:
    """Return a product's event. One query. Raises NotFound."""
    row = reading().execute(_events().where(Event.product == product, Event.own_id == own_id)).one_or_none()
    if row is None:
        raise NotFound("no_such_event")
    return _line(row)


def _events() -> Select[*tuple[Any, ...]]:
    person, organization = aliased(EventCustomer), aliased(EventCustomer)
    return (
        select(
            Event.id, Event.product, Event.own_id, Event.type, Event.state, Event.reason_code, Event.reason_values,
            person.external_id, organization.external_id.label("organization_id"), Event.referral_id,
            Event.amount, Event.currency, Event.refund_of, Event.details, Event.occurred_at, Event.created,
            Conversion.refunded, Conversion.referrer_amount, Conversion.referrer_unit,
            Conversion.friend_amount, Conversion.friend_unit,
        )
        .outerjoin(person, person.id == Event.customer_id)
        .outerjoin(organization, organization.id == Event.organization_id)
        .outerjoin(Conversion, Conversion.event_id == Event.id)
    )  # fmt: skip


def _line(row: Any) -> EventLine:
    said = row._asdict()
    conversion = {name: said.pop(name) for name in ("refunded", *SIDES)}
    if conversion["refunded"] is None:
        return EventLine(**said, refunded=None, referrer=None, friend=None)
    referrer, friend = (Amount(conversion[one], conversion[other]) for one, other in (SIDES[:2], SIDES[2:]))
    return EventLine(**said, refunded=conversion["refunded"], referrer=referrer, friend=friend)
