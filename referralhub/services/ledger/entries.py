"""The ledger: every amount that was given or taken, and the balances that follow from it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import BindParameter, Select, bindparam, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from referralhub.database import reading
from referralhub.models import (
    Conversion,
    Event,
    Profile,
    Program,
    Referral,
    Reward,
    RewardEntry,
    RewardKind,
    RewardState,
    User,
)
from referralhub.services.shared import figure_changes, parts
from referralhub.services.shared.names import shown_name
from referralhub.services.shared.parts import Part

CHANGED = "ledger_changed"  # in session.info: whose entries in which unit this transaction adds to, and when
IDS: BindParameter[int] = bindparam("ids", expanding=True)
OPEN = (RewardState.DUE, RewardState.FAILED)  # of a reward that is still owed


@dataclass(frozen=True)
class Balance:
    """What a member has in one unit. `available` can be spent today, `due` is to be handed over; the rest is held."""

    unit: str
    amount: int
    available: int
    due: int

    @property
    def debt(self) -> int:
        """What a clawback took beyond what was left; the next credits pay it."""
        return max(0, -self.amount)


@dataclass(frozen=True)
class Line:
    """One entry as a member reads it; `friend` is whose joining it was for."""

    id: int
    kind: RewardKind
    amount: int
    unit: str
    balance: int
    friend: str | None
    mark: int | None
    note: str
    available_at: datetime
    created: datetime
    conversion: bool  # it is for an event
    own: bool  # and for one of the member's own, as a friend
    referral_id: int | None
    event_id: str | None  # the product's own, of the event that earned it, also of what is taken back of that


def lock_profile(session: Session, profile_id: int) -> None:
    """Make other writers to this member's ledger wait until the transaction ends."""
    session.execute(select(Profile.id).where(Profile.id == profile_id).with_for_update())


def lock_profiles(session: Session, profile_ids: Collection[int]) -> None:
    """Do so with several, in the one order in which everybody locks them. One statement."""
    session.execute(_locking(), {"ids": sorted(profile_ids)})


@cache  # building these queries took half of the time
def _locking() -> Select[int]:
    return select(Profile.id).where(Profile.id.in_(IDS)).order_by(Profile.id).with_for_update()


def post(
    session: Session,
    profile_id: int,
    kind: RewardKind,
    amount: int,
    unit: str,
    now: datetime,
    *,
    available_at: datetime | None = None,
    referral_id: int | None = None,
    conversion_id: int | None = None,
    cause_id: int | None = None,
    reverses_id: int | None = None,
    mark: int | None = None,
    note: str = "",
) -> RewardEntry:
    """Add one entry after the member's last one in that unit. The caller has locked the member's ledger.

    What is to be handed over follows before the commit: see `commits.py`.
    """
    last = session.execute(
        select(RewardEntry.number, RewardEntry.balance)
        .where(RewardEntry.profile_id == profile_id, RewardEntry.unit == unit)
        .order_by(RewardEntry.number.desc())
        .limit(1)
    ).one_or_none()
    entry = RewardEntry(
        profile_id=profile_id,
        referral_id=referral_id,
        conversion_id=conversion_id,
        cause_id=cause_id,
        reverses_id=reverses_id,
        kind=kind,
        amount=amount,
        unit=unit,
        number=last.number + 1 if last else 1,
        balance=last.balance + amount if last else amount,
        mark=mark,
        note=note,
        available_at=available_at or now,
        created=now,
    )
    session.add(entry)
    session.flush()
    note_change(session, {(profile_id, unit)}, now)
    return entry


def note_change(session: Session, changed: Collection[tuple[int, str]], now: datetime) -> None:
    """Let it be known whose entries in which unit the transaction adds to."""
    session.info.setdefault(CHANGED, {}).update(dict.fromkeys(changed, now))
    figure_changes.note(session, *{profile_id for profile_id, _ in changed})


def credit(session: Session, referral: Referral, program: Program, now: datetime) -> dict[str, int]:
    """Give both sides what the referral's program promised, and return how much each got.

    A side that gets nothing has no entry. A second credit breaks a unique constraint, and with it the transaction.
    """
    given = {}
    for side, profile_id, kind, promised in (
        ("referrer", referral.referrer_id, RewardKind.REFERRER, program.referrer_amount),
        ("friend", referral.friend_id, RewardKind.FRIEND, program.friend_amount),
    ):
        lock_profile(session, profile_id)
        amount = within_cap(session, profile_id, program, promised) if kind is RewardKind.REFERRER else promised
        if amount:
            post(
                session,
                profile_id,
                kind,
                amount,
                program.ledger_unit,
                now,
                available_at=now + timedelta(days=program.hold_days),
                referral_id=referral.id,
            )
        given[side] = amount
    return given


def credit_milestone(session: Session, referral: Referral, program: Program, count: int, now: datetime) -> None:
    """Give the bonus of a milestone that this referral reached, if the program has one there."""
    bonus = sum(milestone.get("bonus", 0) for milestone in program.milestones if milestone["at"] == count)
    amount = within_cap(session, referral.referrer_id, program, bonus)
    if amount:
        post(
            session,
            referral.referrer_id,
            RewardKind.MILESTONE,
            amount,
            program.ledger_unit,
            now,
            available_at=now + timedelta(days=program.hold_days),
            referral_id=referral.id,
            mark=count,
        )


def concerned(session: Session, referral: Referral) -> list[int]:
    """List whose ledgers a referral has entries in: its two sides, and the member its credit was moved to."""
    query = select(RewardEntry.profile_id).where(RewardEntry.referral_id == referral.id)
    return sorted({referral.referrer_id, referral.friend_id, *session.scalars(query)})


