"""The newest things that happened to a member, whatever they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, select, union_all
from sqlalchemy.orm import aliased

from referralhub.models import (
    BadgeAward,
    Perk,
    Profile,
    Redemption,
    Referral,
    ReferralState,
    RewardEntry,
    RewardKind,
    User,
)
from referralhub.services.history.lists import listed, reader
from referralhub.services.shared.names import shown_name

NEWEST = 6  # things that are told; none is older than the sixth of its own kind
ENTRIES = 3 * NEWEST  # of the ledger: what happens writes three at most
WAITING = 3  # friends who have not confirmed, of whom one may have left


class Event(StrEnum):
    """What can happen, in the order in which it does where it happens at one moment."""

    JOINED = "joined"
    EXPIRED = "expired"
    HELD = "held"
    REJECTED = "rejected"
    REVERSED = "reversed"
    CONFIRMED = "confirmed"
    FRIEND = "friend"  # the member's own credit, for having come by a friend's link
    MILESTONE = "milestone"
    ADJUSTMENT = "adjustment"
    PAYOUT = "payout"
    BADGE = "badge"
    CLAIMED = "claimed"


ORDER = {event.value: number for number, event in enumerate(Event)}


@dataclass(frozen=True)
class Happening:
    """One thing; `name` is a friend's, a perk's, a badge's, why an amount was adjusted, or how it
    was handed over.
    """

    event: Event
    moment: datetime
    name: str = ""
    amount: int = 0
    unit: str = ""
    mark: int = 0  # a milestone's


class Friend(NamedTuple):
    """One whom the member brought, with the number of the referral."""

    id: int
    name: str
    is_active: bool
    state: ReferralState
    created: datetime
    decided_at: datetime | None


def parts(profile_id: BindParameter[int]) -> dict[str, Any]:
    """Make the parts of a query, by the names under which `friends` and `happenings` read them."""
    own = RewardEntry.profile_id == profile_id
    entry = (
        RewardEntry.kind, RewardEntry.amount, RewardEntry.unit, RewardEntry.mark, RewardEntry.note,
        RewardEntry.referral_id, RewardEntry.created,
    )  # fmt: skip
    claims = (
        select(Perk.name, Redemption.created)
        .join(Perk, Perk.id == Redemption.perk_id)
        .where(Redemption.profile_id == profile_id)
        .order_by(Redemption.id.desc())
        .limit(NEWEST)
    )
    return {
        "friends": listed(_friends(profile_id)),
        "entries": listed(select(*entry).where(own).order_by(RewardEntry.id.desc()).limit(ENTRIES)),
        "awards": listed(select(BadgeAward.badge, BadgeAward.created).where(BadgeAward.profile_id == profile_id)),
        "claims": listed(claims),
    }


def _friends(profile_id: BindParameter[int]) -> Any:
    """Ask for the friends who joined last, about whom was decided last, and who have yet to confirm."""
    line = (Referral.id, Referral.friend_id, Referral.state, Referral.created, Referral.decided_at)
    own = select(*line).where(Referral.referrer_id == profile_id)
    latest = own.where(Referral.decided_at.is_not(None)).order_by(Referral.decided_at.desc(), Referral.id.desc())
    waiting = own.where(Referral.state == ReferralState.PENDING).order_by(Referral.created.desc())
    queries = (own.order_by(Referral.id.desc()).limit(NEWEST), latest.limit(NEWEST), waiting.limit(WAITING))
    lines = union_all(*(select(query.subquery()) for query in queries)).subquery().c
    friend = aliased(Profile)
    return (
        select(lines.id, shown_name(User), User.is_active, lines.state, lines.created, lines.decided_at)
        .join(friend, friend.id == lines.friend_id)
        .join(User, User.id == friend.user_id)
    )


_read_friends = reader(tuple[int, str, bool | int, ReferralState, datetime, datetime | None])
_read_entries = reader(tuple[RewardKind, int, str, int | None, str, int | None, datetime])
_read_named = reader(tuple[str, datetime])


def friends(row: Any) -> list[Friend]:
    """Read which friends were found, the one who joined last first."""
    found = {
        id_: Friend(id_, name, bool(is_active), state, in_utc(created), decided_at and in_utc(decided_at))
        for id_, name, is_active, state, created, decided_at in _read_friends(row.friends)
    }
    return sorted(found.values(), reverse=True)


def happenings(brought: Sequence[Friend], row: Any) -> list[Happening]:
    """Read what happened, the newest first."""
    found = [*_happenings(brought, row)]
    found.sort(key=lambda each: (each.moment, ORDER[each.event]), reverse=True)
    return found[:NEWEST]


def _happenings(brought: Sequence[Friend], row: Any) -> Iterator[Happening]:
    credits: dict[int | None, tuple[int, str]] = {}
    for kind, amount, unit, mark, note, referral_id, created in _read_entries(row.entries):
        if kind is RewardKind.REFERRER:
            credits[referral_id] = amount, unit  # told with the friend
        elif kind is RewardKind.ADJUSTMENT and not note:
            continue  # of what an event earned, which the ledger tells
        elif kind.value in ORDER:  # what is spent is told as what was claimed, what is taken back with the friend
            yield Happening(Event(kind.value), in_utc(created), note, amount, unit, mark or 0)
    for friend in brought[:NEWEST]:
        yield Happening(Event.JOINED, friend.created, friend.name)
    decided = sorted((each for each in brought if each.decided_at), key=lambda each: (each.decided_at, each.id))
    for friend in decided[-NEWEST:]:
        # A decision is known to the second, and is not before what it is about.
        moment = max(friend.created, friend.decided_at or friend.created)
        amount, unit = credits.get(friend.id, (0, ""))
        yield Happening(Event(friend.state.value), moment, friend.name, amount, unit)
    for badge, created in _read_named(row.awards):
        yield Happening(Event.BADGE, in_utc(created), badge)
    for name, created in _read_named(row.claims):
        yield Happening(Event.CLAIMED, in_utc(created), name)


def in_utc(moment: datetime) -> datetime:
    """Give a moment its zone, which SQLite forgets."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
