"""Raw signals: noting where members are seen, and reading from it what the fraud rules judge by."""

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, literal, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased

from referralhub.database import insert, transaction
from referralhub.models import (
    NEVER_JUDGED,
    Channel,
    DailySalt,
    ExternalMember,
    FormerAddress,
    Profile,
    Referral,
    Sighting,
    SignupFacts,
    User,
    VisitDaily,
)
from referralhub.services.fraud import assessment
from referralhub.services.fraud.assessment import Assessment
from referralhub.services.fraud.rules import Facts, Friend
from referralhub.services.mailing.addresses import address_hash, canonical

log = logging.getLogger(__name__)

SIGNALS_KEPT = timedelta(days=30)
HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)
MOMENTS = timedelta(minutes=10)  # in which one person copies the link and opens another window
MOST_FRIENDS = 100  # before and after, whose addresses are compared
ANCESTORS = 5  # generations above the referrer that count as the same tree


@dataclass(frozen=True)
class RequestOrigin:
    """What a request says of the one who sends it. `network` is none for this very machine."""

    network: str | None = None
    agent: str = ""


@dataclass(frozen=True)
class FormTiming:
    """How a signup form was filled in, and by whom the browser was used before."""

    origin: RequestOrigin = RequestOrigin()
    seconds: int | None = None
    trapped: bool = False
    members: tuple[int, ...] = ()


UNKNOWN = FormTiming()


def note(session: Session, profile_id: int, origin: RequestOrigin, now: datetime) -> int:
    """Keep where a member is; network and browser become HMACs that are worth nothing after the day."""
    salt = _salt(session, now.date())
    network = _digest(salt, origin.network) if origin.network else None
    seen = {"profile_id": profile_id, "network": network, "agent": _digest(salt, origin.agent), "created": now}
    return session.execute(insert(Sighting).values(seen).returning(Sighting.id)).scalar_one()


def note_signup(session: Session, profile_id: int, form_timing: FormTiming, now: datetime) -> None:
    """Keep how a referred friend signed up; part of the caller's transaction."""
    session.add(
        SignupFacts(
            profile_id=profile_id,
            sighting_id=note(session, profile_id, form_timing.origin, now),
            seconds=form_timing.seconds,
            trapped=form_timing.trapped,
            members=list(form_timing.members),
            created=now,
        )
    )
    session.flush()


def note_later(
    session: Session, profile_id: int, origin: RequestOrigin, members: tuple[int, ...], now: datetime
) -> None:
    """Keep where somebody is who names a referrer only after signing up; part of the caller's transaction.

    How the signup form was filled in is not known any more; an earlier answer of theirs is replaced by this one.
    """
    session.execute(delete(SignupFacts).where(SignupFacts.profile_id == profile_id))
    note_signup(session, profile_id, FormTiming(origin, None, False, members), now)


def remember_address(session: Session, user_id: int, address: str, now: datetime) -> None:
    """Keep what tells the mailbox that a friend leaves after the verdict; part of the caller's transaction."""
    referral_id = session.scalar(
        select(Referral.id)
        .join(Profile, Profile.id == Referral.friend_id)
        .join(User, User.id == Profile.user_id)
        .where(User.id == user_id, ~User.is_erased, Referral.state.not_in(NEVER_JUDGED))
    )
    if referral_id is not None:
        left = {"address_hash": address_hash(canonical(address)), "referral_id": referral_id, "created": now}
        session.execute(insert(FormerAddress).values(left).on_conflict_do_nothing())


def judge(session: Session, referral: Referral) -> Assessment:
    """Gather the facts of a referral and ask every rule. Whatever fails here makes the check incomplete."""
    try:
        with session.begin_nested():
            facts = gather(session, referral)
    except Exception as error:  # an address must be confirmed all the same
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise  # it cannot be: there is no transaction any more
        log.exception("The facts of referral %s could not be read", referral.id)
        return assessment.unknown("facts")
    return assessment.assess(facts) if facts else assessment.unknown("facts")


