"""Bringing conversions and the ledger to what the events of a referral earn by now; parts of a caller's transaction.

Everything is computed anew from all that happened in a referral, and the difference to what there is is written. So it
makes no difference in which order events come in, how often, or how many at once: only what is known in the end.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.orm import Session

from referralhub.database import insert
from referralhub.models import (
    Conversion,
    Event,
    EventState,
    Program,
    Referral,
    ReferralState,
    RewardEntry,
    RewardKind,
)
from referralhub.services.conversions import earners, earning
from referralhub.services.conversions.earners import Sides
from referralhub.services.conversions.earning import Case, Earning, Happened
from referralhub.services.ledger import batches, entries
from referralhub.services.ledger.batches import Posting
from referralhub.services.ledger.entries import IDS
from referralhub.services.webhooks import announcing

CREDITS = {"referrer": RewardKind.REFERRER, "friend": RewardKind.FRIEND}
COLUMNS = (
    "referral_id", "refunded", "referrer_amount", "friend_amount", "referrer_unit", "friend_unit",
    "reason_code", "reason_values",
)  # fmt: skip


class Move(NamedTuple):
    """That an admin gives what a referral earns its referrer to somebody else, and why."""

    referral_id: int
    from_id: int
    why: str


class Outcome(NamedTuple):
    """What became of an event, as its row says it."""

    state: EventState
    reason_code: str
    reason_values: dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What happened in some referrals, what it earns, and what the rows of the events say of it so far.

    `who_earns` says who has the referrer's side of each, as it is now. `rows` are those of the conversions that there
    are, by event: the id, and `COLUMNS`.
    """

    who_earns: dict[int, int]
    earnings: list[Earning]
    said: dict[int, Outcome]
    rows: dict[int, tuple[Any, ...]]

    @property
    def conversions(self) -> list[Earning]:
        """The events of the type that is rewarded, in the order in which they happened.

        With them are those that were, until they became another referral's, whose rules reward another type.
        """
        found = (each for each in self.earnings if each.is_conversion or each.event.id in self.rows)
        return sorted(found, key=lambda each: each.event.order)


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

    `causes` names the event by which each referral's earnings change. As many statements for many referrals as for one.
    Where a cap for a member or a month is set, all of a referrer's sales are read, as earlier ones use the room up:
    such a call costs as much as the referrer has sales. The ledger has what the rows of conversions say, so that it is
    only looked at for those that are no longer true.
    """
    return _reconcile(session, partial(earners.concerned, session, referral_ids), now, causes or {})


def reconcile_capped(session: Session, referrer_id: int, now: datetime) -> None:
    """Do so where a member has earned otherwise, and a cap counts that, too. One query where there is no such cap."""
    _reconcile(session, partial(earners.concerned, session, (), [referrer_id]), now, {})


def credit_instead(session: Session, referral: Referral, profile_id: int, why: str, now: datetime) -> None:
    """Let another member have what the events of a referral earn its referrer: what there is moves, the rest follows.

    The caller has locked the referral.
    """
    move = Move(referral.id, referral.earner_id, why)
    referral.credited_id = profile_id
    session.flush()
    _reconcile(session, partial(earners.concerned, session, [referral.id], [move.from_id]), now, {}, move)


def _reconcile(
    session: Session,
    find: Callable[[], dict[int, Sides]],
    now: datetime,
    causes: Mapping[int, int],
    move: Move | None = None,
) -> list[int]:
    while sides := find():
        earners.lock(session, sides.values(), [move.from_id] if move else ())
        known = know(session, sides)
        if all(sides[id_].referrer == earner for id_, earner in known.who_earns.items()):
            break  # else an admin has given a credit to somebody else before the lock was there
    else:
        return []
    said = [(each.event.id, outcome(each)) for each in known.earnings]
    if changed := [{"id": id_} | now_._asdict() for id_, now_ in said if known.said[id_] != now_]:
        session.execute(update(Event), changed)
    moved = move.referral_id if move else None
    untrue = [
        each
        for each in known.conversions
        if known.rows.get(each.event.id, ())[1:] != columns(each) or each.case.id == moved
    ]
    if untrue:
        ids = _write_conversions(session, untrue, known.rows, now)
        batches.post_all(session, list(_postings(session, sides, untrue, ids, known.rows, causes, move)), now)
    pending = ReferralState.PENDING
    return sorted({each.case.id for each in known.earnings if each.qualifies and each.case.state is pending})


def know(session: Session, sides: Mapping[int, Sides]) -> Known:
    """Read everything that happened in these referrals, and compute what it earns. Two queries, and one where capped.

    The last is one for each referrer whose earnings are capped.
    """
    referrals: dict[int, tuple[Any, ...]] = {}
    events: dict[int, list[Happened]] = defaultdict(list)
    said, rows = {}, {}
    for row in session.execute(_history(), {"ids": sorted(sides)}):
        referral_id, event_id, conversion_id = row[0], row[OF_EVENT.start], row[OF_CONVERSION.start]
        referrals[referral_id] = row[OF_REFERRAL]
        if event_id is not None:
            events[referral_id].append(Happened(*row[OF_EVENT]))
            said[event_id] = Outcome(*row[OF_OUTCOME])
        if conversion_id is not None:
            rows[event_id] = row[OF_CONVERSION]
    who_earns = {referral_id: earner_id for referral_id, *_, earner_id in referrals.values()}
    wanted = {program_id for *_, program_id, _ in referrals.values()}
    programs = {program.id: program for program in session.scalars(select(Program).where(Program.id.in_(wanted)))}
    cases: dict[int, list[Case]] = defaultdict(list)
    for referral_id, state, visited_at, created, program_id, _ in referrals.values():
        found = Case(referral_id, state, visited_at, created, programs[program_id], events[referral_id])
        cases[sides[referral_id].referrer].append(found)
    earnings: list[Earning] = []
    for referrer_id, theirs in cases.items():
        capped = any(each.program.member_cap is not None for each in theirs)
        otherwise = entries.earned(session, referrer_id, by_events=False) if capped else {}
        earnings += earning.fold(theirs, otherwise)
    return Known(who_earns, earnings, said, rows)


# Places of the columns of `_history`; those of an event are the fields of `Happened`.
OF_REFERRAL, OF_EVENT, OF_OUTCOME, OF_CONVERSION = slice(0, 6), slice(6, 17), slice(17, 20), slice(20, None)


@cache
def _history() -> Select[*tuple[Any, ...]]:
    """Make the query for referrals, each as often as there are events in it, with the conversions that there are."""
    return (
        select(
            Referral.id, Referral.state, Referral.visited_at, Referral.created, Referral.program_id, Referral.earner_id,
            Event.id, Event.product, Event.own_id, Event.type, Event.customer_id, Event.organization_id,
            Event.amount, Event.currency, Event.refund_of, Event.details, Event.occurred_at,
            *(getattr(Event, name) for name in Outcome._fields),
            Conversion.id, *(getattr(Conversion, name) for name in COLUMNS),
        )
        .select_from(Referral)
        .outerjoin(Event, Event.referral_id == Referral.id)
        .outerjoin(Conversion, Conversion.event_id == Event.id)
        .where(Referral.id.in_(IDS))
    )  # fmt: skip


def outcome(each: Earning) -> Outcome:
    """Return what became of an event."""
    state = EventState.KEPT if each.kept else EventState.ACCEPTED
    return Outcome(state, each.why.value if each.why else "", each.values)


def columns(each: Earning) -> tuple[Any, ...]:
    """Return what the row of a conversion says in `COLUMNS`."""
    return (
        each.case.id, each.refunded, each.referrer, each.friend, each.unit("referrer"), each.unit("friend"),
        each.why.value if each.why else "", each.values,
    )  # fmt: skip


def due(each: Earning, sides: Sides) -> dict[tuple[int, str], tuple[int, str]]:
    """Return what each member is to have of a conversion, in which unit, and as which side."""
    found = {"referrer": (sides.referrer, each.referrer), "friend": (sides.friend, each.friend)}
    return {(profile_id, each.unit(side)): (amount, side) for side, (profile_id, amount) in found.items()}


def balances(session: Session, conversion_ids: Collection[int]) -> dict[int, dict[tuple[int, str], Balance]]:
    """Read what the members have of each conversion, in each unit. One query."""
    found: dict[int, dict[tuple[int, str], Balance]] = defaultdict(dict)
    for conversion_id, profile_id, unit, amount, referral_id, is_credited, available_at in session.execute(
        _balances(), {"ids": sorted(conversion_ids)}
    ):
        found[conversion_id][profile_id, unit] = Balance(int(amount), referral_id, bool(is_credited), available_at)
    return found


@cache
def _balances() -> Select[*tuple[Any, ...]]:
    credited = case((RewardEntry.kind.in_(CREDITS.values()), 1), else_=0)
    return (
        select(
            RewardEntry.conversion_id, RewardEntry.profile_id, RewardEntry.unit, func.sum(RewardEntry.amount),
            func.max(RewardEntry.referral_id), func.max(credited), func.max(RewardEntry.available_at),
        )
        .where(RewardEntry.conversion_id.in_(IDS))
        .group_by(RewardEntry.conversion_id, RewardEntry.profile_id, RewardEntry.unit)
    )  # fmt: skip


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


def _write_conversions(
    session: Session, untrue: Sequence[Earning], rows: Mapping[int, tuple[Any, ...]], now: datetime
) -> dict[int, int]:
    """Make the rows what they are to be, and return which is which event's."""
    values = {each.event.id: dict(zip(COLUMNS, columns(each), strict=True)) for each in untrue}
    changed = [{"id": rows[event_id][0]} | after for event_id, after in values.items() if event_id in rows]
    if changed:
        session.execute(update(Conversion), changed)
    ids = {event_id: rows[event_id][0] for event_id in values if event_id in rows}
    new = [{"event_id": event_id, "created": now} | after for event_id, after in values.items() if event_id not in rows]
    made = {}
    if new:
        statement = insert(Conversion).returning(Conversion.event_id, Conversion.id)
        made = {row.event_id: row.id for row in session.execute(statement, new)}
    announcing.note_conversions(session, made.values(), ids.values(), now)
    return ids | made


