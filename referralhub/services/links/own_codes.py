"""Codes that members choose themselves: one a month, each theirs for ever, none that could be taken for another's."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import OwnCode, Profile
from referralhub.services.shared import bad_words, codes, figure_changes
from referralhub.services.shared.calendar import next_month
from referralhub.services.shared.errors import AlreadyDone, BadOwnCode, Conflict, OneOwnCodeAMonth, OwnCodeTaken
from referralhub.services.webhooks import announcing

# Words with which addresses begin that we may have one day, or that visitors would take for ours.
KEPT = Path(__file__).parent.parent.parent / "data" / "words-for-pages.txt"


@dataclass(frozen=True)
class Codes:
    """The codes by which a member's link works."""

    shown: str  # which the link shows
    former: list[str]  # the newest first, and the one that was drawn last
    free_on: date | None  # from which day another one can be chosen; None, from today


def of_member(profile_id: int, now: datetime) -> Codes:
    """Read a member's codes; `now` is in the program's time zone. One query."""
    (shown, *former), newest = _read(profile_id)
    return Codes(shown, former, next_month(newest) if newest == _month(now) else None)


def every(profile_id: int) -> list[str]:
    """Read all codes by which a member's link works: first the one that it shows, last the one that was drawn."""
    return _read(profile_id)[0]


def _read(profile_id: int) -> tuple[list[str], date | None]:
    """Read these, and the month of the newest that was chosen."""
    query = (
        select(Profile.code, OwnCode.code, OwnCode.month)
        .outerjoin(OwnCode, OwnCode.profile_id == Profile.id)
        .where(Profile.id == profile_id)
        .order_by(OwnCode.created.desc())
    )
    rows = reading().execute(query).all()
    drawn, _, newest = rows[0]
    return [*(own for _, own, _ in rows if own), drawn], newest


def is_taken(code: str) -> bool:
    """Whether somebody chose this code, who may have gone since."""
    return bool(reading().scalar(select(exists().where(OwnCode.code == code))))


def looks_taken(session: Session, code: str) -> bool:
    """Whether somebody chose a code that looks like this one; part of the caller's transaction."""
    return bool(session.scalar(select(exists().where(OwnCode.skeleton == codes.skeleton(code)))))


def choose(profile_id: int, text: str, pages: Collection[str], now: datetime) -> str:
    """Do as `take` does, in a transaction of its own, and tell of it."""
    with transaction() as session:
        code = take(session, profile_id, text, pages, now)
        announcing.member_of(session, profile_id, now)
    return code


def take(session: Session, profile_id: int, text: str, pages: Collection[str], now: datetime) -> str:
    """Let a member's link show this code from now on; all of before go on working. Returns it as it is kept.

    `pages` are the words with which addresses of ours begin; `now` is in the program's time zone, whose months count.
    Part of the caller's transaction, which is to tell of the change. Raises BadOwnCode, OwnCodeTaken, OneOwnCodeAMonth,
    Conflict for one that is the member's already, or AlreadyDone where the link shows it already.
    """
    code, month = _accepted(text, pages), _month(now)
    values = {"skeleton": codes.skeleton(code), "profile_id": profile_id, "month": month, "created": now}
    if drawn_for := _drawn_for(session, code):
        raise Conflict("own_code_yours", "code") if drawn_for == profile_id else OwnCodeTaken
    statement = insert(OwnCode).values(code=code, **values).on_conflict_do_nothing().returning(OwnCode.code)
    if session.scalar(statement) is None:
        raise _refusal(session, profile_id, code, month)
    figure_changes.note(session, profile_id)
    return code


@cache
def _kept() -> frozenset[str]:
    return frozenset(KEPT.read_text(encoding="utf-8").split())


def _month(now: datetime) -> date:
    return now.date().replace(day=1)


def _accepted(text: str, pages: Collection[str]) -> str:
    """Return a code as it is kept. Raises BadOwnCode."""
    typed = text.strip()
    foreign = next((each for each in typed if not each.isascii()), None)
    if foreign:  # before the case is changed, which makes a k of the Kelvin sign
        raise BadOwnCode("own_code_foreign", what=foreign if foreign.isprintable() else f"U+{ord(foreign):04X}")
    if not re.fullmatch(codes.SHAPE, typed):
        raise BadOwnCode("own_code_shape", least=codes.SHORTEST, most=codes.LONGEST)
    code = codes.normal(typed)
    if codes.skeleton(code) in {codes.skeleton(word) for word in (*pages, *_kept())}:
        raise BadOwnCode("own_code_reserved")
    if bad_words.is_bad(code):
        raise BadOwnCode("own_code_bad_word")
    return code


def _drawn_for(session: Session, code: str) -> int | None:
    """Find whose drawn code it is or looks like. They have no skeletons, but few of them can look like one code."""
    alike = codes.drawn_alike(code) | {code.replace("-", "")}
    return session.scalar(select(Profile.id).where(Profile.code.in_(sorted(alike))).limit(1))


def _refusal(session: Session, profile_id: int, code: str, month: date) -> Conflict:
    """Say which of the constraints did not let it in."""
    in_the_way = or_(
        OwnCode.skeleton == codes.skeleton(code), (OwnCode.profile_id == profile_id) & (OwnCode.month == month)
    )
    rows = session.scalars(select(OwnCode).where(in_the_way)).all()
    this_month = next((row for row in rows if row.profile_id == profile_id and row.month == month), None)
    alike = next((row for row in rows if row.skeleton == codes.skeleton(code)), None)
    if this_month and this_month.code == code:
        return AlreadyDone("own_code_yours", "code")
    if alike and alike.profile_id == profile_id:
        return Conflict("own_code_yours", "code")
    if this_month:
        return OneOwnCodeAMonth(free_on=next_month(month))
    return OwnCodeTaken()
