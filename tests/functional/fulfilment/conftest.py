"""A program whose rewards the product hands over, and a ledger to be written by hand."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import (
    Conversion,
    CustomerKind,
    Event,
    EventCustomer,
    EventState,
    ExternalMember,
    Reason,
    Referral,
    ReferralState,
    Reward,
    RewardEntry,
    RewardKind,
    User,
)
from referralhub.services.fulfilment import decisions
from referralhub.services.ledger import entries, recount
from referralhub.services.program import rules
from referralhub.services.referrals import lifecycle, transitions
from referralhub.services.shared.audit import OPERATOR, SYSTEM
from tests.factories import befriend, member
from tests.people import Clock

UNIT = "EUR"


class Books:
    """Alice's ledger, written to as the services do, and her rewards."""

    def __init__(self, app: Flask, clock: Clock) -> None:
        self.app, self.clock = app, clock

    def program(self, **values: Any) -> int:
        with self.app.app_context():
            money = {"unit": "money", "currency": UNIT, "referrer_amount": 0, "handed_over": True}
            return rules.change(money | values, self.clock()).id

    def referral(self, amount: int = 0, **values: Any) -> int:
        """Confirm another friend under a program that gives Alice so much; gives the referral's number."""
        program_id, now = self.program(referrer_amount=amount, **values), self.clock()
        befriend(self.app, "alice", 1, now, ReferralState.PENDING)
        with self.app.app_context(), transaction() as session:
            referral = session.scalars(select(Referral).order_by(Referral.id.desc())).first()
            referral.program_id, number, pending = program_id, referral.id, ReferralState.PENDING
            transitions.take(session, Referral.id == number, pending, ReferralState.CONFIRMED, now)
            transitions.credit(session, referral, pending, SYSTEM, Reason.stated("a test"), now)
        return number

    def post(self, amount: int, kind: str = "adjustment", **values: Any) -> int:
        """Write one entry, on hold for so many `days`; gives its number."""
        days = values.pop("days", 0)
        with self.app.app_context(), transaction() as session:
            entries.lock_profile(session, 1)
            values = {"available_at": self.clock() + timedelta(days=days), "unit": UNIT, "now": self.clock()} | values
            return entries.post(session, 1, RewardKind(kind), amount, **values).id

    def credit(self, amount: int, **values: Any) -> int:
        """Credit Alice for another friend; gives the entry's number."""
        referral_id = self.referral(amount, **values)
        with self.app.app_context():
            return db.session.scalars(select(RewardEntry.id).filter_by(referral_id=referral_id, profile_id=1)).one()

    def sale(self, referral_id: int) -> int:
        """Let a friend have bought something; gives the number of the conversion."""
        with self.app.app_context():
            number, now = len(db.session.scalars(select(Event.id)).all()) + 1, self.clock()
            customer = EventCustomer(kind=CustomerKind.PERSON, external_id=f"c{number}", created=now)
            db.session.add(customer)
            db.session.flush()
            event = Event(
                product="default", own_id=f"sale-{number}", digest="", type="purchase", customer_id=customer.id,
                details={}, state=EventState.ACCEPTED, occurred_at=now, created=now,
            )  # fmt: skip
            db.session.add(event)
            db.session.flush()
            conversion = Conversion(
                event_id=event.id, referral_id=referral_id, referrer_unit=UNIT, friend_unit=UNIT, created=now
            )
            db.session.add(conversion)
            db.session.commit()
            return conversion.id

    def take_back(self, entry_id: int) -> None:
        """Reverse the referral that an entry is for."""
        with self.app.app_context():
            referral_id = db.session.get_one(RewardEntry, entry_id).referral_id
            lifecycle.reverse(referral_id, SYSTEM, Reason.stated("a test"), self.clock())

    def reward(self, entry_id: int) -> int:
        """Give the number of the newest reward for an entry."""
        with self.app.app_context():
            return db.session.scalars(select(Reward.id).filter_by(entry_id=entry_id).order_by(Reward.id.desc())).first()

    def fulfil(self, reward_id: int, reference: str = "") -> bool:
        with self.app.app_context():
            return decisions.fulfil(reward_id, reference, OPERATOR, self.clock())

    def fail(self, reward_id: int, reason: str = "") -> bool:
        with self.app.app_context():
            return decisions.fail(reward_id, reason, OPERATOR, self.clock())

    @property
    def rewards(self) -> list[tuple[int, int, str]]:
        """All rewards, the oldest first: of which entry, how much, and their state."""
        with self.app.app_context():
            rows = db.session.execute(db.text("SELECT entry_id, amount, state FROM reward ORDER BY id"))
            return [tuple(row) for row in rows]

    @property
    def due(self) -> dict[int, int]:
        """How much is due, by entry."""
        return {entry: amount for entry, amount, state in self.rewards if state in {"due", "failed"}}

    @property
    def balance(self) -> tuple[int, int]:
        """All that there is, and what can be spent."""
        with self.app.app_context():
            found = entries.balance(db.session(), 1, UNIT, self.clock())
            return found.amount, found.available

    def close(self) -> None:
        """Hold that all that is due follows from the ledger."""
        with self.app.app_context():
            drifts = recount.drifts(self.app.extensions["redis"], self.clock())
            assert [each for each in drifts if "reward" in each.code or "balance" in each.code] == []


@pytest.fixture
def books(app: Flask, clock: Clock) -> Books:
    """Alice, whom the product calls a-1, in a program that hands over."""
    member(app, "alice", clock())
    with app.app_context():
        user = db.session.scalars(select(User)).one()
        db.session.add(ExternalMember(user_id=user.id, external_id="a-1", details={}, created=clock(), updated=clock()))
        db.session.commit()
    found = Books(app, clock)
    found.program()
    return found
