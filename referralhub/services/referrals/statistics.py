"""A member's own figures, how they came to be, and the newest friends."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from msgspec import Meta
from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.orm import aliased

from referralhub.database import dialect, reading
from referralhub.models import (
    TERMS,
    Channel,
    FigureChange,
    Profile,
    Program,
    Referral,
    ReferralState,
    Reward,
    RewardEntry,
    RewardKind,
    Terms,
    User,
    VisitDaily,
)
from referralhub.models.base import UtcDateTime
from referralhub.services.history import activity, days
from referralhub.services.history.activity import Happening, in_utc
from referralhub.services.history.channels import ChannelFigures, by_channel
from referralhub.services.history.days import DAY, FIRST, FIRST_DAY, History, day_of, series
from referralhub.services.history.lists import listed, reader
from referralhub.services.ledger.entries import OPEN
from referralhub.services.program.rules import Standing, standing
from referralhub.services.referrals import next_step
from referralhub.services.referrals.next_step import Prospects
from referralhub.services.shared.calendar import zone_of

ACTIVE_DAYS = 30  # a friend counts as active who was seen in the last 30 days
NEWEST = 5  # friends, whom the dashboard names
UNITS = "^(points|megabytes|[A-Z]{3})$"  # of amounts; what Redis keeps may be of a release that had others
UNDECIDED = (ReferralState.PENDING, ReferralState.HELD)
CREDITS = (RewardKind.REFERRER, RewardKind.FRIEND, RewardKind.MILESTONE)


@dataclass(frozen=True)
class Statistics:
    """What the dashboard shows; `rewards` is the balance, and amounts are in `unit`."""

    total_referrals: int
    rewards: int
    unit: Annotated[str, Meta(pattern=UNITS)]
    active_network: int
    pending: int
    visits: int
    standing: Standing
    terms: Terms
    late_code_days: int  # for which the program takes a code after the signup


@dataclass(frozen=True)
class RecentReferral:
    """One of the newest friends."""

    username: str
    state: ReferralState
    created: datetime


@dataclass(frozen=True)
class Story:
    """What is told beside the figures: how they came to be, by which channels, what happened lately, what is open."""

    history: History
    channels: list[ChannelFigures]
    activity: list[Happening]  # the newest first
    prospects: Prospects


@dataclass(frozen=True)
class Reading:
    """What the database says of a member at one moment."""

    statistics: Statistics
    recent: list[RecentReferral]  # the newest first
    story: Story
    until: datetime  # when time alone changes any of it
    missed: bool  # whether there are changes that Redis was not told of


def of_member(profile_id: int, now: datetime) -> Reading:
    """Read a member's figures and what there is to tell of them, in one query.

    Days are those of the program's time zone; if `now` is in another one, they are read once more.
    """
    lately, since = days.up_to(now), now.astimezone(UTC) - timedelta(days=ACTIVE_DAYS)
    values = {"profile_id": profile_id, "now": now, "since": since, "due": next_step.due(now), **lately.values}
    row = reading().execute(_figures(dialect(), len(lately.steps)), values).one()
    if row.timezone != str(zone_of(now)):
        return of_member(profile_id, now.astimezone(ZoneInfo(row.timezone)))
    brought = activity.friends(row)
    entries = [each for each in _read_entries(row.entries_by_day) if each[1] == row.unit]
    held = sum(amount for _, _, _, amount, _ in entries)
    referrals, visits, active = _read_referrals(row.referrals), _read_visits(row.visits), _read_active(row.active)
    confirmed = [(day, each, number) for day, state, each, number in referrals if state is ReferralState.CONFIRMED]
    statistics = Statistics(
        total_referrals=row.referral_count,
        rewards=row.balance,
        unit=row.unit,
        active_network=sum(number for _, number, _ in active),
        pending=sum(number for _, state, _, number in referrals if state in UNDECIDED),
        visits=sum(number for _, _, number in visits),
        standing=standing(row.tiers, row.referral_count),
        terms=Terms(row.unit, *(row._mapping[name] for name in TERMS)),
        late_code_days=row.late_code_days,
    )
    history = History(
        confirmed=series((day, number) for day, _, number in confirmed),
        credited=series((day, amount) for day, _, amount, _, _ in entries),
        joined=series(_read_joined(row.joined)),
        visits=series((day and (day - lately.first).days + 1, number) for day, _, number in visits),
        active=series((day, number) for day, number, _ in active),
    )
    story = Story(
        history,
        by_channel(((each, number) for _, each, number in confirmed), ((each, number) for _, each, number in visits)),
        activity.happenings(brought, row),
        next_step.of_row(row, brought, row.balance - held - row.due),
    )
    gone = [in_utc(oldest) + timedelta(days=ACTIVE_DAYS) for _, _, oldest in active]
    freed = [in_utc(first) for _, _, _, _, first in entries if first]
    until = min([lately.until, *gone, *freed])
    recent = [RecentReferral(each.name, each.state, each.created) for each in brought[:NEWEST]]
    return Reading(statistics, recent, story, until, row.missed)


_read_referrals = reader(tuple[int | None, ReferralState, Channel, int])
_read_visits = reader(tuple[date | None, Channel, int])
_read_entries, _read_joined = reader(tuple[int | None, str, int, int, datetime | None]), reader(tuple[int, int])
_read_active = reader(tuple[int, int, datetime])


@cache  # building it took 40 % of the time
def _figures(_dialect: str, steps: int) -> Select[*tuple[Any, ...]]:
    """Make the query for all about `profile_id`, in days of so many `steps`: one row, in which lists are texts."""
    profile_id = bindparam("profile_id", type_=Integer)
    balance = (
        select(RewardEntry.balance)
        .where(RewardEntry.profile_id == profile_id, RewardEntry.unit == Program.ledger_unit)
        .order_by(RewardEntry.number.desc())
        .limit(1)
    )
    owed = select(func.sum(Reward.amount)).where(
        Reward.profile_id == profile_id, Reward.unit == Program.ledger_unit, Reward.state.in_(OPEN)
    )
    found: dict[str, Any] = {
        "balance": func.coalesce(balance.scalar_subquery(), 0),
        "due": cast(func.coalesce(owed.scalar_subquery(), 0), BigInteger),
        "unit": Program.ledger_unit,
        "missed": exists(select(FigureChange.id)),
        **{name: listed(query) for name, query in _by_day(profile_id, steps).items()},
        **activity.parts(profile_id),
        **next_step.parts(profile_id),
    }
    return (
        select(
            Profile.referral_count,
            Program.timezone,
            Program.tiers,
            *(getattr(Program, name) for name in TERMS),
            Program.late_code_days,
            Program.email_invitations,
            *(value.label(name) for name, value in found.items()),
        )
        .select_from(Profile)
        .join(Program, Program.version == select(func.max(Program.version)).scalar_subquery())
        .where(Profile.id == profile_id)
    )


def _by_day(profile_id: BindParameter[int], steps: int) -> dict[str, Select[*tuple[Any, ...]]]:
    """Make the queries for how much there was on each day, and how much before them where all of it is a figure.

    A friend is active who was seen at or after `since`.
    """
    friend, friend_user, since = aliased(Profile), aliased(User), bindparam("since", type_=UtcDateTime)
    own, seen = Referral.referrer_id == profile_id, friend_user.last_seen_at
    return {
        "referrals": select(
            day_of(Referral.decided_at, steps, before=null()), Referral.state, Referral.channel, func.count()
        )
        .where(own)
        .group_by(DAY, Referral.state, Referral.channel),
        "joined": select(day_of(Referral.created, steps), func.count())
        .where(own, Referral.created >= FIRST)
        .group_by(DAY),
        "entries_by_day": _entries_by_day(profile_id, steps),
        "visits": select(
            case((VisitDaily.day >= FIRST_DAY, VisitDaily.day)), VisitDaily.channel, func.sum(VisitDaily.visitors)
        )
        .where(VisitDaily.profile_id == profile_id)
        .group_by(DAY, VisitDaily.channel),
        "active": select(day_of(seen, steps), func.count(), func.min(seen))
        .join(friend, friend.user_id == friend_user.id)
        .where(friend.referred_by_id == profile_id, seen >= since)
        .group_by(DAY),
    }


def _entries_by_day(profile_id: BindParameter[int], steps: int) -> Select[*tuple[Any, ...]]:
    """Make the query for what was credited on each day, how much of all that is on hold, and until when the first is.

    No entry is on hold for longer than any version of the rules says, so that older ones need not be looked at.
    """
    now = bindparam("now", type_=UtcDateTime)
    longest = select(func.max(Program.hold_days) + 1).scalar_subquery()
    if dialect() == "postgresql":
        since: ColumnElement[Any] = func.least(FIRST, now - func.make_interval(0, 0, 0, longest))
    else:
        since = func.min(FIRST, func.datetime(now, literal("-") + cast(longest, Text) + literal(" days")))
    on_hold = RewardEntry.available_at > now
    return (
        select(
            day_of(RewardEntry.created, steps, before=null()),
            RewardEntry.unit,
            func.sum(case((RewardEntry.kind.in_(CREDITS), RewardEntry.amount), else_=0)),
            func.sum(case((on_hold, RewardEntry.amount), else_=0)),
            func.min(case((on_hold, RewardEntry.available_at))),
        )
        .where(RewardEntry.profile_id == profile_id, RewardEntry.created >= since)
        .group_by(DAY, RewardEntry.unit)
    )
