"""Badges: earned at a number of confirmed referrals, lost below it."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from referralhub.database import insert, reading
from referralhub.models import Badge, BadgeAward


def deserved(count: int) -> list[Badge]:
    """List the badges that a number of confirmed referrals earns."""
    return [badge for badge in Badge if badge.mark <= count]


def adjust(session: Session, profile_id: int, count: int, now: datetime) -> list[Badge]:
    """Make a member's badges those of the count; part of the caller's transaction. Gives the new ones."""
    session.execute(
        delete(BadgeAward).where(
            BadgeAward.profile_id == profile_id, BadgeAward.badge.in_([b for b in Badge if b.mark > count])
        )
    )
    earned = deserved(count)
    if not earned:
        return []
    new = session.scalars(
        insert(BadgeAward)
        .values([{"profile_id": profile_id, "badge": badge, "created": now} for badge in earned])
        .on_conflict_do_nothing(index_elements=["profile_id", "badge"])
        .returning(BadgeAward.badge)
    )
    return list(new)


def of_member(profile_id: int) -> set[Badge]:
    """Return the badges that a member has now. One query."""
    return set(reading().scalars(select(BadgeAward.badge).where(BadgeAward.profile_id == profile_id)))
