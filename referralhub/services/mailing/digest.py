"""The weekly digest: what happened around a member's link in the last full week."""

from datetime import date, datetime, timedelta, tzinfo

from sqlalchemy import String, cast, func, literal, select, union_all
from sqlalchemy.sql.selectable import Subquery

from referralhub.database import reading, transaction
from referralhub.models import MessageKind, OutboxMessage, Profile, Referral, ReferralState, User, VisitDaily
from referralhub.services.mailing import outbox
from referralhub.services.shared.calendar import midnight, zone_of

BATCH = 500  # members in one transaction, so that nobody waits for long


def queue_due(now: datetime) -> int:
    """Queue last week's digest for every member around whose link something happened; return for how many.

    It can be called any number of times: a member gets one digest a week. The week is that of the time zone which `now`
    is in.
    """
    monday = now.date() - timedelta(days=now.weekday())
    begin = monday - timedelta(days=7)
    week = f"{begin:%G-W%V}"
    events = _events(begin, monday, zone_of(now))
    key = literal("digest:") + cast(User.id, String) + literal(f":{week}")
    queued = select(OutboxMessage.id).where(OutboxMessage.key == key)
    query = (
        select(
            User.id,
            Profile.referral_count,
            func.sum(events.c.visits).label("visits"),
            func.sum(events.c.joined).label("joined"),
            func.sum(events.c.confirmed).label("confirmed"),
        )
        .join(Profile, Profile.id == events.c.profile_id)
        .join(User, User.id == Profile.user_id)
        .where(User.is_active, User.verified_at.is_not(None), ~queued.exists())
        .group_by(User.id, Profile.referral_count)
        .order_by(User.id)
    )
    rows = reading().execute(query).all()
    for start in range(0, len(rows), BATCH):
        with transaction() as session:
            for row in rows[start : start + BATCH]:
                news = {"visits": row.visits, "joined": row.joined, "confirmed": row.confirmed}
                payload = {**{name: int(number) for name, number in news.items()}, "total": row.referral_count}
                outbox.queue(session, MessageKind.WEEKLY_DIGEST, row.id, f"digest:{row.id}:{week}", payload, now)
    return len(rows)


def _events(first: date, after: date, zone: tzinfo) -> Subquery:
    none, one = literal(0), literal(1)
    begin, end = midnight(first, zone), midnight(after, zone)
    visits = select(
        VisitDaily.profile_id, VisitDaily.visits.label("visits"), none.label("joined"), none.label("confirmed")
    ).where(VisitDaily.day >= first, VisitDaily.day < after)
    joined = select(Referral.referrer_id, none, one, none).where(Referral.created >= begin, Referral.created < end)
    confirmed = select(Referral.referrer_id, none, none, one).where(
        Referral.state == ReferralState.CONFIRMED, Referral.decided_at >= begin, Referral.decided_at < end
    )
    return union_all(visits, joined, confirmed).subquery()
