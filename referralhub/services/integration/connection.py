"""Whether the connection with a product works: what came, and how much of it lately, what waits, what is to be done.

Everything is found by index, also among millions of events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute

from referralhub.database import reading
from referralhub.models import (
    ApiKey,
    Event,
    EventState,
    ExternalMember,
    Profile,
    Program,
    Reward,
    RewardEntry,
    RewardState,
    VisitDaily,
    WebhookDelivery,
)
from referralhub.services.conversions.earning import PURCHASE, SIGNUP
from referralhub.services.integration import keys
from referralhub.services.links.visits import FOLDED
from referralhub.services.program import rules
from referralhub.services.program.rules import REFUND
from referralhub.services.webhooks import log as webhook_log
from referralhub.services.webhooks.log import Backlog

DAY, WEEK, MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=30)
QUIET, REGULAR = timedelta(days=3), 10  # for how long, after how many events in a week, is silence
USUAL = (SIGNUP, PURCHASE, REFUND)  # types of events that most products tell of
MOST_TYPES = 50  # of events that are told of
MOST_KEPT = 10_000  # events of a reason that are counted
KEPT = Event.state == literal_column("'kept'")  # said outright, so that the index for it is known to do


class Step(StrEnum):
    """What is to be done to connect a product, in order."""

    KEY = "key"
    MEMBER = "member"
    DESTINATION = "destination"
    CLICK = "click"
    SIGNUP = "signup"
    CREDIT = "credit"
    WEBHOOK = "webhook"
    FULFILLED = "fulfilled"


@dataclass(frozen=True)
class Done:
    """A step, and when it was first done; none: it is still to be done. Of a click, the day alone is known."""

    step: Step
    at: datetime | date | None


@dataclass(frozen=True)
class Seen:
    """How many of something came within a day and a week, and when the first and the last one did."""

    day: int = 0
    week: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class Clicks:
    """Visits to members' links today, and today and on the six days before; the day of the last one."""

    day: int
    week: int
    last: date | None


@dataclass(frozen=True)
class Kept:
    """Events that wait for one reason, at most `MOST_KEPT` of them counted, and since when the oldest does."""

    reason_code: str
    number: int
    since: datetime


@dataclass(frozen=True)
class Connection:
    """What there is to tell. `events` has every type that came, those that are to come first, and in `signup` one."""

    clicks: Clicks
    events: dict[str, Seen]
    webhooks: Seen
    backlog: Backlog
    kept: Sequence[Kept]
    keys: Sequence[ApiKey]
    steps: Sequence[Done]
    program: Program

    @property
    def next(self) -> Step | None:
        """What is to be done next; none where everything is."""
        return next((each.step for each in self.steps if each.at is None), None)


def read(now: datetime) -> Connection:
    """Read everything. Seven queries, whatever there is. Days are those of the program's time zone."""
    program = rules.current()
    today = now.astimezone(ZoneInfo(program.timezone)).date()
    every = keys.every()
    since = min((key.created for key in every), default=now).astimezone(ZoneInfo(program.timezone)).date()
    facts = reading().execute(_facts(now, today, since)).one()
    came = seen(now)
    valid = [key for key in every if is_valid(key, now)]
    steps = {
        Step.KEY: min((key.created for key in valid), default=None),
        Step.MEMBER: facts.member,
        Step.DESTINATION: facts.destination if program.destination else None,
        Step.CLICK: facts.followed if every else None,
        Step.SIGNUP: came.get(SIGNUP, Seen()).first,
        Step.CREDIT: facts.credit,
        Step.WEBHOOK: facts.first_webhook,
        Step.FULFILLED: facts.fulfilled,
    }
    if not program.handed_over:  # rewards stay here
        del steps[Step.FULFILLED]
    usual = dict.fromkeys((SIGNUP, PURCHASE if not program.terms.by_event else program.qualifies_on, REFUND), Seen())
    return Connection(
        clicks=Clicks(facts.clicks_day or 0, facts.clicks_week or 0, facts.last_click),
        events=usual | came,
        webhooks=Seen(facts.webhooks_day, facts.webhooks_week, facts.first_webhook, facts.last_webhook),
        backlog=webhook_log.backlog(now),
        kept=kept(),
        keys=valid,
        steps=[Done(step, at) for step, at in steps.items()],
        program=program,
    )


