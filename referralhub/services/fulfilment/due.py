"""What is due: the ledger's credits that are to be handed over, as far as there is still something left of them.

Whenever a member's ledger changes, and when a hold ends, `refresh` brings their rewards in line with it. It reads the
ledger alone and not what led there, so that it may be called at any time and any number of times.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from referralhub.database import insert, reading, transaction
from referralhub.models import Program, Referral, Reward, RewardEntry, RewardHold, RewardKind, RewardState
from referralhub.models.base import UtcDateTime
from referralhub.services.ledger import entries, remainders
from referralhub.services.ledger.entries import OPEN
from referralhub.services.shared import figure_changes, parts
from referralhub.services.webhooks import announcing

CREDITS = (RewardKind.REFERRER, RewardKind.FRIEND, RewardKind.MILESTONE, RewardKind.ADJUSTMENT)
AT_ONCE = 200  # credits that are looked at in one query
IN_ONE_RUN = 2000  # ledgers whose hold ended; the next run has the others
PROFILE, UNIT = bindparam("profile_id", type_=Integer), bindparam("unit", type_=String)
NOW = bindparam("now", type_=UtcDateTime)
TAKEN_BACK, NO_COVER = "taken_back", "no_cover"  # why a reward was withdrawn


def refresh_changed(session: Session) -> None:
    """Refresh every ledger that this transaction added to: before its commit, and as a part of it.

    Where no program ever handed anything over that is one query, however many ledgers there are.
    """
    changed: dict[tuple[int, str], datetime] = session.info.pop(entries.CHANGED, {})
    if not changed or not session.scalar(select(exists().where(Program.handed_over))):
        return
    for (profile_id, unit), now in sorted(changed.items()):
        refresh(session, profile_id, unit, now)


def refresh_ended_holds(now: datetime) -> int:
    """Refresh the ledgers in which a hold has ended, each in its own transaction; return how many there were."""
    ended = select(RewardHold.profile_id, RewardHold.unit).where(RewardHold.until <= now)
    found = reading().execute(ended.order_by(RewardHold.until).limit(IN_ONE_RUN)).all()
    for profile_id, unit in found:
        with transaction() as session:
            refresh(session, profile_id, unit, now)
    return len(found)


def refresh(session: Session, profile_id: int, unit: str, now: datetime) -> None:
    """Bring a member's rewards in one unit in line with the ledger; part of the caller's transaction.

    A credit that is no longer on hold is due with what is left of it, at most as much as the member has beside other
    rewards that are due: a debt is paid first. Where the ledger covers less than what is due, the oldest reward is
    withdrawn, and a smaller one takes its place. What was handed over stays as it is.
    """
    entries.lock_profile(session, profile_id)
    mine = {"profile_id": profile_id, "unit": unit, "now": now}
    cover, owed, ends_at, noted = session.execute(_standing(), mine).one()
    _note_hold(session, profile_id, unit, ends_at, noted)
    open_ = select(Reward).where(Reward.profile_id == profile_id, Reward.unit == unit, Reward.state.in_(OPEN))
    open_ = open_.order_by(Reward.entry_id).execution_options(populate_existing=True)
    room = int(cover - owed)
    if owed:
        for reward in _no_longer_left(session, open_):
            room += _withdraw(session, reward, TAKEN_BACK, now)
        if room < 0:
            for reward in session.scalars(open_).all():
                room += _withdraw(session, reward, NO_COVER, now)
                if room >= 0:
                    break
    if room > 0:
        _make_due(session, profile_id, unit, room, now)


@cache  # building these took half of the time
def _standing() -> Select[*tuple[Any, ...]]:
    """Make the query for what the ledger covers, how much is due, until when the next hold lasts, and what is noted."""
    mine = (RewardEntry.profile_id == PROFILE, RewardEntry.unit == UNIT)
    on_hold = RewardEntry.available_at > NOW
    balance = select(RewardEntry.balance).where(*mine).order_by(RewardEntry.number.desc()).limit(1)
    held = select(func.sum(RewardEntry.amount)).where(*mine, on_hold)
    due = select(func.sum(Reward.amount)).where(
        Reward.profile_id == PROFILE, Reward.unit == UNIT, Reward.state.in_(OPEN)
    )
    noted = select(RewardHold.until).where(RewardHold.profile_id == PROFILE, RewardHold.unit == UNIT)
    return select(
        _or_nothing(balance) - _or_nothing(held),
        _or_nothing(due),
        select(func.min(RewardEntry.available_at)).where(*mine, on_hold).scalar_subquery(),
        noted.scalar_subquery(),
    )


def _or_nothing(query: Select[int]) -> ColumnElement[int]:
    return func.coalesce(query.scalar_subquery(), 0)


def _note_hold(session: Session, profile_id: int, unit: str, ends_at: datetime | None, noted: datetime | None) -> None:
    """Write down when this ledger is to be looked at next, for `refresh_ended_holds`."""
    if ends_at == noted:
        return
    if ends_at is None:
        mine = RewardHold.profile_id == profile_id, RewardHold.unit == unit
        session.execute(delete(RewardHold).where(*mine))
        return
    row = insert(RewardHold).values(profile_id=profile_id, unit=unit, until=ends_at)
    session.execute(row.on_conflict_do_update(index_elements=["profile_id", "unit"], set_={"until": ends_at}))


def _no_longer_left(session: Session, open_: Select[Reward]) -> Iterator[Reward]:
    """Find the open rewards that are more than what is left of their credit, or to be handed over of it."""
    taken, other = aliased(RewardEntry), aliased(Reward)
    lessens = select(taken.id).where(taken.profile_id == RewardEntry.profile_id, taken.amount < 0)
    of_conversion = lessens.where(taken.conversion_id == RewardEntry.conversion_id)
    of_referral = lessens.where(
        taken.referral_id == RewardEntry.referral_id,
        taken.conversion_id.is_(None),
        RewardEntry.conversion_id.is_(None),
    )
    paid = select(other.id).where(other.entry_id == Reward.entry_id, other.state == RewardState.FULFILLED)
    # Each looks by an index of its own; for one question with an "or" all of the member's entries would be read.
    found = (remainders.REVERSED, of_conversion.exists(), of_referral.exists(), paid.exists())
    concerned = open_.join(RewardEntry, RewardEntry.id == Reward.entry_id)
    rewards = session.scalars(concerned.where(or_(*found))).all()
    left = remainders.of(session, [each.entry_id for each in rewards])
    for reward in rewards:
        if reward.amount > left.get(reward.entry_id, 0) - _handed_over(session, reward.entry_id):
            yield reward


def _handed_over(session: Session, entry_id: int) -> int:
    """Add up what was handed over for an entry: a withdrawn reward may have been, and a smaller one after it."""
    paid = select(func.sum(Reward.amount)).where(Reward.entry_id == entry_id, Reward.state == RewardState.FULFILLED)
    return int(session.scalar(paid) or 0)


def _withdraw(session: Session, reward: Reward, reason: str, now: datetime) -> int:
    """Take a reward back that nobody has handed over yet; return how much it was."""
    reward.state, reward.reason, reward.changed = RewardState.WITHDRAWN, reason, now
    session.flush()
    figure_changes.note(session, reward.profile_id)
    announcing.reward(session, reward.id, reward.state, now)
    return reward.amount


def _make_due(session: Session, profile_id: int, unit: str, room: int, now: datetime) -> None:
    """Let credits be due as far as there is room, the newest first: older ones have paid the debts that there were."""
    mine = {"profile_id": profile_id, "unit": unit, "now": now, "before": parts.LARGEST + 1}
    while found := session.execute(_candidates(), mine).all():
        left = remainders.of(session, [credit.id for credit in found])
        for credit in found:
            amount = min(room, left.get(credit.id, 0) - int(credit.paid))
            if amount > 0:
                _add(session, credit, profile_id, amount, unit, now)
                room -= amount
            if not room:
                return
        mine["before"] = found[-1].id


@cache
def _candidates() -> Select[*tuple[Any, ...]]:
    """Make the query for credits that are to be handed over and for which nothing is due, the newest first."""
    of_entry = Reward.entry_id == RewardEntry.id
    paid = func.sum(case((Reward.state == RewardState.FULFILLED, Reward.amount), else_=0))
    paid_so_far = _or_nothing(select(paid).where(of_entry))
    number = _or_nothing(select(func.max(Reward.number)).where(of_entry))
    is_due = select(Reward.id).where(of_entry, Reward.state.in_(OPEN)).exists()
    of_referral = (
        select(Program.handed_over)
        .join(Referral, Referral.program_id == Program.id)
        .where(Referral.id == RewardEntry.referral_id)
    )
    in_force = (
        select(Program.handed_over)
        .where(Program.created <= RewardEntry.created)
        .order_by(Program.version.desc())
        .limit(1)
    )
    leaves = case(
        (RewardEntry.referral_id.is_not(None), of_referral.scalar_subquery()), else_=in_force.scalar_subquery()
    )
    query = select(RewardEntry.id, paid_so_far.label("paid"), number.label("number")).where(
        RewardEntry.profile_id == PROFILE,
        RewardEntry.unit == UNIT,
        RewardEntry.id < bindparam("before", type_=BigInteger),
        RewardEntry.kind.in_(CREDITS),
        RewardEntry.amount > paid_so_far,
        RewardEntry.available_at <= NOW,
        ~remainders.REVERSED,
        ~is_due,
        leaves,
    )
    return query.order_by(RewardEntry.id.desc()).limit(AT_ONCE)


def _add(session: Session, credit: Row[Any], profile_id: int, amount: int, unit: str, now: datetime) -> None:
    reward = Reward(
        entry_id=credit.id, number=int(credit.number) + 1, profile_id=profile_id, amount=amount, unit=unit,
        state=RewardState.DUE, changed=now, created=now,
    )  # fmt: skip
    session.add(reward)
    session.flush()
    figure_changes.note(session, profile_id)
    announcing.reward(session, reward.id, reward.state, now)
