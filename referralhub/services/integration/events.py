"""Taking in what a product tells: each event once, whatever is repeated, raced, or comes in the wrong order.

All of a call is one transaction. Its locks are taken in one order: the customers it is about, by id; then the ledgers
concerned, by id. The ledger's writers do the same, so that nobody waits for one who waits for them; where two make the
same rows at once, PostgreSQL may still end one of them, which is then done once more.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from time import sleep
from typing import Any, TypeVar

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased

from referralhub.database import has_collided, insert, transaction
from referralhub.models import (
    CustomerKind,
    Event,
    EventState,
    Program,
    Reason,
    ReasonCode,
    Referral,
)
from referralhub.services.conversions import earners, earning, posting
from referralhub.services.conversions.earning import SIGNUP
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.integration import event_customers, signups
from referralhub.services.integration.event_customers import Customers, Key
from referralhub.services.integration.members import MadeMeanwhile
from referralhub.services.integration.signups import Signup, Why
from referralhub.services.integration.told import Told, check
from referralhub.services.program import rules
from referralhub.services.referrals import lifecycle
from referralhub.services.shared import audit
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import DomainError

log = logging.getLogger(__name__)

MOST = 100  # events in one call
TRIES = 5
UNKNOWN_CUSTOMER, ID_TAKEN = "unknown_customer", "event_id_taken"
DUPLICATE = "duplicate"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Result:
    """What became of an event that was sent: "accepted", "kept", "refused" or "duplicate", and why.

    `reason` is a stable code, none where there is nothing to say; `error` what is wrong with one that cannot be.
    """

    id: str
    status: str
    reason: str | None = None
    error: DomainError | None = None


@dataclass(frozen=True)
class Row:
    """An event of this call that is stored."""

    id: int
    type: str
    person_id: int | None
    organization_id: int | None
    occurred_at: datetime
    signup: Mapping[str, Any] | None


def receive(sent: Sequence[Told], product: str, actor: Actor, now: datetime) -> list[Result]:
    """Take events in, and say of each what became of it, in the same order. At most `MOST`.

    What cannot be is refused; what cannot be used yet is kept. What was sent before is told so.
    """
    good: list[Told] = []
    results: dict[int, Result] = {}
    for number, told in enumerate(sent):
        try:
            check(told, now)
        except DomainError as error:
            results[number] = Result(told.id, EventState.REFUSED.value, error.code, error)
        else:
            good.append(told)
    taken = iter(again_on_collision(lambda: _receive(good, product, actor, now)) if good else [])
    return [results[number] if number in results else next(taken) for number in range(len(sent))]


def again_on_collision(work: Callable[[], Answer]) -> Answer:
    """Do the work once more where it met another that did the same, and lost."""
    for attempt in range(TRIES):
        try:
            return work()
        except (DBAPIError, MadeMeanwhile) as error:
            if attempt == TRIES - 1 or not (isinstance(error, MadeMeanwhile) or has_collided(error)):
                raise
            log.info("Events are taken in once more: %s", type(error).__name__)
            sleep(0.01 * 2**attempt)
    raise AssertionError  # it has returned or raised


def _receive(sent: Sequence[Told], product: str, actor: Actor, now: datetime) -> list[Result]:
    with transaction() as session:
        customers = event_customers.lock(session, _keys(sent), now)
        known = _stored(session, product, [told.id for told in sent])
        first = {told.id: told for told in reversed(sent) if told.id not in known}  # of two in one call, the first
        event_customers.find_by_address(session, customers, first.values())
        rows = _insert(session, list(first.values()), customers, product, actor, now)
        origins = {row.id: first[own_id].customer.origin for own_id, row in rows.items()}
        work(session, list(rows.values()), customers, origins, now)
        found = _stored(session, product, [told.id for told in sent])
        results = [_result(told, found[told.id], told.id in rows and first[told.id] is told) for told in sent]
        if rows:
            states = [found[own_id].state.value for own_id in rows]
            done = {each.value: states.count(each.value) for each in EventState if each.value in states}
            audit.record(session, actor, "events.receive", "events", None, {}, done, now)
    return results


def _result(told: Told, stored: Any, new: bool) -> Result:
    if new:
        return Result(told.id, stored.state.value, stored.reason_code or None)
    if stored.digest not in {told.digest, ""}:  # what was erased is not compared
        return Result(told.id, EventState.REFUSED.value, ID_TAKEN)
    return Result(told.id, DUPLICATE, stored.reason_code or None)


def _stored(session: Session, product: str, ids: Collection[str]) -> dict[str, Any]:
    return {
        row.own_id: row for row in session.execute(_by_own_ids(), {"product": product, "own_ids": sorted(set(ids))})
    }


@cache  # building it took as long as asking
def _by_own_ids() -> Select[*tuple[Any, ...]]:
    mine = Event.product == bindparam("product"), Event.own_id.in_(bindparam("own_ids", expanding=True))
    return select(Event.own_id, Event.digest, Event.state, Event.reason_code).where(*mine)


def _keys(sent: Sequence[Told]) -> set[Key]:
    people = {(CustomerKind.PERSON, told.customer.external_id) for told in sent}
    organizations = {(CustomerKind.ORGANIZATION, told.customer.organization_id) for told in sent}
    return {(kind, number) for kind, number in people | organizations if number}


def _insert(
    session: Session, sent: Sequence[Told], customers: Customers, product: str, actor: Actor, now: datetime
) -> dict[str, Row]:
    """Store what is new, as what it is if nothing else is found out.

    Of somebody who was erased only what the credit depends on is kept.
    """
    values = []
    conditions = _conditions(session, customers.erased)
    for told in sorted(sent, key=lambda told: told.id):
        person_id, organization_id = customers.of(told.customer)
        came_by = customers.referral_of(person_id, organization_id)
        referral_id = came_by if told.type != SIGNUP else None
        digest, details = told.digest, told.metadata
        if came_by in conditions:
            digest, details = "", earning.needed(details, conditions[came_by])
        kept = signups.to_keep(told) if told.type == SIGNUP else None
        state, reason = _at_first(told, kept, referral_id)
        values.append({
            "product": product, "own_id": told.id, "digest": digest, "type": told.type,
            "customer_id": person_id, "organization_id": organization_id, "referral_id": referral_id,
            "amount": told.amount, "currency": told.currency, "refund_of": told.refund_of,
            "details": details, "signup": kept if state is EventState.KEPT else None,
            "state": state, "reason_code": reason, "reason_values": {}, "api_key_id": actor.api_key_id,
            "occurred_at": told.occurred_at or now, "created": now,
        })  # fmt: skip
    if not values:
        return {}
    once = insert(Event).on_conflict_do_nothing(index_elements=["product", "own_id"])
    statement = once.returning(
        Event.own_id, Event.id, Event.type, Event.customer_id, Event.organization_id, Event.occurred_at, Event.signup
    )
    return {own_id: Row(*rest) for own_id, *rest in session.execute(statement, values)}


def _conditions(session: Session, referral_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return what the rules of these referrals ask of an event's metadata."""
    if not referral_ids:
        return {}
    query = select(Referral.id, Program.condition).join(Program, Program.id == Referral.program_id)
    rows = session.execute(query.where(Referral.id.in_(referral_ids))).all()
    return {row.id: row.condition for row in rows}


