"""Bringing conversions and the ledger to what the events of a referral earn by now; parts of a caller's transaction.

Everything is computed anew from all that happened in a referral, and the difference to what there is is written. So it
makes no difference in which order events come in, how often, or how many at once: only what is known in the end.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from referralhub.database import insert
from referralhub.models import (
    Conversion,
    Event,
    EventState,
    Profile,
    Program,
    Referral,
    ReferralState,
    RewardEntry,
    RewardKind,
)
from referralhub.services.conversions import earning
from referralhub.services.conversions.earning import Case, Earning, Happened
from referralhub.services.ledger import entries
from referralhub.services.ledger.entries import Posting
from referralhub.services.webhooks import announcing

CREDITS = {"referrer": RewardKind.REFERRER, "friend": RewardKind.FRIEND}
COLUMNS = (
    "refunded", "referrer_amount", "friend_amount", "referrer_unit", "friend_unit", "reason_code", "reason_values",
)  # fmt: skip
OUTCOME = ("state", "reason_code", "reason_values")  # columns of an event that say what became of it


class Sides(NamedTuple):
    """Whose referral it is."""

    referrer: int
    friend: int


@dataclass(frozen=True)
class Known:
    """What happened in some referrals, what it earns, and what the rows of the events say of it so far."""

    earnings: list[Earning]
    said: dict[int, dict[str, Any]]

    @property
    def conversions(self) -> list[Earning]:
        """The events of the type that is rewarded, in the order in which they happened."""
        return sorted((each for each in self.earnings if each.is_conversion), key=lambda each: each.event.order)


@dataclass(frozen=True)
class Balance:
    """What a member has of a conversion in one unit; from the first credit on what follows are corrections."""

    amount: int
    referral_id: int
    credited: bool
    available_at: datetime | None = None


def reconcile(
    session: Session, referral_ids: Collection[int], now: datetime, causes: Mapping[int, int] | None = None
) -> list[int]:
    """Write what the events of these referrals earn by now, and return which pending ones qualify to be confirmed.

    `causes` names the event by which each referral's earnings change. Nine statements at most, however many referrals.
    Where a cap for a member or a month is set, all of a referrer's sales are read, as earlier ones use the room up:
    such a call costs as much as the referrer has sales.
    """
    sides = concerned(session, referral_ids)
    if not sides:
        return []
    lock(session, sides.values())
    known = know(session, sides)
    changed = [
        {"id": each.event.id} | outcome(each) for each in known.earnings if known.said[each.event.id] != outcome(each)
    ]
    if changed:
        session.execute(update(Event), changed)
    conversions = _write_conversions(session, known.conversions, now)
    entries.post_all(session, list(_postings(session, sides, known, conversions, causes or {})), now)
    pending = ReferralState.PENDING
    return sorted({each.case.id for each in known.earnings if each.qualifies and each.case.state is pending})


def concerned(session: Session, referral_ids: Collection[int], referrer_ids: Collection[int] = ()) -> dict[int, Sides]:
    """Find whose referrals these are, and with them all of a referrer's where a cap makes one depend on the others.

    The cap of one counts what all bring, also those that began under other rules.
    """
    caps = select(Program.id).where(or_(Program.member_cap.is_not(None), Program.monthly_cap.is_not(None)))
    other = aliased(Referral)
    theirs = select(other.id).where(other.referrer_id == Referral.referrer_id, other.program_id.in_(caps))
    capped = and_(caps.exists(), theirs.exists())  # the first saves most programs a look at all of a member's referrals
    query = select(Referral.id, Referral.referrer_id, Referral.friend_id, capped.label("capped"))
    rows = session.execute(query.where(Referral.id.in_(sorted(referral_ids)))).all() if referral_ids else []
    wide = {row.referrer_id for row in rows if row.capped} | set(referrer_ids)
    if wide:
        rows = [*rows, *session.execute(query.where(Referral.referrer_id.in_(sorted(wide)), capped)).all()]
    return {row.id: Sides(row.referrer_id, row.friend_id) for row in rows}


def lock(session: Session, sides: Iterable[Sides], others: Iterable[int] = ()) -> None:
    """Let nobody else write to the ledgers of these members. A referral's state is read after that, by everybody."""
    ids = {profile_id for pair in sides for profile_id in pair} | set(others)
    entries.lock_profiles(session, Profile.id.in_(sorted(ids)))


