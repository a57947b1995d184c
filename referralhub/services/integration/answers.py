"""Calls that are done once however often they are sent, as their sender cannot know whether the first one arrived."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from referralhub.database import insert, together, transaction
from referralhub.models import ApiAnswer
from referralhub.services.shared.errors import DomainError

KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Answer:
    """What is answered; `repeated` where it was before, and nothing was done now."""

    status: int
    body: bytes
    repeated: bool = False


def whole(answer: Callable[[], Answer]) -> Answer:
    """Let all that is done for an answer be one transaction."""
    with together():
        return answer()


def once(api_key_id: int, key: str, digest: str, answer: Callable[[], Answer], now: datetime) -> Answer:
    """Do so, unless it was done under this key before: then return what was answered.

    The answer is written in the transaction of what was done: either both are there or nothing is. Of several calls
    that come at once, the others wait here for the first. A call that failed has left nothing, and can be sent again.
    Raises DomainError where the key stood for another call, of another `digest`.
    """
    with together() as session:
        row = {"api_key_id": api_key_id, "key": key, "digest": digest, "status": 0, "body": "", "created": now}
        began = insert(ApiAnswer).values(row).on_conflict_do_nothing().returning(ApiAnswer.id)
        number = session.scalar(began)
        if number is None:
            same = (ApiAnswer.api_key_id == api_key_id, ApiAnswer.key == key)
            before = session.execute(select(ApiAnswer.digest, ApiAnswer.status, ApiAnswer.body).where(*same)).one()
            if before.digest != digest:
                raise DomainError("idempotency_key_reused", "Idempotency-Key")
            return Answer(before.status, before.body.encode(), repeated=True)
        found = answer()
        given = {"status": found.status, "body": found.body.decode()}
        session.execute(update(ApiAnswer).where(ApiAnswer.id == number).values(given))
        return found


def tidy(now: datetime) -> None:
    """Delete answers that nobody asks for again."""
    with transaction() as session:
        session.execute(delete(ApiAnswer).where(ApiAnswer.created < now - KEPT))
