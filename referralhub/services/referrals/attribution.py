"""Attribution: whose link a friend followed, and which of several counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session, aliased

from referralhub.database import reading
from referralhub.models import Avatar, Channel, OwnCode, Profile, Program, Touch, User
from referralhub.services.program import rules
from referralhub.services.shared import once
from referralhub.services.shared.errors import UnknownCode
from referralhub.services.shared.names import shown_name


class FollowedLink(NamedTuple):
    """A link that was followed, or a code typed in: whose, how, and when."""

    code: str
    channel: Channel
    visited_at: datetime
    invitation_id: int | None = None  # when the link came by mail
    key: str | None = None  # of a visit that was carried in a token, which counts for one account only


@dataclass(frozen=True)
class Referrer:
    """The member behind a live code, with the one that was drawn, under which everything counts."""

    profile_id: int
    name: str
    code: str
    greeting: str = ""  # to friends, in their own words
    avatar: str | None = None  # its digest


def find_by_code(code: str) -> Referrer | None:
    """Find whose live code it is, drawn or chosen; codes are the same in any case. One query."""
    row = reading().execute(_REFERRER, {"code": code.lower()}).one_or_none()
    return Referrer(*row) if row else None


_drawn, _own = aliased(Profile), aliased(OwnCode)
_REFERRER = (
    select(Profile.id, shown_name(User), Profile.code, Profile.greeting, Avatar.digest)
    .join(User, User.id == Profile.user_id)
    .outerjoin(Avatar, Avatar.profile_id == Profile.id)
    .where(
        User.is_active,
        # Each a row by its index, the second where there is no first.
        Profile.id
        == func.coalesce(
            select(_drawn.id).where(_drawn.code == bindparam("code")).scalar_subquery(),
            select(_own.profile_id).where(_own.code == bindparam("code")).scalar_subquery(),
        ),
    )
)


def choose(visits: Sequence[FollowedLink], now: datetime) -> tuple[FollowedLink, Referrer] | tuple[None, None]:
    """Choose, among followed links, oldest first, the one that counts: the program's first or last touch.

    Links that are older than the window, dead by now, or carried in a token that was used, are passed over.
    """
    if not visits:
        return None, None
    program = rules.current()
    used = once.used([_once_key(visit.key) for visit in visits if visit.key])
    # Whatever time a carried link has, the first one is the first in this browser: a token can be kept and handed on.
    for visit in sorted(visits, key=_is_carried) if program.touch is Touch.FIRST else reversed(visits):
        if visit.key and _once_key(visit.key) in used:
            continue
        referrer = _live(visit, now, program)
        if referrer is not None:
            return visit, referrer
    return None, None


def find_referrer(session: Session, link: FollowedLink, now: datetime) -> Referrer | None:
    """Find who earns the credit: nobody if the link is older than the program's window, dead by now, or used up.

    Part of the caller's transaction. Raises UnknownCode for a code that was typed in: its owner expects it to count.
    """
    referrer = _live(link, now, rules.current())
    if referrer is None and link.channel is Channel.CODE:
        raise UnknownCode
    if referrer is not None and link.key and not once.first(session, _once_key(link.key), now):
        return None
    return referrer


def _is_carried(visit: FollowedLink) -> bool:
    return visit.key is not None


def _once_key(key: str) -> str:
    return f"visit:{key}"


def _live(visit: FollowedLink, now: datetime, program: Program) -> Referrer | None:
    return find_by_code(visit.code) if now - visit.visited_at <= timedelta(days=program.window_days) else None