def _at_first(told: Told, signup: Mapping[str, Any] | None, referral_id: int | None) -> tuple[EventState, str]:
    if told.type != SIGNUP:
        return (EventState.ACCEPTED, "") if referral_id else (EventState.KEPT, UNKNOWN_CUSTOMER)
    if told.click and not told.link:
        return EventState.REFUSED, Why.BROKEN_CLICK.value
    if signup is None:
        return EventState.ACCEPTED, Why.NOT_REFERRED.value
    return EventState.KEPT, Why.UNKNOWN_CODE.value


def work(
    session: Session, rows: Sequence[Row], customers: Customers, origins: Mapping[int, RequestOrigin], now: datetime
) -> None:
    """Do everything that follows from these events, which are stored. Part of the caller's transaction."""
    _sign_up(session, [row for row in rows if row.type == SIGNUP], customers, origins, now)
    _know_who_came_by_nobody(session, customers)
    causes: dict[int, int] = {}
    for row in rows:
        if referral_id := customers.referral_of(row.person_id, row.organization_id):
            causes[referral_id] = max(causes.get(referral_id, 0), row.id)
    qualified = posting.reconcile(session, causes.keys() | customers.changed, now, causes)
    for friend_id, kind in _friends(session, qualified):
        lifecycle.settle(session, friend_id, now, Reason(ReasonCode.EVENT_QUALIFIED, {"type": kind}), by_event=True)


