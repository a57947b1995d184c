"""The catalogue: the perks that there are, what members see of each, and what admins do about its stock."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session, with_expression

from referralhub.database import insert, reading, transaction
from referralhub.models import AuditLine, Coupon, Fulfilment, Perk, Profile, Redemption, Unit, User
from referralhub.services.program.rules import MOST
from referralhub.services.shared import audit, figure_changes, once
from referralhub.services.shared.audit import OPERATOR, Actor
from referralhub.services.shared.errors import AlreadyDone, BadPerk, DomainError, NotFound
from referralhub.services.shared.names import shown_name

NEWEST = 20  # claims on a perk's own page

_FREE = select(func.count()).select_from(Coupon).where(Coupon.redemption_id.is_(None))
LEFT = case(
    (Perk.fulfilment == Fulfilment.COUPON, _FREE.where(Coupon.perk_id == Perk.id).scalar_subquery()), else_=Perk.stock
)
_CLAIMED = select(func.count()).where(Redemption.perk_id == Perk.id).scalar_subquery()
COUNTS = (with_expression(Perk.left, LEFT), with_expression(Perk.claimed, _CLAIMED))  # read along with perks


@dataclass(frozen=True)
class Offer:
    """One perk of the catalogue as one member sees it; `left` is None where there is no limit."""

    id: int
    name: str
    description: str
    price: int | None
    unit: str
    unlocked_at: int | None
    left: int | None
    claimed: bool


@dataclass(frozen=True)
class MembersClaim:
    """One claim as those see it who hand perks over; `coupon` was given at once."""

    id: int
    user_id: int
    name: str
    coupon: str | None
    fulfilled_at: datetime | None
    created: datetime


@dataclass(frozen=True)
class PerkDetail:
    """A perk with its counts, how many claims wait to be handed over, the newest claims, and what was done to it."""

    perk: Perk
    waiting: int
    claims: list[MembersClaim]
    history: list[AuditLine]


def add(
    name: str,
    description: str,
    now: datetime,
    *,
    price: int | None = None,
    unit: str = Unit.POINTS.value,
    unlocked_at: int | None = None,
    stock: int | None = None,
    coupons: list[str] | None = None,
    key: str = "",
    actor: Actor = OPERATOR,
) -> int:
    """Put a perk into the catalogue and return its id. With `coupons` these are its stock, handed out one by one.

    `key` is the form's own: sending it again adds nothing and gives the same id. Raises AlreadyDone for a perk that is
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
        put_into_pool(session, perk_id, coupons or [])
        figure_changes.note(session, figure_changes.EVERYBODY)  # dashboards name what can be claimed
        pieces = len(coupons) if coupons else stock
        audit.record(session, actor, "perk.add", "perk", perk_id, {}, {**terms, "pieces": pieces}, now)
    return perk_id