def is_valid(key: ApiKey, now: datetime) -> bool:
    """Whether a key is good for anything."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def seen(now: datetime) -> dict[str, Seen]:
    """Return what came of each type of event, without what was refused. One query."""
    types = _each(Event.type)
    mine = (Event.type == types.c.value, Event.state != EventState.REFUSED)

    def of_it(what: Any, *more: Any) -> Any:
        return select(what).where(*mine, *more).correlate(types).scalar_subquery()

    query = select(
        types.c.value,
        of_it(func.count(), Event.created > now - DAY),
        of_it(func.count(), Event.created > now - WEEK),
        of_it(func.min(Event.created)),
        of_it(func.max(Event.created)),
    ).where(types.c.value.is_not(None))
    return {type_: Seen(*found) for type_, *found in reading().execute(query.limit(MOST_TYPES))}


def kept(*where: ColumnElement[bool]) -> list[Kept]:
    """Return what waits, by reason, perhaps only events that are so. One query."""
    reasons = _each(Event.reason_code, KEPT)
    mine = (KEPT, Event.reason_code == reasons.c.value, *where)
    some = select(Event.created).where(*mine).order_by(Event.created).limit(MOST_KEPT).correlate(reasons).subquery()
    oldest = select(func.min(Event.created)).where(*mine).correlate(reasons).scalar_subquery()
    number = select(func.count()).select_from(some).correlate(reasons).scalar_subquery()
    query = select(reasons.c.value, number, oldest).where(reasons.c.value.is_not(None))
    return [Kept(reason, number, since) for reason, number, since in reading().execute(query) if number]


def stuck(now: datetime) -> list[Kept]:
    """Return what has waited for more than a day, but for less than 30: nobody mends older ones any more. One query."""
    return kept(Event.created < now - DAY, Event.created > now - MONTH)


def silent(now: datetime, came: Mapping[str, Seen]) -> dict[str, Seen]:
    """Return the types of which none came for three days, and at least ten in the week before that; `week` has those.

    A query for each type that was not seen lately.
    """
    found: dict[str, Seen] = {}
    for type_, each in came.items():
        if each.last and now - MONTH < each.last < now - QUIET:
            before = (Event.type == type_, Event.state != EventState.REFUSED, Event.created > each.last - WEEK)
            number = reading().scalar(select(func.count()).select_from(Event).where(*before)) or 0
            if number >= REGULAR:
                found[type_] = replace(each, week=number)
    return found


def _each(column: InstrumentedAttribute[str], *where: ColumnElement[bool]) -> Any:
    """Find each value of a column that an index begins with, from one to the next, not through all its rows."""
    found = select(func.min(column).label("value")).where(*where).cte("found", recursive=True)
    following = select(func.min(column)).where(column > found.c.value, *where).correlate(found).scalar_subquery()
    return found.union_all(select(following).where(found.c.value.is_not(None)))


def _facts(now: datetime, today: date, since: date) -> Select[*tuple[Any, ...]]:
    """Make the query for the rest; a click before the first key, which was made on the day `since`, connects nothing.

    Of that day it is not known which clicks came before: those on links of the product's customers came after.
    """
    visited = select(VisitDaily.day).where(VisitDaily.day > FOLDED, VisitDaily.visits > 0).limit(1)
    customers = select(ExternalMember.user_id).join(Profile, Profile.user_id == ExternalMember.user_id)
    of_customer = customers.where(Profile.id == VisitDaily.profile_id).exists()
    followed = visited.where(VisitDaily.day >= since, (VisitDaily.day > since) | of_customer)
    visits = select(func.sum(VisitDaily.visits))
    delivered = WebhookDelivery.delivered_at
    credited = select(RewardEntry.created).where(RewardEntry.conversion_id.is_not(None))
    fulfilled = select(Reward.changed).where(Reward.state == RewardState.FULFILLED)
    facts: dict[str, Select[Any]] = {
        "member": select(func.min(ExternalMember.created)),
        "destination": select(func.min(Program.created)).where(Program.destination.is_not(None)),
        "followed": followed.order_by(VisitDaily.day),
        "last_click": visited.order_by(VisitDaily.day.desc()),
        "clicks_day": visits.where(VisitDaily.day >= today),
        "clicks_week": visits.where(VisitDaily.day > today - WEEK),
        "credit": credited.order_by(RewardEntry.conversion_id).limit(1),
        "fulfilled": fulfilled.order_by(Reward.id).limit(1),
        "first_webhook": select(func.min(delivered)),
        "last_webhook": select(func.max(delivered)),
        "webhooks_day": select(func.count()).where(delivered > now - DAY),
        "webhooks_week": select(func.count()).where(delivered > now - WEEK),
    }
    return select(*(query.scalar_subquery().label(name) for name, query in facts.items()))
