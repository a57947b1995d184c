"""What was sent to an endpoint and what it answered; sending it once more; and how much waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    WebhookType,
)
from referralhub.services.shared import audit, parts
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import NotFound
from referralhub.services.shared.parts import Part
from referralhub.services.webhooks import emitting, endpoints

KEPT = timedelta(days=30)
BATCH = 1000  # messages that a transaction deletes, or sends again


class DeliveryState(StrEnum):
    """Where a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True)
class DeliveryLine:
    """One delivery in the log, and how the last try ended; `status` is none where there was no answer."""

    id: int
    message_id: str
    type: str
    sequence: int
    created: datetime
    attempts: int
    next_try_at: datetime | None
    delivered_at: datetime | None
    tried_at: datetime | None
    status: int | None
    milliseconds: int | None
    said: str | None

    @property
    def state(self) -> DeliveryState:
        """Where it is."""
        if self.delivered_at:
            return DeliveryState.DELIVERED
        return DeliveryState.WAITING if self.next_try_at else DeliveryState.GIVEN_UP


@dataclass(frozen=True)
class DeliveryDetail:
    """A delivery with what was sent, and each try, the newest first."""

    line: DeliveryLine
    endpoint_id: int
    body: str
    attempts: Sequence[WebhookAttempt]


@dataclass(frozen=True)
class Backlog:
    """What has not arrived: how many wait, how many were given up, since when the oldest should have set out."""

    waiting: int
    given_up: int
    oldest_due: datetime | None
    failing: int  # endpoints that have failed last
    off: int  # endpoints that were switched off


def deliveries(endpoint_id: int, after: int | None = None) -> Part[DeliveryLine]:
    """Read one part of an endpoint's log, the newest first. One query."""
    query = _lines().where(WebhookDelivery.endpoint_id == endpoint_id)
    rows = reading().execute(parts.newest(query, WebhookDelivery.id, after))
    return parts.part([DeliveryLine(*row) for row in rows], after)