def offers(profile_id: int | None = None) -> list[Offer]:
    """List what can be claimed, the cheapest and the easiest first; without a member, who has claimed none of it.

    One query.
    """
    claimed = select(Redemption.id).where(Redemption.perk_id == Perk.id, Redemption.profile_id == profile_id).exists()
    rows = reading().execute(
        select(Perk, LEFT, claimed).where(Perk.is_active).order_by(Perk.unlocked_at, Perk.price, Perk.id)
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


def set_active(perk_id: int, active: bool, actor: Actor, now: datetime) -> bool:
    """Offer a perk, or stop offering it; returns whether that changed anything. Raises NotFound."""
    with transaction() as session:
        query = update(Perk).where(Perk.id == perk_id, Perk.is_active != active).values(is_active=active)
        if session.scalar(query.returning(Perk.id)) is None:
            _find(session, perk_id)
            return False
        figure_changes.note(session, figure_changes.EVERYBODY)
        action = "perk.activate" if active else "perk.deactivate"
        states = {"is_active": not active}, {"is_active": active}
        audit.record(session, actor, action, "perk", perk_id, *states, now)
    return True


def add_stock(perk_id: int, pieces: int, key: str, actor: Actor, now: datetime) -> bool:
    """Put more pieces of a perk in stock, once for each `key`, the form's own; returns whether this call did it.

    Raises NotFound, or BadPerk where pieces are not counted.
    """
    with transaction() as session:
        if not once.first(session, f"stock:{perk_id}:{key}", now):
            return False
        perk = _find(session, perk_id)
        if perk.fulfilment is Fulfilment.COUPON:
            raise BadPerk("stock_is_coupons", "pieces")
        if perk.stock is None:
            raise BadPerk("stock_unlimited", "pieces")
        if perk.stock + pieces > MOST:
            raise BadPerk("stock_too_large", "pieces", most=MOST)
        before, after = perk.stock, perk.stock + pieces
        perk.stock = after
        session.flush()
        figure_changes.note(session, figure_changes.EVERYBODY)
        audit.record(session, actor, "perk.add_stock", "perk", perk_id, {"stock": before}, {"stock": after}, now)
    return True


def add_coupons(perk_id: int, codes: list[str], key: str, actor: Actor, now: datetime) -> bool:
    """Put more codes into a perk's pool, all or none, once for each `key`, the form's own.

    Returns whether this call did it. Raises NotFound, or BadPerk for codes that are there already.
    """
    with transaction() as session:
        if not once.first(session, f"coupons:{perk_id}:{key}", now):
            return False
        if _find(session, perk_id).fulfilment is not Fulfilment.COUPON:
            raise BadPerk("has_no_coupons", "coupons")
        before = session.scalar(_FREE.where(Coupon.perk_id == perk_id)) or 0
        put_into_pool(session, perk_id, codes)
        figure_changes.note(session, figure_changes.EVERYBODY)
        counts = {"coupons": before}, {"coupons": before + len(codes)}
        audit.record(session, actor, "perk.add_coupons", "perk", perk_id, *counts, now)
    return True


def detail(perk_id: int) -> PerkDetail:
    """Read one perk as those see it who run the program. Three queries. Raises NotFound."""
    waiting = select(func.count()).where(Redemption.perk_id == perk_id, Redemption.fulfilled_at.is_(None))
    query = select(Perk, waiting.scalar_subquery()).where(Perk.id == perk_id).options(*COUNTS)
    found = reading().execute(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound("no_such_perk")
    rows = reading().execute(
        select(Redemption.id, User.id, shown_name(User), Coupon.code, Redemption.fulfilled_at, Redemption.created)
        .join(Profile, Profile.id == Redemption.profile_id)
        .join(User, User.id == Profile.user_id)
        .outerjoin(Coupon, Coupon.redemption_id == Redemption.id)
        .where(Redemption.perk_id == perk_id)
        .order_by(Redemption.id.desc())
        .limit(NEWEST)
    )
    newest = [MembersClaim(*row) for row in rows]
    return PerkDetail(found[0], found[1], newest, audit.about("perk", perk_id))


def put_into_pool(session: Session, perk_id: int, codes: list[str]) -> None:
    """Add codes to a perk's pool, all or none; part of the caller's transaction. Raises BadPerk."""
    if twice := [code for code, number in Counter(codes).items() if number > 1]:
        raise BadPerk("coupons_twice", "coupons", codes=twice)
    rows = [{"perk_id": perk_id, "code": code} for code in codes]
    statement = insert(Coupon).on_conflict_do_nothing(index_elements=["perk_id", "code"]).returning(Coupon.code)
    new = set(session.scalars(statement, rows)) if rows else set()
    if known := [code for code in codes if code not in new]:
        raise BadPerk("coupons_known", "coupons", codes=known)


def _find(session: Session, perk_id: int) -> Perk:
    """Read a perk as it is now; until the transaction ends nobody else changes it or claims from it."""
    perk = session.scalar(
        select(Perk).where(Perk.id == perk_id).with_for_update().execution_options(populate_existing=True)
    )
    if perk is None:
        raise NotFound("no_such_perk")
    return perk


def _added_before(session: Session, name: str) -> int:
    perk_id = session.scalar(select(Perk.id).where(Perk.name == name))
    if perk_id is None:
        raise BadPerk("form_sent_before")
    return perk_id


def _refusal(session: Session, terms: dict[str, Any], stock: int | None, coupons: set[str]) -> DomainError:
    """Return whether the perk that has this name is the one that was to be added; claims have taken from its stock."""
    perk = session.scalars(select(Perk).where(Perk.name == terms["name"])).one()
    pool = set(session.scalars(select(Coupon.code).where(Coupon.perk_id == perk.id)))
    claimed = session.scalar(select(func.count()).where(Redemption.perk_id == perk.id)) or 0
    first_stock = None if perk.stock is None else perk.stock + claimed
    same = perk.is_active and all(getattr(perk, key) == value for key, value in terms.items())
    if same and pool == coupons and (bool(coupons) or first_stock == stock):
        return AlreadyDone("perk_exists")
    return BadPerk("perk_name_taken", "name")
