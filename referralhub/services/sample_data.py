"""Believable members: for a demo, and for the founding article's three months. The same ones at every call."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select, text

from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import Channel, ReferralState, User
from referralhub.services import passwords, programs, recount
from referralhub.services.crowds import Crowd, Newcomer
from referralhub.services.sample_rows import Writer

# The founding article's growth table: organic and referred signups of its first three months.
ARTICLE = ((date(2026, 1, 1), 127, 43), (date(2026, 2, 1), 298, 187), (date(2026, 3, 1), 401, 573))
ARTICLE_END = date(2026, 4, 1)


def article() -> list[Newcomer]:
    """Make the 1,629 members of the founding article's three months."""
    crowd = Crowd(seed=1629, separator=".")
    ends = [start for start, _, _ in ARTICLE[1:]] + [ARTICLE_END]
    for (start, organic, referred), end in zip(ARTICLE, ends, strict=True):
        crowd.grow(organic, referred, _midnight(start), _midnight(end))
    return crowd.members


def demo(now: datetime) -> list[Newcomer]:
    """Make a small program that has run for two months, with one member worth looking at."""
    crowd = Crowd(seed=7, separator="_")
    start = now - timedelta(days=60)
    crowd.add(Newcomer(DEMO_ADMIN, start, is_admin=True), weight=0)
    crowd.grow(5, 0, start, start + timedelta(days=3))
    mira = crowd.add(Newcomer(DEMO_MEMBER, start + timedelta(days=4)), weight=8)
    crowd.grow(14, 30, start + timedelta(days=4), now - timedelta(days=3))
    for name, hours in (("tom", 50), ("bo", 21), ("lina", 2)):
        crowd.add(Newcomer(name, now - timedelta(hours=hours), mira, Channel.WHATSAPP, ReferralState.PENDING))
    return crowd.members


def load_demo(now: datetime, progress: Callable[[int], None]) -> bool:
    """Write the demo's members, who can sign in, and switch on what there is to try. Says False when it was done."""
    loaded = load(demo(now), DEMO_PASSWORD, progress)
    if loaded:
        programs.change({"email_invitations": True}, now)
    return loaded


def load(
    newcomers: Sequence[Newcomer],
    password: str | None,
    progress: Callable[[int], None],
    folded_before: date | None = None,
) -> bool:
    """Write the members with their referrals, ledger and visits, all or nothing.

    Nobody can sign in without a `password`. `progress` is told how many more are done. Visits of before the day
    `folded_before` are written as the worker leaves them: added up.
    Says False, and writes nothing, when the first of them is here already.
    """
    if db.session.scalar(select(User.id).where(User.username == newcomers[0].username)):
        return False
    password_hash = passwords.hash_password(password) if password else passwords.UNUSABLE
    with transaction() as session:
        writer = Writer(session, newcomers, password_hash, folded_before or date.min)
        writer.write(progress)
        if session.connection().dialect.name == "postgresql":
            session.execute(text("ANALYZE"))  # else it plans for tables as empty as they were a moment ago
        recount.refresh_caches(session, newcomers[-1].joined)
        writer.write_decisions()
    return True


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
