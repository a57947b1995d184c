"""Whom events are about, under the product's own numbers, and through which referral they came."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from referralhub.database import insert
from referralhub.models import (
    CustomerKind,
    Event,
    EventCustomer,
    EventState,
    ExternalMember,
    Profile,
    Referral,
    User,
)
from referralhub.services.conversions.earning import SIGNUP
from referralhub.services.integration.signups import Why
from referralhub.services.integration.told import Customer, Told

Key = tuple[CustomerKind, str]


@dataclass
class Customers:
    """Whom a call is about, locked: their rows by id, and by the product's numbers."""

    ids: dict[Key, int] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    referrals: dict[int, int] = field(default_factory=dict)  # where known
    erased: set[int] = field(default_factory=set)  # referrals of friends who are forgotten since
    changed: set[int] = field(default_factory=set)  # referrals that have other events than before

    def of(self, who: Customer) -> tuple[int | None, int | None]:
        """Return the person and the organization."""
        person = self.ids[CustomerKind.PERSON, who.external_id] if who.external_id else None
        organization = self.ids[CustomerKind.ORGANIZATION, who.organization_id] if who.organization_id else None
        return person, organization

    def referral_of(self, person_id: int | None, organization_id: int | None) -> int | None:
        """Return through which referral they came: the person's own, else the organization's."""
        by_person = self.referrals.get(person_id) if person_id else None
        return by_person or (self.referrals.get(organization_id) if organization_id else None)


def lock(session: Session, keys: Collection[Key], now: datetime) -> Customers:
    """Make the rows of customers that there are none of, and let nobody else work on these until the end."""
    numbers = {kind.value: sorted(number for each, number in keys if each is kind) for kind in CustomerKind}
    rows = session.execute(_locking(), numbers).all()
    if missing := sorted(set(keys) - {(row.kind, row.external_id) for row in rows}):
        new = [{"kind": kind, "external_id": number, "created": now} for kind, number in missing]
        session.execute(insert(EventCustomer).on_conflict_do_nothing().returning(EventCustomer.id), new)
        rows = session.execute(_locking(), numbers).all()
    found = Customers()
    for row in rows:
        found.ids[row.kind, row.external_id] = row.id
        found.numbers[row.id] = row.external_id
        if row.referral_id is not None:
            found.referrals[row.id] = row.referral_id
        if row.is_erased:
            found.erased.add(row.referral_id)
    _find_members(session, found)
    return found


@cache  # building it took as long as asking
def _locking() -> Select[*tuple[Any, ...]]:
    numbers = {kind: EventCustomer.external_id.in_(bindparam(kind.value, expanding=True)) for kind in CustomerKind}
    wanted = [and_(EventCustomer.kind == kind, one_of_them) for kind, one_of_them in numbers.items()]
    columns = EventCustomer.id, EventCustomer.kind, EventCustomer.external_id, EventCustomer.referral_id
    theirs = select(User.id).join(Profile, Profile.user_id == User.id).join(Referral, Referral.friend_id == Profile.id)
    is_erased = theirs.where(Referral.id == EventCustomer.referral_id, User.is_erased).exists().label("is_erased")
    return select(*columns, is_erased).where(or_(*wanted)).order_by(EventCustomer.id).with_for_update()


def _find_members(session: Session, customers: Customers) -> None:
    """Find those who are members with a referrer, but came by it otherwise than by an event: a code typed in here."""
    unknown = {
        number: id_
        for (kind, number), id_ in customers.ids.items()
        if kind is CustomerKind.PERSON and id_ not in customers.referrals
    }
    if not unknown:
        return
    query = (
        select(ExternalMember.external_id, Referral.id)
        .join(Profile, Profile.user_id == ExternalMember.user_id)
        .join(Referral, Referral.friend_id == Profile.id)
        .where(ExternalMember.external_id.in_(sorted(unknown)))
    )
    for number, referral_id in session.execute(query):
        attach(session, customers, unknown[number], None, referral_id)


def find_by_address(session: Session, customers: Customers, sent: Collection[Told]) -> None:
    """Find those who joined on our own page: by an address that they have proven there, and the product knows."""
    addresses = {
        told.customer.email.lower(): person_id
        for told in sent
        if told.customer.email and (person_id := customers.of(told.customer)[0]) not in {None, *customers.referrals}
    }
    if not addresses:
        return
    query = (
        select(func.lower(User.email), Referral.id)
        .join(Profile, Profile.user_id == User.id)
        .join(Referral, Referral.friend_id == Profile.id)
        .where(func.lower(User.email).in_(sorted(addresses)), User.verified_at.is_not(None))
    )
    for address, referral_id in session.execute(query):
        attach(session, customers, addresses[address], None, referral_id)


def attach(
    session: Session, customers: Customers, person_id: int | None, organization_id: int | None, referral_id: int
) -> None:
    """Let a customer's events be those of a referral, also those that came before.

    The person's own referral comes before that of the organization, which keeps the first that it has.
    """
    mine = {id_ for id_ in (person_id, organization_id) if id_ is not None}
    if organization_id in customers.referrals:
        mine -= {organization_id}
    session.execute(update(EventCustomer).where(EventCustomer.id.in_(mine)).values(referral_id=referral_id))
    customers.referrals |= dict.fromkeys(mine, referral_id)
    theirs = [and_(Event.customer_id == person_id, or_(Event.referral_id.is_(None), Event.referral_id != referral_id))]
    if organization_id in mine:
        theirs.append(and_(Event.organization_id == organization_id, Event.referral_id.is_(None)))
    usable = (Event.type != SIGNUP, Event.state != EventState.REFUSED)
    rows = session.execute(select(Event.id, Event.referral_id).where(or_(*theirs), *usable)).all()
    if rows:
        session.execute(update(Event), [{"id": row.id, "referral_id": referral_id} for row in rows])
    again = and_(Event.customer_id == person_id, Event.type == SIGNUP, Event.state == EventState.KEPT)
    refused = {"state": EventState.REFUSED, "reason_code": Why.ALREADY_REFERRED.value, "signup": None}
    session.execute(update(Event).where(again).values(refused).execution_options(synchronize_session=False))
    customers.changed |= {referral_id, *(row.referral_id for row in rows if row.referral_id)}
