"""The outbox: what must be mailed, written with its cause. Delivering it is another file's work."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import MessageKind, OutboxMessage, User
from referralhub.services.shared import audit
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import Conflict, NotFound

WAITING = "mail_waiting"  # in session.info: this transaction queued something
REQUEST = "request_id"  # in session.info: the number of the request at work, which goes along in the payload


@dataclass(frozen=True)
class Backlog:
    """What is not delivered: how many wait, how many were given up, and since when the oldest should have gone out."""

    waiting: int
    dead: int
    oldest_due: datetime | None


def queue(
    session: Session,
    kind: MessageKind,
    user_id: int,
    key: str,
    payload: dict[str, Any],
    now: datetime,
    *,
    address: str | None = None,
) -> bool:
    """Queue one message in the caller's transaction, and return whether it was new: a second one of a key is dropped.

    It goes to the member, or to `address` in the member's name. For a closed account the row is written all the same,
    but never sent.
    """
    if cause := session.info.get(REQUEST):
        payload = payload | {REQUEST: cause}
    is_open = select(User.is_active).where(User.id == user_id).scalar_subquery()
    message_id = session.scalar(
        insert(OutboxMessage)
        .values(
            key=key, kind=kind, user_id=user_id, address=address, payload=payload, attempts=0,
            next_try_at=case((is_open, now)), created=now,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(OutboxMessage.id)
    )  # fmt: skip
    session.info[WAITING] = True
    return message_id is not None


def drop(session: Session, user_id: int) -> None:
    """Give up on what a member was still to be sent, and forget addresses; part of the caller's transaction."""
    mine = OutboxMessage.user_id == user_id
    session.execute(update(OutboxMessage).where(mine).values(address=None, last_error=None))
    session.execute(update(OutboxMessage).where(mine, OutboxMessage.delivered_at.is_(None)).values(next_try_at=None))


def still_due(session: Session, message_id: int) -> bool:
    """Whether a claimed message was not dropped meanwhile; until the transaction ends it cannot be."""
    query = select(OutboxMessage.next_try_at).where(OutboxMessage.id == message_id).with_for_update()
    return session.scalar(query) is not None


def withdraw(session: Session, user_id: int, kind: MessageKind, but: str = "") -> None:
    """Give up on one kind of what a member was still to be sent; part of the caller's transaction.

    The message whose key is `but` stays.
    """
    waiting = (OutboxMessage.user_id == user_id, OutboxMessage.kind == kind, OutboxMessage.delivered_at.is_(None))
    withdrawn = update(OutboxMessage).where(*waiting, OutboxMessage.key != but)
    session.execute(withdrawn.values(next_try_at=None, last_error=None))


def earlier_addresses(session: Session, user_id: int) -> list[str]:
    """List the addresses that a member had before, to which the notice of the change went."""
    notices = (OutboxMessage.user_id == user_id, OutboxMessage.kind == MessageKind.ADDRESS_CHANGED)
    return list(session.scalars(select(OutboxMessage.address).where(*notices, OutboxMessage.address.is_not(None))))


def forget_addresses(session: Session, addresses: Collection[str]) -> None:
    """Forget, and give up on, what other members had sent to these addresses; part of the caller's transaction.

    The addresses are in lower case.
    """
    there = func.lower(OutboxMessage.address).in_(addresses)
    session.execute(update(OutboxMessage).where(there, OutboxMessage.delivered_at.is_(None)).values(next_try_at=None))
    session.execute(update(OutboxMessage).where(there).values(address=None, last_error=None))


def dead_letters(limit: int = 50) -> list[OutboxMessage]:
    """List the messages that could not be delivered, the newest first."""
    return list(reading().scalars(select(OutboxMessage).where(_DEAD).order_by(OutboxMessage.id.desc()).limit(limit)))


def send_again(now: datetime, message_id: int | None = None, actor: Actor = OPERATOR) -> int:
    """Give a dead letter, or all of them, as many tries as a new one; returns how many.

    None of them is a message that is on its way or delivered already. Raises NotFound, or Conflict
    for one that was dropped.
    """
    query = update(OutboxMessage).where(_DEAD).values(next_try_at=now, attempts=0).returning(OutboxMessage.id)
    with transaction() as session:
        revived = session.scalars(query if message_id is None else query.where(OutboxMessage.id == message_id)).all()
        if revived:
            session.info[WAITING] = True
            audit.record(session, actor, "mail.resend", "message", message_id, {}, {"messages": len(revived)}, now)
        elif message_id is not None:
            _require_under_way(session, message_id)
    return len(revived)


def _require_under_way(session: Session, message_id: int) -> None:
    times = select(OutboxMessage.next_try_at, OutboxMessage.delivered_at).where(OutboxMessage.id == message_id)
    row = session.execute(times).one_or_none()
    if row is None:
        raise NotFound("no_such_message")
    if row.next_try_at is None and row.delivered_at is None:
        raise Conflict("message_dropped")


def backlog(now: datetime) -> Backlog:
    """Count what is not delivered. One query."""
    waiting = OutboxMessage.next_try_at.is_not(None)
    due = OutboxMessage.next_try_at <= now
    query = select(
        func.count().filter(waiting), func.count().filter(_DEAD), func.min(OutboxMessage.next_try_at).filter(due)
    )
    return Backlog(*reading().execute(query.where(OutboxMessage.delivered_at.is_(None))).one())


_DEAD = (
    OutboxMessage.delivered_at.is_(None) & OutboxMessage.next_try_at.is_(None) & OutboxMessage.last_error.is_not(None)
)


class MailState(StrEnum):
    """Where a message is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    NOT_WANTED = "not_wanted"


IN_STATE = {
    MailState.WAITING: OutboxMessage.delivered_at.is_(None) & OutboxMessage.next_try_at.is_not(None),
    MailState.DELIVERED: OutboxMessage.delivered_at.is_not(None),
    MailState.GIVEN_UP: _DEAD,
    MailState.NOT_WANTED: (
        OutboxMessage.delivered_at.is_(None) & OutboxMessage.next_try_at.is_(None) & OutboxMessage.last_error.is_(None)
    ),
}


def state_of(message: OutboxMessage) -> MailState:
    """Return where a message is."""
    if message.delivered_at:
        return MailState.DELIVERED
    if message.next_try_at:
        return MailState.WAITING
    return MailState.GIVEN_UP if message.last_error is not None else MailState.NOT_WANTED
