"""The audit log: one line for each thing that was done to the program, each sealing the one before it."""

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, joinedload

from referralhub.database import reading
from referralhub.models import AuditLine, Role

BEGINNING = "0" * 64  # what the first line has for the digest of the one before
BATCH = 5000  # lines read at once while verifying


@dataclass(frozen=True)
class Actor:
    """Who does something: an admin by account, the operator at the command line, a program by its key, the system."""

    role: Role
    user_id: int | None = None
    api_key_id: int | None = None  # which the log names beside what there is after


OPERATOR, SYSTEM = Actor(Role.OPERATOR), Actor(Role.SYSTEM)


@dataclass(frozen=True)
class Chain:
    """What verifying the log found. `broken_at` is the id of the first line that does not follow; `head` its end."""

    lines: int
    head: str
    broken_at: int | None


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    subject_id: int | None,
    before: dict[str, Any],
    after: dict[str, Any],
    now: datetime,
    reason: str = "",
) -> None:
    """Add a line in the transaction of what it tells of; other writers of lines wait until that ends.

    It comes last in a transaction: one who waits for it holds the locks that others would need to finish.
    """
    line = AuditLine(
        role=actor.role,
        actor_id=actor.user_id,
        action=action,
        subject=subject,
        subject_id=subject_id,
        before=before,
        after=after if actor.api_key_id is None else {**after, "api_key": actor.api_key_id},
        reason=reason,
        created=now,
    )
    append(session, [line])


def append(session: Session, lines: Sequence[AuditLine]) -> None:
    """Give lines their places in the log, in this order, as `record` does with one."""
    if session.connection().dialect.name == "postgresql":  # SQLite's write lock was taken at the beginning
        session.execute(text("LOCK TABLE audit_log IN SHARE ROW EXCLUSIVE MODE"))
    previous = session.scalar(select(AuditLine.digest).order_by(AuditLine.id.desc()).limit(1)) or BEGINNING
    for each in lines:
        each.previous = previous
        each.digest = previous = _digest(each)
    session.add_all(lines)
    session.flush()


def count() -> int:
    """Count the lines. One query."""
    return reading().scalar(select(func.count()).select_from(AuditLine)) or 0


def verify(progress: Callable[[int], None] = lambda _: None) -> Chain:
    """Recompute every line's digest from its words and the line before; `progress` hears of each line."""
    lines, head = 0, BEGINNING
    with closing(_all()) as log:
        for line in log:
            if line.previous != head or line.digest != _digest(line):
                return Chain(lines, head, line.id)
            lines, head = lines + 1, line.digest
            progress(1)
    return Chain(lines, head, None)


def about(subject: str, subject_id: int, limit: int = 20) -> list[AuditLine]:
    """Read what was done to one thing, the latest first. One query."""
    query = select(AuditLine).where(AuditLine.subject == subject, AuditLine.subject_id == subject_id)
    query = query.options(joinedload(AuditLine.actor)).order_by(AuditLine.id.desc()).limit(limit)
    return list(reading().scalars(query))


def _all() -> Generator[AuditLine]:
    query = select(AuditLine).order_by(AuditLine.id).execution_options(yield_per=BATCH, populate_existing=True)
    with reading().scalars(query) as lines:  # the database keeps a place in them until this is closed
        yield from lines


def _digest(line: AuditLine) -> str:
    words = [
        line.previous, line.role.value, line.actor_id, line.action, line.subject, line.subject_id,
        line.before, line.after, line.reason, line.created.isoformat(),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(words, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