def detail(delivery_id: int) -> DeliveryDetail:
    """Read all about one delivery. Three queries. Raises NotFound."""
    row = reading().execute(_lines().where(WebhookDelivery.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound("no_such_delivery")
    endpoint_id, body = (
        reading()
        .execute(
            select(WebhookDelivery.endpoint_id, WebhookMessage.body)
            .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
            .where(WebhookDelivery.id == delivery_id)
        )
        .one()
    )
    tries = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery_id).order_by(WebhookAttempt.id.desc())
    return DeliveryDetail(DeliveryLine(*row), endpoint_id, body, reading().scalars(tries.limit(50)).all())


def replay(delivery_id: int, actor: Actor, now: datetime) -> bool:
    """Send one again, whether it arrived or not, under the same id; False where it is on its way. Raises NotFound."""
    with transaction() as session:
        again = update(WebhookDelivery).where(
            WebhookDelivery.id == delivery_id, WebhookDelivery.next_try_at.is_(None), _to_active()
        )
        endpoint_id = session.scalar(again.values(_ANEW | {"next_try_at": now}).returning(WebhookDelivery.endpoint_id))
        if endpoint_id is not None:
            _record(session, actor, endpoint_id, 1, now)
        elif session.get(WebhookDelivery, delivery_id) is None:
            raise NotFound("no_such_delivery")
    return endpoint_id is not None


def replay_range(
    endpoint_id: int,
    since: datetime,
    until: datetime,
    actor: Actor,
    now: datetime,
    *,
    types: Sequence[WebhookType] = (),
) -> int:
    """Send an endpoint again what happened in a span of time, of these types or of all it is told of; returns how many.

    Those that it never got are among them, as from before it was there or while it was switched off, if they were
    written for another one; not those that are on their way. Raises NotFound.
    """
    count = 0
    with transaction() as session:
        endpoint = endpoints.lock(session, [endpoint_id]).get(endpoint_id)
        if endpoint is None or endpoint.removed_at:
            raise NotFound("no_such_webhook")
        wanted = list(types) or endpoint.types
        query = select(WebhookMessage.id).where(
            WebhookMessage.created >= since, WebhookMessage.created < until, WebhookMessage.type != WebhookType.TEST
        )
        if wanted:
            query = query.where(WebhookMessage.type.in_(wanted))
        ids = session.scalars(query.order_by(WebhookMessage.id)).all()
        for start in range(0, len(ids), BATCH):
            count += _again(session, endpoint_id, ids[start : start + BATCH], now)
        if count:
            _record(session, actor, endpoint_id, count, now)
    return count


def backlog(now: datetime) -> Backlog:
    """Count what has not arrived at endpoints that are on, and the endpoints that take nothing. Two queries."""
    waits, due = WebhookDelivery.next_try_at.is_not(None), WebhookDelivery.next_try_at <= now
    over = ~waits & WebhookDelivery.delivered_at.is_(None)
    waiting, given_up, oldest = (
        reading()
        .execute(
            select(
                func.count().filter(waits), func.count().filter(over), func.min(WebhookDelivery.next_try_at).filter(due)
            )
            .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
            .where(WebhookEndpoint.is_active, waits | over)
        )
        .one()
    )
    failing, off = (
        reading()
        .execute(
            select(
                func.count().filter(WebhookEndpoint.failing_since.is_not(None) & WebhookEndpoint.is_active),
                func.count().filter(~WebhookEndpoint.is_active),
            ).where(WebhookEndpoint.removed_at.is_(None))
        )
        .one()
    )
    return Backlog(waiting, given_up, oldest, failing, off)


def tidy(now: datetime) -> int:
    """Delete what is old, with what was answered; returns how many messages. Some at a time, so that nobody waits."""
    old, count = select(WebhookMessage.id).where(WebhookMessage.created < now - KEPT).limit(BATCH), 0
    while True:
        with transaction() as session:
            endpoints.lock(session)
            ids = session.scalars(old).all()
            of_these = select(WebhookDelivery.id).where(WebhookDelivery.message_id.in_(ids))
            session.execute(delete(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(of_these)))
            session.execute(delete(WebhookDelivery).where(WebhookDelivery.message_id.in_(ids)))
            session.execute(delete(WebhookMessage).where(WebhookMessage.id.in_(ids)))
        count += len(ids)
        if len(ids) < BATCH:
            return count


_ANEW: dict[str, Any] = {"attempts": 0, "delivered_at": None}


def _to_active() -> Any:
    active = select(WebhookEndpoint.id).where(WebhookEndpoint.is_active)
    return WebhookDelivery.endpoint_id.in_(active)


def _again(session: Session, endpoint_id: int, message_ids: Sequence[int], now: datetime) -> int:
    rows = [{"message_id": each, "endpoint_id": endpoint_id, "attempts": 0, "next_try_at": now} for each in message_ids]
    statement = insert(WebhookDelivery).values(rows)
    again = statement.on_conflict_do_update(
        index_elements=["message_id", "endpoint_id"],
        set_=_ANEW | {"next_try_at": now},
        where=WebhookDelivery.next_try_at.is_(None),
    )
    return len(session.scalars(again.returning(WebhookDelivery.id)).all())


def _record(session: Session, actor: Actor, endpoint_id: int, count: int, now: datetime) -> None:
    session.info[emitting.WAITING] = True
    audit.record(session, actor, "webhook.replay", "webhook", endpoint_id, {}, {"messages": count}, now)


def _lines() -> Select[*tuple[Any, ...]]:
    last = (
        select(func.max(WebhookAttempt.id))
        .where(WebhookAttempt.delivery_id == WebhookDelivery.id)
        .correlate(WebhookDelivery)
        .scalar_subquery()
    )
    return (
        select(
            WebhookDelivery.id, WebhookMessage.public_id, WebhookMessage.type, WebhookMessage.sequence,
            WebhookMessage.created, WebhookDelivery.attempts, WebhookDelivery.next_try_at,
            WebhookDelivery.delivered_at, WebhookAttempt.at, WebhookAttempt.status, WebhookAttempt.milliseconds,
            WebhookAttempt.said,
        )
        .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
        .outerjoin(WebhookAttempt, WebhookAttempt.id == last)
    )  # fmt: skip
