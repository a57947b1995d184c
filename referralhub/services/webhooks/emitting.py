"""Writing down what there is to tell, with its cause. Delivering it is another file's work."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from referralhub.database import insert
from referralhub.models import WebhookDelivery, WebhookEndpoint, WebhookMessage, WebhookSequence, WebhookType

WAITING = "webhooks_waiting"  # in session.info: this transaction has something to deliver
LARGEST = 20 * 1024  # bytes of a body
_ENDPOINTS = "webhook_endpoints"  # in session.info: the transaction, and what was found in it
Read = Callable[[Session], dict[str, Any]]


def emit(
    session: Session,
    type_: WebhookType,
    object_: str,
    object_id: int,
    read: Read,
    now: datetime,
    *,
    key: str = "",
    only: int | None = None,
) -> bool:
    """Write a message for each endpoint that wants this type, in the caller's transaction; returns whether there was.

    `read` gives the state of the object as it is now, and is asked only then. A second message of one `key` is dropped;
    without a key each call is a cause of its own. `only` is for one endpoint, whatever it wants to be told of.

    Of messages about one object, that with the higher `sequence` has the newer state: the number is taken under a lock,
    which others wait for, and the state is read after that. Call it last, before the audit log is written; what
    `commits.py` tells of comes after that, in the one order in which everybody does it.
    """
    concerned = [only] if only is not None else _concerned(session, type_)
    if not concerned or (key and _is_told(session, key)):
        return False
    session.flush()
    sequence = _next_number(session, object_, object_id)
    values = {
        "public_id": f"msg_{secrets.token_hex(12)}", "type": type_, "object": object_, "object_id": object_id,
        "sequence": sequence, "body": _body(type_, sequence, read(session), now),
        "key": key or f"{type_}:{object_id}:{sequence}", "created": now,
    }  # fmt: skip
    written = insert(WebhookMessage).values(values).on_conflict_do_nothing(index_elements=["key"])
    message_id = session.scalar(written.returning(WebhookMessage.id))
    if message_id is None:
        return False
    rows = [{"message_id": message_id, "endpoint_id": each, "attempts": 0, "next_try_at": now} for each in concerned]
    session.execute(insert(WebhookDelivery).values(rows))
    session.info[WAITING] = True
    return True


def is_wanted(session: Session, type_: WebhookType) -> bool:
    """Whether anybody is told of this type."""
    return bool(_concerned(session, type_))


def text_of(message: dict[str, Any]) -> str:
    """Write a message as it is sent."""
    return json.dumps(message, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _concerned(session: Session, type_: WebhookType) -> list[int]:
    return [each for each, types in _endpoints(session).items() if not types or type_ in types]


def _endpoints(session: Session) -> dict[int, list[str]]:
    """Return whom there is to tell, and of what. One query for a transaction, however much happens in it."""
    at_work = session.get_transaction()
    asked, found = session.info.get(_ENDPOINTS, (None, {}))
    if asked is None or asked is not at_work:
        query = select(WebhookEndpoint.id, WebhookEndpoint.types).where(WebhookEndpoint.is_active)
        found = {row.id: row.types for row in session.execute(query)}
        session.info[_ENDPOINTS] = (session.get_transaction(), found)
    return cast(dict[int, list[str]], found)


def _is_told(session: Session, key: str) -> bool:
    """Whether there is a message for this cause: then no number is taken. Of two at once, the constraint drops one."""
    return session.scalar(select(WebhookMessage.id).where(WebhookMessage.key == key)) is not None


def _next_number(session: Session, object_: str, object_id: int) -> int:
    one_more = (
        insert(WebhookSequence)
        .values(object=object_, object_id=object_id, last=1)
        .on_conflict_do_update(
            index_elements=["object", "object_id"], set_={"last": WebhookSequence.__table__.c.last + 1}
        )
        .returning(WebhookSequence.last)
    )
    return session.execute(one_more).scalar_one()


def _body(type_: WebhookType, sequence: int, data: dict[str, Any], now: datetime) -> str:
    message = {"type": type_.value, "timestamp": now.astimezone(UTC), "sequence": sequence, "data": data}
    text = text_of(message)
    if len(text.encode()) > LARGEST:  # nothing but the product's own is that long, and it has that
        text = text_of(message | {"data": _without_metadata(data)})
    return text


def _without_metadata(data: dict[str, Any]) -> dict[str, Any]:
    found = {name: _without_metadata(each) if isinstance(each, dict) else each for name, each in data.items()}
    return found | {"metadata": None} if "metadata" in found else found


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(type(value).__name__)
