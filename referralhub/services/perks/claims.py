"""Claims: a member takes a perk, once, and it is handed over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from referralhub.database import reading, transaction
from referralhub.models import Amount, Coupon, Fulfilment, Perk, Profile, Redemption, RewardKind
from referralhub.services.ledger import entries
from referralhub.services.shared import audit, figure_changes, parts
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import CannotRedeem, NotFound
from referralhub.services.shared.parts import Part
from referralhub.services.webhooks import announcing


@dataclass(frozen=True)
class Claim:
    """One perk that a member has; `coupon` is there at once or never, `fulfilled_at` says when it was handed over."""

    id: int
    perk_id: int
    name: str
    coupon: str | None
    fulfilled_at: datetime | None
    created: datetime


def claims_of(profile_id: int, after: int | None = None) -> Part[Claim]:
    """Read one part of what a member has claimed, newest first. One query."""
    query = _claims().where(Redemption.profile_id == profile_id)
    rows = reading().execute(parts.newest(query, Redemption.id, after))
    return parts.part([Claim(*row) for row in rows], after)


def get(claim_id: int) -> Claim:
    """Return a claim. One query. Raises NotFound."""
    row = reading().execute(_claims().where(Redemption.id == claim_id)).one_or_none()
    if row is None:
        raise NotFound("no_such_claim")
    return Claim(*row)


def latest(profile_id: int, perk_id: int) -> Claim:
    """Return the latest claim of a member to a perk that they have claimed. One query."""
    theirs = _claims().where(Redemption.profile_id == profile_id, Redemption.perk_id == perk_id)
    return Claim(*reading().execute(theirs.order_by(Redemption.id.desc()).limit(1)).one())


def redeem(profile_id: int, perk_id: int, key: str, now: datetime) -> bool:
    """Claim a perk; `key` is the form's own, so that sending the form again claims nothing more.

    Returns whether this call did it. Raises CannotRedeem. The member's ledger and the perk are locked in this order, so
    of many who want the last one, one gets it, and nobody spends what they do not have.
    """
    with transaction() as session:
        entries.lock_profile(session, profile_id)
        perk = session.scalar(
            select(Perk)
            .where(Perk.id == perk_id, Perk.is_active)
            .with_for_update()
            .execution_options(populate_existing=True)  # the stock as it is now, not as this session saw it before
        )
        if perk is None:
            raise CannotRedeem("perk_not_offered")
        if perk.unlocked_at is not None:
            key = f"unlocked:{perk.id}"  # once for each member, whatever form it comes from
        done = session.scalar(select(Redemption.id).where(Redemption.profile_id == profile_id, Redemption.key == key))
        if done is not None:
            return False
        _require_reached(session, perk, profile_id, now)
        coupon = _take_from_stock(session, perk)
        entry_id = None
        if perk.price is not None:
            entry = entries.post(
                session, profile_id, RewardKind.REDEMPTION, -perk.price, perk.unit, now, note=perk.name
            )
            entry_id = entry.id
        redemption = Redemption(
            profile_id=profile_id,
            perk_id=perk.id,
            key=key,
            entry_id=entry_id,
            fulfilled_at=now if coupon else None,
            created=now,
        )
        session.add(redemption)
        session.flush()
        if coupon:
            coupon.redemption_id = redemption.id
        figure_changes.note(session, profile_id)
        announcing.claim(session, redemption.id, now)
    return True


def _claims() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Redemption.id, Redemption.perk_id, Perk.name, Coupon.code, Redemption.fulfilled_at, Redemption.created
        )
        .join(Perk, Perk.id == Redemption.perk_id)
        .outerjoin(Coupon, Coupon.redemption_id == Redemption.id)
    )  # fmt: skip


def _require_reached(session: Session, perk: Perk, profile_id: int, now: datetime) -> None:
    if perk.unlocked_at is not None:
        count = session.scalar(select(Profile.referral_count).where(Profile.id == profile_id)) or 0
        if count < perk.unlocked_at:
            missing = perk.unlocked_at - count
            raise CannotRedeem("perk_locked", missing=missing)
        return
    available = entries.balance(session, profile_id, perk.unit, now).available
    if perk.price is not None and available < perk.price:
        price, left = Amount(perk.price, perk.unit), Amount(max(0, available), perk.unit)
        raise CannotRedeem("perk_too_dear", price=price, available=left)


def _take_from_stock(session: Session, perk: Perk) -> Coupon | None:
    sold_out = CannotRedeem("perk_sold_out", perk=perk.name)
    if perk.fulfilment is Fulfilment.COUPON:
        free = session.scalars(
            select(Coupon)
            .where(Coupon.perk_id == perk.id, Coupon.redemption_id.is_(None))
            .order_by(Coupon.id)
            .limit(2)
            .execution_options(populate_existing=True)
        ).all()
        if not free:
            raise sold_out
        _note_left(session, len(free) - 1)
        return free[0]
    if perk.stock is not None:
        if perk.stock == 0:
            raise sold_out
        perk.stock -= 1
        _note_left(session, perk.stock)
    return None


def _note_left(session: Session, pieces: int) -> None:
    """Let no dashboard suggest any more what is sold out."""
    if not pieces:
        figure_changes.note(session, figure_changes.EVERYBODY)


def fulfil(claim_id: int, actor: Actor, now: datetime) -> bool:
    """Note that a claimed perk was handed over; returns whether this call did it. Raises NotFound."""
    with transaction() as session:
        query = update(Redemption).where(Redemption.id == claim_id, Redemption.fulfilled_at.is_(None))
        perk_id = session.scalar(query.values(fulfilled_at=now).returning(Redemption.perk_id))
        if perk_id is None:
            if session.get(Redemption, claim_id) is None:
                raise NotFound("no_such_claim")
            return False
        states = {"handed_over": False}, {"handed_over": True, "perk": perk_id}
        audit.record(session, actor, "claim.fulfil", "claim", claim_id, *states, now)
    return True
