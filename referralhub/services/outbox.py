"""The outbox: what must be mailed, written with its cause and delivered afterwards."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.models import MessageKind, OutboxMessage, User

log = logging.getLogger(__name__)

WAITING = "mail waiting"  # in session.info: this transaction queued something
LEASE = timedelta(minutes=2)  # a worker that claimed a message and died loses it after this long
RETRIES = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 360, 720, 1440, 1440))  # about three days in all


def queue(session: Session, kind: MessageKind, user_id: int, key: str, payload: dict[str, Any], now: datetime) -> None:
    """Queue one message to a member in the caller's transaction; a second one of the same key is dropped.

    For a closed account the row is written all the same, but never sent.
    """
    is_open = session.scalar(select(User.is_active).where(User.id == user_id))
    next_try_at = now if is_open else None
    session.execute(
        insert(OutboxMessage)
        .values(key=key, kind=kind, user_id=user_id, payload=payload, attempts=0, next_try_at=next_try_at, created=now)
        .on_conflict_do_nothing(index_elements=["key"])
    )
    session.info[WAITING] = True


def drop(session: Session, user_id: int) -> None:
    """Give up on what a member was still to be sent; part of the caller's transaction."""
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.user_id == user_id, OutboxMessage.delivered_at.is_(None))
        .values(next_try_at=None)
    )


def deliver_due(send: Callable[[OutboxMessage, User], None], clock: Callable[[], datetime]) -> int:
    """Deliver everything that is due, one message at a time, and say how many went out.

    `send` raises when it could not; the message is tried again later, and given up after three days.
    """
    delivered = 0
    while claimed := _claim(clock()):
        message, user = claimed
        try:
            send(message, user)
        except Exception as error:  # whatever it is, it must not keep the messages behind it waiting
            log.warning("Message %s was not sent: %s", message.id, error)
            _postpone(message, str(error), clock())
        else:
            with transaction() as session:
                session.execute(
                    update(OutboxMessage)
                    .where(OutboxMessage.id == message.id)
                    .values(delivered_at=clock(), last_error=None)
                )
            delivered += 1
    return delivered


def _claim(now: datetime) -> tuple[OutboxMessage, User] | None:
    """Take the oldest due message for the length of a lease; of two workers that want it, one gets it."""
    with transaction() as session:
        message = session.scalar(
            select(OutboxMessage)
            .where(OutboxMessage.delivered_at.is_(None), OutboxMessage.next_try_at <= now)
            .order_by(OutboxMessage.next_try_at, OutboxMessage.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if message is None:
            return None
        message.attempts += 1
        message.next_try_at = now + LEASE
        user = session.get_one(User, message.user_id)
    return message, user


def _postpone(message: OutboxMessage, error: str, now: datetime) -> None:
    retry_in = RETRIES[message.attempts - 1] if message.attempts <= len(RETRIES) else None
    with transaction() as session:
        session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.id == message.id, OutboxMessage.next_try_at.is_not(None))  # not dropped meanwhile
            .values(next_try_at=now + retry_in if retry_in else None, last_error=error[:500])
        )
