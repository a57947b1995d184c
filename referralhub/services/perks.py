"""Perks: what a member can claim, and claiming it once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referralhub.database import insert, transaction
from referralhub.extensions import db
from referralhub.models import Coupon, Fulfilment, Perk, Profile, Redemption, RewardKind, Unit
from referralhub.services import audit, once, rewards, shelf
from referralhub.services.audit import OPERATOR, Actor
from referralhub.services.errors import AlreadySo, BadPerk, CannotRedeem, DomainError
from referralhub.services.programs import format_amount


@dataclass(frozen=True)
class Offer:
    """One perk of the catalogue as one member sees it; `left` is None where there is no limit."""

    id: int
    name: str
    description: str
    price: int | None
    unit: Unit
    unlocked_at: int | None
    left: int | None
    claimed: bool


@dataclass(frozen=True)
class Claim:
    """One perk that a member has; `coupon` is there at once or never, `fulfilled_at` says when it was handed over."""

    name: str
    coupon: str | None
    fulfilled_at: datetime | None
    created: datetime


def add(
    name: str,
    description: str,
    now: datetime,
    *,
    price: int | None = None,
    unit: Unit = Unit.POINTS,
    unlocked_at: int | None = None,
    stock: int | None = None,
    coupons: list[str] | None = None,
    key: str = "",
    actor: Actor = OPERATOR,
) -> int:
    """Put a perk into the catalogue and give its id. With `coupons` these are its stock, handed out one by one.

    `key` is the form's own: sending it again adds nothing and gives the same id. Raises AlreadySo for a perk that is
    in the catalogue on these very terms, and BadPerk for one of this name on others.
    """
    terms = {"name": name, "price": price, "unit": unit, "unlocked_at": unlocked_at}
    with transaction() as session:
        if key and not once.first(session, f"perk:{key}", now):
            return _added_before(session, name)
        perk_id: int | None = session.scalar(
            insert(Perk)
            .values(
                **terms, description=description, stock=None if coupons else stock, is_active=True, created=now,
                fulfilment=Fulfilment.COUPON if coupons else Fulfilment.BY_HAND,
            )
            .on_conflict_do_nothing(index_elements=["name"])
            .returning(Perk.id)
        )  # fmt: skip
        if perk_id is None:
            raise _refusal(session, {**terms, "description": description}, stock, set(coupons or []))
        shelf.put_into_pool(session, perk_id, coupons or [])
        pieces = len(coupons) if coupons else stock
        audit.record(session, actor, "perk.add", "perk", perk_id, {}, {**terms, "pieces": pieces}, now)
    return perk_id


def catalogue(profile_id: int) -> list[Offer]:
    """List what can be claimed, the cheapest and the easiest first. One query."""
    claimed = select(Redemption.id).where(Redemption.perk_id == Perk.id, Redemption.profile_id == profile_id).exists()
    rows = db.session.execute(
        select(Perk, shelf.LEFT, claimed).where(Perk.is_active).order_by(Perk.unlocked_at, Perk.price, Perk.id)
    )
    return [
        Offer(
            perk.id,
            perk.name,
            perk.description,
            perk.price,
            perk.unit,
            perk.unlocked_at,
            left,
            has,
        )
        for perk, left, has in rows
    ]


def claims(profile_id: int) -> list[Claim]:
    """List what a member has claimed, newest first. One query."""
    rows = db.session.execute(
        select(Perk.name, Coupon.code, Redemption.fulfilled_at, Redemption.created)
        .join(Perk, Perk.id == Redemption.perk_id)
        .outerjoin(Coupon, Coupon.redemption_id == Redemption.id)
        .where(Redemption.profile_id == profile_id)
        .order_by(Redemption.id.desc())
    )
    return [Claim(*row) for row in rows]


def redeem(profile_id: int, perk_id: int, key: str, now: datetime) -> bool:
    """Claim a perk; `key` is the form's own, so that sending the form again claims nothing more.

    Says whether this call did it. Raises CannotRedeem. The member's ledger and the perk are locked in this order, so of
    many who want the last one, one gets it, and nobody spends what they do not have.
    """
    with transaction() as session:
        rewards.lock(session, profile_id)
        perk = session.scalar(
            select(Perk)
            .where(Perk.id == perk_id, Perk.is_active)
            .with_for_update()
            .execution_options(populate_existing=True)  # the stock as it is now, not as this session saw it before
        )
        if perk is None:
            raise CannotRedeem("This perk is not offered any more.")
        if perk.unlocked_at is not None:
            key = f"unlocked:{perk.id}"  # once for each member, whatever form it comes from
        done = session.scalar(select(Redemption.id).where(Redemption.profile_id == profile_id, Redemption.key == key))
        if done is not None:
            return False
        _require_reached(session, perk, profile_id, now)
        coupon = _take_from_stock(session, perk)
        entry_id = None
        if perk.price is not None:
            note = f"for {perk.name}"
            entry = rewards.post(session, profile_id, RewardKind.REDEMPTION, -perk.price, perk.unit, now, note=note)
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
    return True


def _require_reached(session: Session, perk: Perk, profile_id: int, now: datetime) -> None:
    if perk.unlocked_at is not None:
        count = session.scalar(select(Profile.referral_count).where(Profile.id == profile_id)) or 0
        if count < perk.unlocked_at:
            missing = perk.unlocked_at - count
            raise CannotRedeem(f"{missing} more confirmed referral{'' if missing == 1 else 's'} unlock this.")
        return
    available = rewards.balance(session, profile_id, perk.unit, now).available
    if perk.price is not None and available < perk.price:
        has, costs = format_amount(max(0, available), perk.unit), format_amount(perk.price, perk.unit)
        raise CannotRedeem(f"This costs {costs}, and you can spend {has} today.")


def _take_from_stock(session: Session, perk: Perk) -> Coupon | None:
    sold_out = CannotRedeem(f"{perk.name} is gone: somebody else took the last one.")
    if perk.fulfilment is Fulfilment.COUPON:
        coupon = session.scalar(
            select(Coupon)
            .where(Coupon.perk_id == perk.id, Coupon.redemption_id.is_(None))
            .order_by(Coupon.id)
            .limit(1)
            .execution_options(populate_existing=True)
        )
        if coupon is None:
            raise sold_out
        return coupon
    if perk.stock is not None:
        if perk.stock == 0:
            raise sold_out
        perk.stock -= 1
    return None


def _added_before(session: Session, name: str) -> int:
    perk_id = session.scalar(select(Perk.id).where(Perk.name == name))
    if perk_id is None:
        raise BadPerk("This form was sent before, with another name. Open the page again to add one more perk.")
    return perk_id


def _refusal(session: Session, terms: dict[str, Any], stock: int | None, coupons: set[str]) -> DomainError:
    """Say whether the perk that has this name is the one that was to be added; claims have taken from its stock."""
    perk = session.scalars(select(Perk).where(Perk.name == terms["name"])).one()
    pool = set(session.scalars(select(Coupon.code).where(Coupon.perk_id == perk.id)))
    claimed = session.scalar(select(func.count()).where(Redemption.perk_id == perk.id)) or 0
    first_stock = None if perk.stock is None else perk.stock + claimed
    same = perk.is_active and all(getattr(perk, key) == value for key, value in terms.items())
    if same and pool == coupons and (bool(coupons) or first_stock == stock):
        return AlreadySo("This perk is in the catalogue already, on these terms.")
    return BadPerk("There is a perk with this name already.", "name")