def know(session: Session, sides: Mapping[int, Sides]) -> Known:
    """Read everything that happened in these referrals, and compute what it earns. Two queries, and one where capped.

    The last is one for each referrer whose earnings are capped.
    """
    events: dict[int, list[Happened]] = defaultdict(list)
    said = {}
    query = select(
        Event.referral_id, Event.id, Event.product, Event.own_id, Event.type, Event.customer_id, Event.organization_id,
        Event.amount, Event.currency, Event.refund_of, Event.details, Event.occurred_at,
        Event.state, Event.reason_code, Event.reason_values,
    )  # fmt: skip
    row: Any
    for row in session.execute(query.where(Event.referral_id.in_(sorted(sides)))):
        happened = Happened(*row[1 : -len(OUTCOME)])
        events[row.referral_id].append(happened)
        said[happened.id] = dict(zip(OUTCOME, row[-len(OUTCOME) :], strict=True))
    states = select(Referral.id, Referral.state, Referral.visited_at, Referral.created, Program)
    states = states.join(Program, Program.id == Referral.program_id).where(Referral.id.in_(sorted(sides)))
    cases: dict[int, list[Case]] = defaultdict(list)
    for referral_id, state, visited_at, created, program in session.execute(states):
        found = Case(referral_id, state, visited_at, created, program, events[referral_id])
        cases[sides[referral_id].referrer].append(found)
    earnings: list[Earning] = []
    for referrer_id, theirs in cases.items():
        capped = any(each.program.member_cap is not None for each in theirs)
        otherwise = entries.earned(session, referrer_id, by_events=False) if capped else {}
        earnings += earning.fold(theirs, otherwise)
    return Known(earnings, said)


def outcome(each: Earning) -> dict[str, Any]:
    """Return what became of an event, as its row says it."""
    state = EventState.KEPT if each.kept else EventState.ACCEPTED
    return dict(zip(OUTCOME, (state, each.why.value if each.why else "", each.values), strict=True))


def columns(each: Earning) -> dict[str, Any]:
    """Return what the row of a conversion says."""
    said = (
        each.refunded, each.referrer, each.friend, each.unit("referrer"), each.unit("friend"),
        each.why.value if each.why else "", each.values,
    )  # fmt: skip
    return {"referral_id": each.case.id, **dict(zip(COLUMNS, said, strict=True))}


def due(each: Earning, sides: Sides) -> dict[tuple[int, str], tuple[int, str]]:
    """Return what each member is to have of a conversion, in which unit, and as which side."""
    found = {"referrer": (sides.referrer, each.referrer), "friend": (sides.friend, each.friend)}
    return {(profile_id, each.unit(side)): (amount, side) for side, (profile_id, amount) in found.items()}


def balances(session: Session, conversion_ids: Collection[int]) -> dict[int, dict[tuple[int, str], Balance]]:
    """Read what the members have of each conversion, in each unit. One query."""
    credited = case((RewardEntry.kind.in_(CREDITS.values()), 1), else_=0)
    query = (
        select(
            RewardEntry.conversion_id, RewardEntry.profile_id, RewardEntry.unit, func.sum(RewardEntry.amount),
            func.max(RewardEntry.referral_id), func.max(credited), func.max(RewardEntry.available_at),
        )
        .where(RewardEntry.conversion_id.in_(sorted(conversion_ids)))
        .group_by(RewardEntry.conversion_id, RewardEntry.profile_id, RewardEntry.unit)
    )  # fmt: skip
    found: dict[int, dict[tuple[int, str], Balance]] = defaultdict(dict)
    for conversion_id, profile_id, unit, amount, referral_id, is_credited, available_at in session.execute(query):
        found[conversion_id][profile_id, unit] = Balance(int(amount), referral_id, bool(is_credited), available_at)
    return found