def take_back(session: Session, referral: Referral, count: int, now: datetime, note: str) -> None:
    """Write the opposite of everything a referral gave, and of milestones its referrer no longer reaches.

    `count` is the referrer's number of confirmed referrals without it. Balances may fall below zero: a debt.
    The caller has locked the ledgers concerned.
    """
    reversal = aliased(RewardEntry)
    standing = ~select(reversal.id).where(reversal.reverses_id == RewardEntry.id).exists()
    own = [RewardKind.REFERRER, RewardKind.FRIEND, RewardKind.ADJUSTMENT, RewardKind.REFUND]
    originals = session.scalars(
        select(RewardEntry)
        .where(
            standing,
            ((RewardEntry.referral_id == referral.id) & RewardEntry.kind.in_(own))
            | (
                (RewardEntry.profile_id == referral.referrer_id)
                & (RewardEntry.kind == RewardKind.MILESTONE)
                & (RewardEntry.mark > count)
            ),
        )
        .order_by(RewardEntry.id)
    ).all()
    for original in originals:
        post(
            session,
            original.profile_id,
            RewardKind.REVERSAL,
            -original.amount,
            original.unit,
            now,
            available_at=original.available_at,  # what was still on hold is taken from what is on hold
            conversion_id=original.conversion_id,
            reverses_id=original.id,
            note=note,
        )


def balance(session: Session, profile_id: int, unit: str, now: datetime) -> Balance:
    """Read what a member has in one unit. Two queries."""
    amount = session.scalar(
        select(RewardEntry.balance)
        .where(RewardEntry.profile_id == profile_id, RewardEntry.unit == unit)
        .order_by(RewardEntry.number.desc())
        .limit(1)
    )
    owed = select(func.sum(Reward.amount)).where(
        Reward.profile_id == profile_id, Reward.unit == unit, Reward.state.in_(OPEN)
    )
    waiting, due = session.execute(
        select(func.coalesce(func.sum(RewardEntry.amount), 0), func.coalesce(owed.scalar_subquery(), 0)).where(
            RewardEntry.profile_id == profile_id, RewardEntry.unit == unit, RewardEntry.available_at > now
        )
    ).one()
    return Balance(unit, amount or 0, (amount or 0) - int(waiting) - int(due), int(due))


def balances(profile_id: int, unit: str, now: datetime) -> list[Balance]:
    """Read what a member has: in the program's unit first, then in those of earlier programs. Few queries."""
    units = reading().scalars(select(RewardEntry.unit).where(RewardEntry.profile_id == profile_id).distinct()).all()
    others = sorted(set(units) - {unit})
    return [balance(reading(), profile_id, each, now) for each in (unit, *others)]


def lines(profile_id: int, after: int | None = None) -> Part[Line]:
    """Read one part of a member's ledger, newest first. One query."""
    original = aliased(RewardEntry)
    friend = aliased(Profile)
    query = (
        select(
            RewardEntry.id,
            RewardEntry.kind,
            RewardEntry.amount,
            RewardEntry.unit,
            RewardEntry.balance,
            shown_name(User),
            RewardEntry.mark,
            RewardEntry.note,
            RewardEntry.available_at,
            RewardEntry.created,
            RewardEntry.conversion_id.is_not(None),
            func.coalesce(Referral.friend_id == RewardEntry.profile_id, false()),
            Referral.id,
            Event.own_id,
        )
        .outerjoin(original, original.id == RewardEntry.reverses_id)
        .outerjoin(Referral, Referral.id == func.coalesce(RewardEntry.referral_id, original.referral_id))
        .outerjoin(friend, friend.id == Referral.friend_id)
        .outerjoin(User, User.id == friend.user_id)
        .outerjoin(Conversion, Conversion.id == RewardEntry.conversion_id)
        .outerjoin(Event, Event.id == Conversion.event_id)
        .where(RewardEntry.profile_id == profile_id)
    )
    rows = reading().execute(parts.newest(query, RewardEntry.id, after))
    return parts.part([Line(*row) for row in rows], after)


def within_cap(session: Session, profile_id: int, program: Program, amount: int) -> int:
    """Cut an amount so that what a member earned by referring stays within the program's cap."""
    if program.member_cap is None or not amount:
        return amount
    return max(0, min(amount, program.member_cap - earned(session, profile_id).get(program.ledger_unit, 0)))


def earned(session: Session, profile_id: int, *, by_events: bool = True) -> dict[str, int]:
    """Add up what a member earned by referring and still has, in each unit. One query.

    Part of a caller's transaction. Without `by_events` what conversions gave is left out.
    """
    reversal = aliased(RewardEntry)
    of_conversion = RewardEntry.conversion_id.is_not(None)
    changed = of_conversion & RewardEntry.kind.in_([RewardKind.REFUND, RewardKind.ADJUSTMENT])
    query = (
        select(RewardEntry.unit, func.sum(RewardEntry.amount))
        .outerjoin(Referral, Referral.id == RewardEntry.referral_id)
        .where(
            RewardEntry.profile_id == profile_id,
            or_(
                RewardEntry.kind.in_([RewardKind.REFERRER, RewardKind.MILESTONE]),
                changed & (Referral.friend_id != profile_id),  # as a friend they earn, too
            ),
            ~select(reversal.id).where(reversal.reverses_id == RewardEntry.id).exists(),
        )
        .group_by(RewardEntry.unit)
    )
    rows = session.execute(query if by_events else query.where(~of_conversion)).all()
    return {unit: int(number) for unit, number in rows}