def _postings(
    session: Session,
    sides: Mapping[int, Sides],
    untrue: Sequence[Earning],
    conversions: Mapping[int, int],
    rows: Mapping[int, tuple[Any, ...]],
    causes: Mapping[int, int],
    move: Move | None,
) -> Iterator[Posting]:
    """Yield what the ledger lacks, in the order in which things happened.

    An event that is another referral's by now is taken back from the members of the one that it was in, and what moves
    from who had it.
    """
    before_now = [conversions[each.event.id] for each in untrue if each.event.id in rows]
    there = balances(session, before_now) if before_now else {}
    by_referrer = {sides[referral_id].referrer: event_id for referral_id, event_id in causes.items()}
    for each in untrue:
        conversion_id, pair = conversions[each.event.id], sides[each.case.id]
        wanted, have = due(each, pair), there.get(conversion_id, {})
        cause: int | None = causes.get(each.case.id) or by_referrer.get(pair.referrer)
        available_at = each.event.occurred_at + timedelta(days=each.case.program.hold_days)
        credited = {profile_id for (profile_id, _), balance in have.items() if balance.credited}
        corrected: set[int] = set()
        moved = move if move and move.referral_id == each.case.id else None
        for profile_id, unit in sorted({*wanted, *have}):
            amount, side = wanted.get((profile_id, unit), (0, ""))
            before = have.get((profile_id, unit), Balance(0, each.case.id, credited=False))
            change = amount - before.amount
            if not change:
                continue
            first = change > 0 and profile_id not in credited
            kind = CREDITS[side] if first else RewardKind.ADJUSTMENT if change > 0 or moved else RewardKind.REFUND
            until = available_at if amount else before.available_at or available_at  # all is taken from where it is
            reason = None if first or profile_id in corrected else cause  # an event corrects it once
            corrected.add(profile_id)
            referral_id = each.case.id if change > 0 else before.referral_id  # it is taken from where it was given
            note = moved.why if moved else ""
            yield Posting(profile_id, kind, change, unit, until, referral_id, conversion_id, reason, note)
