"""The shelf: what those who run the program see of each perk, and do about its stock and its claims."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session, with_expression

from referralhub.database import insert, transaction
from referralhub.extensions import db
from referralhub.models import AuditLine, Coupon, Fulfilment, Perk, Profile, Redemption, User
from referralhub.services import audit, once
from referralhub.services.audit import Actor
from referralhub.services.errors import BadPerk, NoSuchClaim, NoSuchPerk
from referralhub.services.programs import LARGEST

NEWEST = 20  # claims on a perk's own page

_FREE = select(func.count()).select_from(Coupon).where(Coupon.redemption_id.is_(None))
LEFT = case(
    (Perk.fulfilment == Fulfilment.COUPON, _FREE.where(Coupon.perk_id == Perk.id).scalar_subquery()), else_=Perk.stock
)
_CLAIMED = select(func.count()).where(Redemption.perk_id == Perk.id).scalar_subquery()
COUNTS = (with_expression(Perk.left, LEFT), with_expression(Perk.claimed, _CLAIMED))  # read along with perks


@dataclass(frozen=True)
class MembersClaim:
    """One claim as those see it who hand perks over; `coupon` was given at once."""

    id: int
    user_id: int
    username: str
    coupon: str | None
    fulfilled_at: datetime | None
    created: datetime


@dataclass(frozen=True)
class Sheet:
    """A perk with its counts, how many claims wait to be handed over, the newest claims, and what was done to it."""

    perk: Perk
    waiting: int
    claims: list[MembersClaim]
    history: list[AuditLine]


def set_active(perk_id: int, active: bool, actor: Actor, now: datetime) -> bool:
    """Offer a perk, or stop offering it; says whether that changed anything. Raises NoSuchPerk."""
    with transaction() as session:
        query = update(Perk).where(Perk.id == perk_id, Perk.is_active != active).values(is_active=active)
        if session.scalar(query.returning(Perk.id)) is None:
            _find(session, perk_id)
            return False
        action = "perk.activate" if active else "perk.deactivate"
        states = {"is_active": not active}, {"is_active": active}
        audit.record(session, actor, action, "perk", perk_id, *states, now)
    return True


def add_stock(perk_id: int, pieces: int, key: str, actor: Actor, now: datetime) -> bool:
    """Put more pieces of a perk on the shelf, once for each `key`, the form's own; says whether this call did it.

    Raises NoSuchPerk, or BadPerk where pieces are not counted.
    """
    with transaction() as session:
        if not once.first(session, f"stock:{perk_id}:{key}", now):
            return False
        perk = _find(session, perk_id)
        if perk.fulfilment is Fulfilment.COUPON:
            raise BadPerk("This perk is as many as its coupons. Add coupons instead.", "pieces")
        if perk.stock is None:
            raise BadPerk("There is no limit to this perk, so there is nothing to add.", "pieces")
        if perk.stock + pieces > LARGEST:
            raise BadPerk(f"There can be {LARGEST:,} at most.", "pieces")
        before, after = perk.stock, perk.stock + pieces
        perk.stock = after
        session.flush()
        audit.record(session, actor, "perk.add_stock", "perk", perk_id, {"stock": before}, {"stock": after}, now)
    return True


def add_coupons(perk_id: int, codes: list[str], key: str, actor: Actor, now: datetime) -> bool:
    """Put more codes into a perk's pool, all or none, once for each `key`, the form's own.

    Says whether this call did it. Raises NoSuchPerk, or BadPerk for codes that are there already.
    """
    with transaction() as session:
        if not once.first(session, f"coupons:{perk_id}:{key}", now):
            return False
        if _find(session, perk_id).fulfilment is not Fulfilment.COUPON:
            raise BadPerk("This perk is handed over by hand; it has no coupons.", "coupons")
        before = session.scalar(_FREE.where(Coupon.perk_id == perk_id)) or 0
        put_into_pool(session, perk_id, codes)
        counts = {"coupons": before}, {"coupons": before + len(codes)}
        audit.record(session, actor, "perk.add_coupons", "perk", perk_id, *counts, now)
    return True


def fulfil(claim_id: int, actor: Actor, now: datetime) -> bool:
    """Note that a claimed perk was handed over; says whether this call did it. Raises NoSuchClaim."""
    with transaction() as session:
        query = update(Redemption).where(Redemption.id == claim_id, Redemption.fulfilled_at.is_(None))
        perk_id = session.scalar(query.values(fulfilled_at=now).returning(Redemption.perk_id))
        if perk_id is None:
            if session.get(Redemption, claim_id) is None:
                raise NoSuchClaim
            return False
        states = {"handed_over": False}, {"handed_over": True, "perk": perk_id}
        audit.record(session, actor, "claim.fulfil", "claim", claim_id, *states, now)
    return True


def sheet(perk_id: int) -> Sheet:
    """Read one perk as those see it who run the program. Three queries. Raises NoSuchPerk."""
    waiting = select(func.count()).where(Redemption.perk_id == perk_id, Redemption.fulfilled_at.is_(None))
    query = select(Perk, waiting.scalar_subquery()).where(Perk.id == perk_id).options(*COUNTS)
    found = db.session.execute(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NoSuchPerk
    rows = db.session.execute(
        select(Redemption.id, User.id, User.username, Coupon.code, Redemption.fulfilled_at, Redemption.created)
        .join(Profile, Profile.id == Redemption.profile_id)
        .join(User, User.id == Profile.user_id)
        .outerjoin(Coupon, Coupon.redemption_id == Redemption.id)
        .where(Redemption.perk_id == perk_id)
        .order_by(Redemption.id.desc())
        .limit(NEWEST)
    )
    newest = [MembersClaim(*row) for row in rows]
    return Sheet(found[0], found[1], newest, audit.about("perk", perk_id))


def put_into_pool(session: Session, perk_id: int, codes: list[str]) -> None:
    """Add codes to a perk's pool, all or none; part of the caller's transaction. Raises BadPerk."""
    if twice := [code for code, number in Counter(codes).items() if number > 1]:
        raise BadPerk(_these("You typed these codes twice", twice), "coupons")
    rows = [{"perk_id": perk_id, "code": code} for code in codes]
    statement = insert(Coupon).on_conflict_do_nothing(index_elements=["perk_id", "code"]).returning(Coupon.code)
    new = set(session.scalars(statement, rows)) if rows else set()
    if known := [code for code in codes if code not in new]:
        raise BadPerk(_these("These codes are in the pool already", known), "coupons")


def _find(session: Session, perk_id: int) -> Perk:
    """Read a perk as it is now; until the transaction ends nobody else changes it or claims from it."""
    perk = session.scalar(
        select(Perk).where(Perk.id == perk_id).with_for_update().execution_options(populate_existing=True)
    )
    if perk is None:
        raise NoSuchPerk
    return perk


def _these(what: str, codes: list[str], shown: int = 5) -> str:
    more = f" and {len(codes) - shown} more" if len(codes) > shown else ""
    return f"{what}: {', '.join(codes[:shown])}{more}. Take them out; nothing was added."
