"""The founding article's claims, measured on this schema through SQLAlchemy.

python -m bench.claims     prints them as JSON
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter

from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from referralhub import create_app
from referralhub.clock import now
from referralhub.extensions import db
from referralhub.models import Profile, Referral, User
from referralhub.services.referrals import attribution, figures, statistics

TIMES = 30
LIST = 50  # referrals in the list of the third claim


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that are run within the block."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield statements
    event.remove(db.engine, "before_cursor_execute", note)


def cost(work: Callable[[], object]) -> tuple[float, int]:
    """Return the median of the milliseconds that some work takes once it is warm, and its number of statements."""
    work()
    with counted() as statements:
        work()
    taken = []
    for _ in range(TIMES):
        db.session.expunge_all()  # nothing is remembered from the time before
        begun = perf_counter()
        work()
        taken.append(perf_counter() - begun)
    return median(taken) * 1000, len(statements)


def count_in_a_loop(session: Session, referrer: int) -> int:
    """Count a member's friends as the article's first version did: look at each member, and who referred them."""
    number = 0
    for friend_id in session.scalars(select(Referral.friend_id).where(Referral.referrer_id == referrer)).all():
        number += session.get_one(Profile, friend_id).referred_by_id == referrer
    return number


def count_at_once(session: Session, referrer: int) -> int:
    """Count them by one COUNT."""
    return session.scalar(select(func.count()).where(Profile.referred_by_id == referrer)) or 0


def list_row_by_row(session: Session, referrer: int) -> list[str]:
    """List a member's friends with two queries for each."""
    found = session.scalars(_newest(referrer)).all()
    count_at_once(session, referrer)
    profiles = [session.get_one(Profile, referral.friend_id) for referral in found]
    return [session.scalar(select(User.username).where(User.id == profile.user_id)) or "" for profile in profiles]


def list_joined(session: Session, referrer: int) -> list[str]:
    """List them with one query, beside the count."""
    count_at_once(session, referrer)
    joined = select(User.username, Referral.created).join(Profile, Profile.user_id == User.id)
    query = joined.join(Referral, Referral.friend_id == Profile.id).where(Referral.referrer_id == referrer)
    return [row.username for row in session.execute(query.order_by(Referral.created.desc()).limit(LIST))]


def _newest(referrer: int):
    return select(Referral).where(Referral.referrer_id == referrer).order_by(Referral.created.desc()).limit(LIST)


def measured(app: Flask) -> list[dict[str, str]]:
    """Measure all four, for a member who has as many friends as the list is long, or the most that there are."""
    session, redis = db.session(), app.extensions["redis"]
    enough = func.least(Profile.referral_count, LIST).desc()
    query = select(Profile.id, Profile.code).order_by(enough, Profile.referral_count, Profile.id).limit(1)
    referrer, code = session.execute(query).one()
    friends = count_at_once(session, referrer)
    loop, loops = cost(lambda: count_in_a_loop(session, referrer))
    once, _ = cost(lambda: count_at_once(session, referrer))
    computed, _ = cost(lambda: statistics.of_member(referrer, now()))
    kept, _ = cost(lambda: figures.read(redis, referrer, now()))
    rows, row_queries = cost(lambda: list_row_by_row(session, referrer))
    joined, joined_queries = cost(lambda: list_joined(session, referrer))
    listed = min(LIST, friends)
    found, _ = cost(lambda: attribution.find_by_code(code))
    return [
        claim(f"one COUNT of {friends} friends instead of a loop of {loops} queries", "37.5 ×", loop, once),
        claim("figures from the cache instead of the database", "22 ×", computed, kept),
        claim(f"{listed} referrals with their join: {joined_queries} queries, not {row_queries}", "51 ×", rows, joined),
        {"text": "a code is looked up in less than a millisecond", "article": "< 1 ms", "measured": f"{found:.2f} ms"},
    ]


def claim(text: str, article: str, slow: float, fast: float) -> dict[str, str]:
    """Say how many times as fast one way is as another, and what each takes."""
    return {"text": text, "article": article, "measured": f"{slow / fast:.1f} × ({slow:.2f} → {fast:.2f} ms)"}


if __name__ == "__main__":
    application = create_app()
    with application.app_context():
        print(json.dumps(measured(application)))