def gather(session: Session, referral: Referral) -> Facts | None:
    """Read what is known about a referral; None when the signup's facts are not there (any more).

    Twelve queries, each of a bounded number of rows or of an index.
    """
    row = session.execute(
        select(SignupFacts, Sighting, ExternalMember.user_id.is_not(None))
        .join(Sighting, Sighting.id == SignupFacts.sighting_id)
        .join(Profile, Profile.id == SignupFacts.profile_id)
        .outerjoin(ExternalMember, ExternalMember.user_id == Profile.user_id)
        .where(SignupFacts.profile_id == referral.friend_id)
    ).one_or_none()
    if row is None:
        return None
    signup, sighting, elsewhere = row
    people = select(Profile.id, User.username, User.email).join(User, User.id == Profile.user_id)
    both = session.execute(people.where(Profile.id.in_([referral.friend_id, referral.referrer_id])))
    by_id = {each.id: each for each in both}
    friend, referrer = by_id[referral.friend_id], by_id[referral.referrer_id]
    ancestors = _ancestors(session, referral.referrer_id)
    members = set(signup.members)
    last_hour, by_link, month = _counts(session, referral)
    referred_before, erased_in_browser = _before_erasure(session, friend.email, members)
    return Facts(
        username=friend.username,
        address=friend.email,
        referrer_name=referrer.username,
        referrer_address=referrer.email,
        at=referral.created,
        formless=bool(elsewhere) or signup.created > referral.created,
        before=_friends(session, referral, before=True),
        after=_friends(session, referral, before=False),
        seconds=signup.seconds,
        trapped=signup.trapped,
        same_browser=referral.referrer_id in members,
        ancestors_in_browser=len(ancestors & members),
        siblings_in_browser=_siblings(session, referral, members),
        erased_in_browser=erased_in_browser,
        referred_before=referred_before,
        last_hour=last_hour,
        usual_hour=month / (29 * 24),
        visitors_last_day=_visitors(session, referral),
        friends_by_link=by_link,
        **_where(session, referral, signup, sighting, ancestors),
    )


def tidy(now: datetime) -> None:
    """Delete what is older than it may get: salts after a day, raw signals after 30."""
    with transaction() as session:
        session.execute(delete(DailySalt).where(DailySalt.day < now.date() - DAY))
        session.execute(delete(SignupFacts).where(SignupFacts.created < now - SIGNALS_KEPT))
        session.execute(delete(Sighting).where(Sighting.created < now - SIGNALS_KEPT))


def forget(session: Session, profile_id: int) -> None:
    """Delete the signals of a member; part of the caller's transaction."""
    session.execute(delete(SignupFacts).where(SignupFacts.profile_id == profile_id))
    session.execute(delete(Sighting).where(Sighting.profile_id == profile_id))


def _where(
    session: Session, referral: Referral, signup: SignupFacts, sighting: Sighting, ancestors: set[int]
) -> dict[str, Any]:
    """Read who else was in the network of the signup. This very machine is everybody's, and no evidence."""
    if sighting.network is None:
        return {"local": True}
    referrers = session.execute(
        select(Sighting.agent, Sighting.created).where(
            Sighting.profile_id == referral.referrer_id,
            Sighting.network == sighting.network,
            Sighting.created.between(sighting.created - DAY, sighting.created + DAY),
        )
    ).all()
    opened = sighting.created - timedelta(seconds=signup.seconds or 0)
    ages = [opened - created for agent, created in referrers if agent == sighting.agent]
    return {
        "same_network": bool(referrers),
        "same_agent": bool(ages),
        "moments_ago": any(timedelta(0) <= age <= MOMENTS for age in ages),
        "ancestors_on_network": _on_network(session, sighting, ancestors),
        "on_connection": _on_connection(session, referral, sighting),
    }


def _friends(session: Session, referral: Referral, *, before: bool) -> tuple[Friend, ...]:
    """Read the referrer's friends before or after this one, the nearest first."""
    query = (
        select(User.username, User.email, Referral.created, SignupFacts.seconds)
        .join(Profile, Profile.user_id == User.id)
        .join(Referral, Referral.friend_id == Profile.id)
        .join(SignupFacts, SignupFacts.profile_id == Profile.id, isouter=True)
        .where(Referral.referrer_id == referral.referrer_id, Referral.id != referral.id)
        .limit(MOST_FRIENDS)
    )
    if before:
        since = referral.created - MONTH
        query = query.where(Referral.created.between(since, referral.created)).order_by(Referral.created.desc())
    else:
        query = query.where(Referral.created > referral.created).order_by(Referral.created)
    return tuple(Friend(*row) for row in session.execute(query))