def _friends(session: Session, referral_ids: Collection[int]) -> Sequence[Any]:
    """Return the friend of each referral, with the type of event that the program rewards."""
    if not referral_ids:
        return []
    query = select(Referral.friend_id, Program.qualifies_on).join(Program, Program.id == Referral.program_id)
    return session.execute(query.where(Referral.id.in_(referral_ids)).order_by(Referral.id)).all()


def _know_who_came_by_nobody(session: Session, customers: Customers) -> None:
    """Accept what was kept of those whose signup was nobody's: there is nothing more to wait for."""
    unknown = [id_ for (kind, _), id_ in customers.ids.items() if kind is CustomerKind.PERSON]
    unknown = [id_ for id_ in unknown if id_ not in customers.referrals]
    if not unknown:
        return
    signup = aliased(Event)
    alone = select(signup.customer_id).where(
        signup.customer_id.in_(unknown), signup.type == SIGNUP, signup.reason_code == Why.NOT_REFERRED.value
    )
    kept = (Event.state == EventState.KEPT, Event.reason_code == UNKNOWN_CUSTOMER, Event.customer_id.in_(alone))
    values = {"state": EventState.ACCEPTED, "reason_code": Why.NOT_REFERRED.value}
    session.execute(update(Event).where(*kept).values(values).execution_options(synchronize_session=False))


def _sign_up(
    session: Session,
    rows: Sequence[Row],
    customers: Customers,
    origins: Mapping[int, RequestOrigin],
    now: datetime,
) -> None:
    """Begin referrals, one after the other."""
    waiting: list[tuple[Row, Signup]] = []
    for row in sorted(rows, key=lambda row: (row.occurred_at, row.id)):
        if row.signup is not None and row.person_id is not None:
            origin = origins.get(row.id, RequestOrigin())
            number = customers.numbers[row.person_id]
            waiting.append((row, signups.from_kept(dict(row.signup), number, row.occurred_at, origin)))
    if not waiting:
        return
    program = rules.current()
    _lock_ledgers(session, [found for _, found in waiting], customers)
    for row, found in waiting:
        known = row.person_id in customers.referrals  # be it of a member who was erased since
        outcome = Why.ALREADY_REFERRED if known else _begin(session, found, program, now)
        if outcome is Why.UNKNOWN_CODE:
            continue
        values: dict[str, Any] = {"state": EventState.ACCEPTED, "reason_code": "", "signup": None}
        if isinstance(outcome, Referral):
            values["referral_id"] = outcome.id
            event_customers.attach(session, customers, row.person_id, row.organization_id, outcome.id)
        else:
            values |= {"state": EventState.REFUSED, "reason_code": outcome.value}
        session.execute(update(Event).where(Event.id == row.id).values(values))


def _begin(session: Session, found: Signup, program: Program, now: datetime) -> Why | Referral:
    return signups.begin(session, found, signups.referrer_of(found), program, now)


def _lock_ledgers(session: Session, found: Sequence[Signup], customers: Customers) -> None:
    """Lock all ledgers that these signups and the events of their customers can concern, in one go."""
    referrers = [referrer.profile_id for each in found if (referrer := signups.referrer_of(each))]
    friends = [friend.profile_id for each in found if (friend := signups.find_friend(session, each))]
    sides = earners.concerned(session, set(customers.referrals.values()), referrers)
    earners.lock(session, sides.values(), {*referrers, *friends})