def given(session: Session, referral_id: int, profile_id: int) -> list[tuple[str, int]]:
    """Read what a member has by the events of a referral, in each unit, the largest last. One query."""
    total = func.sum(RewardEntry.amount)
    query = (
        select(RewardEntry.unit, total)
        .where(RewardEntry.referral_id == referral_id, RewardEntry.profile_id == profile_id)
        .where(RewardEntry.conversion_id.is_not(None))
        .group_by(RewardEntry.unit)
        .order_by(total, RewardEntry.unit)
    )
    return [(unit, int(amount)) for unit, amount in session.execute(query)]


def _write_conversions(session: Session, earnings: Sequence[Earning], now: datetime) -> dict[int, int]:
    """Make the rows what they are to be, and return which is which event's."""
    if not earnings:
        return {}
    names = ("id", "event_id", "referral_id", *COLUMNS)
    query = select(*(getattr(Conversion, name) for name in names))
    there = session.execute(query.where(Conversion.event_id.in_([each.event.id for each in earnings])))
    rows = {row.event_id: row._asdict() for row in there}
    ids = {event_id: row["id"] for event_id, row in rows.items()}
    new = [{"event_id": each.event.id, "created": now} | columns(each) for each in earnings if each.event.id not in ids]
    if new:
        made = insert(Conversion).returning(Conversion.event_id, Conversion.id)
        ids |= {row.event_id: row.id for row in session.execute(made, new)}
    wanted = [(rows[each.event.id], columns(each)) for each in earnings if each.event.id in rows]
    changed = [{"id": row["id"]} | after for row, after in wanted if not after.items() <= row.items()]
    if changed:
        session.execute(update(Conversion), changed)
    announcing.conversions(
        session, set(ids.values()) - {row["id"] for row in rows.values()}, {row["id"] for row in changed}, now
    )
    return ids


def _postings(
    session: Session,
    sides: Mapping[int, Sides],
    known: Known,
    conversions: Mapping[int, int],
    causes: Mapping[int, int],
) -> Iterator[Posting]:
    """Yield what the ledger lacks, in the order in which things happened.

    An event that is another referral's by now is taken back from the members of the one that it was in.
    """
    there = balances(session, conversions.values()) if conversions else {}
    by_referrer = {sides[referral_id].referrer: event_id for referral_id, event_id in causes.items()}
    for each in known.conversions:
        conversion_id, pair = conversions[each.event.id], sides[each.case.id]
        wanted, have = due(each, pair), there.get(conversion_id, {})
        cause: int | None = causes.get(each.case.id) or by_referrer.get(pair.referrer)
        available_at = each.event.occurred_at + timedelta(days=each.case.program.hold_days)
        credited = {profile_id for (profile_id, _), balance in have.items() if balance.credited}
        corrected: set[int] = set()
        for profile_id, unit in sorted({*wanted, *have}):
            amount, side = wanted.get((profile_id, unit), (0, ""))
            before = have.get((profile_id, unit), Balance(0, each.case.id, credited=False))
            change = amount - before.amount
            if not change:
                continue
            first = change > 0 and profile_id not in credited
            kind = CREDITS[side] if first else RewardKind.ADJUSTMENT if change > 0 else RewardKind.REFUND
            until = available_at if amount else before.available_at or available_at  # all is taken from where it is
            reason = None if first or profile_id in corrected else cause  # an event corrects it once
            corrected.add(profile_id)
            referral_id = each.case.id if change > 0 else before.referral_id  # it is taken from where it was given
            yield Posting(profile_id, kind, change, unit, until, referral_id, conversion_id, reason)