def _ancestors(session: Session, profile_id: int) -> set[int]:
    """Find who brought a member, who brought them, and so on."""
    above = select(Profile.referred_by_id, literal(1).label("generation")).where(Profile.id == profile_id)
    tree = above.cte(recursive=True)
    tree = tree.union_all(
        select(Profile.referred_by_id, tree.c.generation + 1)
        .join(tree, Profile.id == tree.c.referred_by_id)
        .where(tree.c.generation < ANCESTORS)
    )
    found = session.scalars(select(tree.c.referred_by_id).where(tree.c.referred_by_id.is_not(None)))
    return set(found)


def _siblings(session: Session, referral: Referral, members: set[int]) -> int:
    query = select(func.count()).where(
        Referral.referrer_id == referral.referrer_id, Referral.id != referral.id, Referral.friend_id.in_(members)
    )
    return session.scalar(query) or 0


def _before_erasure(session: Session, address: str, members: set[int]) -> tuple[bool, int]:
    """Read whether this mailbox was referred before, and count the erased friends who were in this browser."""
    mailbox = select(FormerAddress.address_hash).where(FormerAddress.address_hash == address_hash(canonical(address)))
    erased = (
        select(func.count())
        .select_from(Referral)
        .join(Profile, Profile.id == Referral.friend_id)
        .join(User, User.id == Profile.user_id)
        .where(Referral.friend_id.in_(members), Referral.state.not_in(NEVER_JUDGED), User.is_erased)
    )
    before, count = session.execute(select(mailbox.exists(), erased.scalar_subquery())).one()
    return bool(before), count  # SQLite says 1


def _on_network(session: Session, sighting: Sighting, ancestors: set[int]) -> int:
    query = select(func.count(func.distinct(Sighting.profile_id))).where(
        Sighting.profile_id.in_(ancestors),
        Sighting.network == sighting.network,
        Sighting.agent == sighting.agent,
        Sighting.created.between(sighting.created - DAY, sighting.created + DAY),
    )
    return session.scalar(query) or 0


def _counts(session: Session, referral: Referral) -> tuple[int, int, int]:
    """Count the referrer's friends within an hour, those by link within a day, and those in the month before."""
    created = Referral.created
    last_hour = created.between(referral.created - HOUR, referral.created + HOUR)
    last_day = created.between(referral.created - DAY, referral.created + DAY)
    by_link = last_day & (Referral.channel != Channel.CODE)  # a code is typed in without a visit
    query = select(
        func.count().filter(last_hour),
        func.count().filter(by_link),
        func.count().filter(created < referral.created - DAY),
    ).where(
        Referral.referrer_id == referral.referrer_id,
        created.between(referral.created - MONTH, referral.created + DAY),
    )
    hour, day, month = session.execute(query).one()
    return hour, day, month


def _on_connection(session: Session, referral: Referral, sighting: Sighting) -> int:
    other = aliased(Sighting)
    query = (
        select(func.count(other.id))
        .join(SignupFacts, (SignupFacts.profile_id == other.profile_id) & (SignupFacts.sighting_id == other.id))
        .join(Referral, Referral.friend_id == other.profile_id)
        .where(
            Referral.referrer_id == referral.referrer_id,
            other.network == sighting.network,
            other.agent == sighting.agent,
            other.created.between(sighting.created - HOUR, sighting.created + HOUR),
        )
    )
    return session.scalar(query) or 0


def _visitors(session: Session, referral: Referral) -> int:
    first, last = (referral.created - DAY).date(), (referral.created + DAY).date()
    return (
        session.scalar(
            select(func.sum(VisitDaily.visitors)).where(
                VisitDaily.profile_id == referral.referrer_id, VisitDaily.day.between(first, last)
            )
        )
        or 0
    )


def _salt(session: Session, day: date) -> str:
    there = select(DailySalt.salt).where(DailySalt.day == day)
    if salt := session.scalar(there):
        return salt
    session.execute(insert(DailySalt).values(day=day, salt=secrets.token_hex(32)).on_conflict_do_nothing())
    return session.execute(there).scalar_one()


def _digest(salt: str, value: str) -> str:
    return hmac.new(salt.encode(), value.encode(), hashlib.sha256).hexdigest()[:32]
