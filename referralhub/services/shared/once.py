"""Doing something at most once, whatever is retried or raced."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import Once

KEYS_KEPT = timedelta(days=60)  # longer than anything that could come again


def first(session: Session, key: str, now: datetime) -> bool:
    """Return whether this is the first time; part of the caller's transaction, with which it is undone."""
    statement = insert(Once).values(key=key, created=now).on_conflict_do_nothing().returning(Once.key)
    return session.scalar(statement) is not None


def used(keys: Collection[str]) -> set[str]:
    """Return which of these keys were used up. One query, none for no keys."""
    return set(reading().scalars(select(Once.key).where(Once.key.in_(keys)))) if keys else set()


def tidy(now: datetime) -> None:
    """Delete keys that cannot come again."""
    with transaction() as session:
        session.execute(delete(Once).where(Once.created < now - KEYS_KEPT))
