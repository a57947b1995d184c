"""The people below a member: whom they brought, whom those brought, and so on, five generations deep.

Members read the names of their own friends. Whoever is further below has a name there only if they show themselves
(`Profile.listed`), as on the leaderboard; all others are numbers.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from redis import Redis, RedisError
from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    null,
    select,
    tuple_,
    union_all,
)
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import aliased

from referralhub.database import reading
from referralhub.models import Profile, User
from referralhub.models.base import UtcDateTime
from referralhub.services.referrals.statistics import ACTIVE_DAYS
from referralhub.services.shared.errors import NotFound
from referralhub.services.shared.names import shown_name
from referralhub.services.shared.parts import LENGTH

DEEPEST = 5  # generations
DOTS = 16  # of a generation in the picture, at most
LARGE = 10_000  # people; a network of more is counted again only when its count is old
OLD = timedelta(minutes=5)
FIRST = (Profile.referral_count.desc(), Profile.id.desc())  # as `ix_profile_friends` has whom a member brought


class Generation(msgspec.Struct, array_like=True, frozen=True):
    """How many members are so many steps below, and how many of them were seen in the last 30 days."""

    number: int
    members: int
    active: int


class Count(msgspec.Struct, array_like=True, frozen=True):
    """The generations of a network, as they were at a moment: now, or a little before where there are many people."""

    at: datetime
    generations: list[Generation]

    @property
    def total(self) -> int:
        """All members below."""
        return sum(generation.members for generation in self.generations)

    @property
    def is_large(self) -> bool:
        """Whether it is counted only once in a while."""
        return self.total > LARGE


_decoder, _encoder = msgspec.msgpack.Decoder(Count), msgspec.msgpack.Encoder()


@dataclass(frozen=True)
class Dot:
    """One member in the picture: their place in the row, and that of whoever brought them in the row above.

    Only a friend has a name there.
    """

    place: int
    parent: int
    name: str


@dataclass(frozen=True)
class Overview:
    """A network at a glance: every generation's count, and the first few dots of each."""

    count: Count
    rows: list[list[Dot]]


@dataclass(frozen=True)
class Step:
    """A member on the way from a friend down to a branch."""

    id: int
    name: str


@dataclass(frozen=True)
class Relative:
    """One line of a branch: a member, and how many they brought; None where that would be a sixth generation."""

    id: int
    name: str
    confirmed: int
    people: int | None


@dataclass(frozen=True)
class Mark:
    """The line behind which a part of a branch begins: those with more friends come first, then who joined last."""

    confirmed: int
    id: int


@dataclass(frozen=True)
class Branch:
    """Some of those whom one member brought. `path` leads there from a friend; for one's own friends it is empty.

    `unnamed` people, who do not show themselves, are counted behind the last part; `next` is where the next one begins.
    """

    path: list[Step]
    members: list[Relative]
    unnamed: int
    after: Mark | None
    next: Mark | None


def overview(redis: Redis, profile_id: int, now: datetime) -> Overview:
    """Read the generations below a member, and some of each for the picture. Two queries, however many people."""
    return Overview(_count(redis, profile_id, now), _rows(reading().execute(_DOTS, {"profile_id": profile_id}).all()))


def friends(profile_id: int, after: Mark | None = None) -> Branch:
    """Read those whom a member brought, one part of them. One query."""
    return _branch(profile_id, [], after)


def branch(profile_id: int, below_id: int, after: Mark | None = None) -> Branch:
    """Read those whom somebody in a member's network brought, one part of them. Three queries at most.

    Raises NotFound unless that is a friend, or can be reached from one over people who show themselves, and is no
    deeper than that those whom they brought are in the network.
    """
    return _branch(below_id, _path(profile_id, below_id), after)


def _count(redis: Redis, profile_id: int, now: datetime) -> Count:
    key = f"network:{profile_id}"
    with suppress(RedisError, msgspec.DecodeError):
        if (kept := cast(bytes | None, redis.get(key))) and (found := _decoder.decode(kept)).at > now - OLD:
            return found
    rows = reading().execute(_GENERATIONS, {"profile_id": profile_id, "since": now - timedelta(days=ACTIVE_DAYS)})
    count = Count(now, [Generation(*row) for row in rows])
    if count.is_large:
        with suppress(RedisError):
            redis.set(key, _encoder.encode(count), ex=OLD)
    return count


def _generations() -> Select[int, int, int]:
    """Make the query for the generations below `profile_id`: members, and those of them who were seen `since` then."""
    # It begins with the member, who is one: for the many friends of some, PostgreSQL would plan to read everybody.
    tree = (
        select(Profile.id, Profile.user_id, literal(0).label("number"))
        .where(Profile.id == bindparam("profile_id", type_=Integer))
        .cte("tree", recursive=True)
    )
    tree = tree.union_all(
        select(Profile.id, Profile.user_id, tree.c.number + 1)
        .join(tree, Profile.referred_by_id == tree.c.id)
        .where(tree.c.number < DEEPEST)
    )
    # Looked up for each: a join is planned for as many members as there might be, and reads all accounts for them.
    last_seen = select(User.last_seen_at).where(User.id == tree.c.user_id).scalar_subquery()
    seen = case((last_seen >= bindparam("since", type_=UtcDateTime), 1), else_=0)
    return (
        select(tree.c.number, func.count(), func.sum(seen))
        .where(tree.c.number > 0)
        .group_by(tree.c.number)
        .order_by(tree.c.number)
    )


def _dots() -> Select[Any]:
    """Make the query for the first dots of each generation below `profile_id`: some of each above them, in turns."""
    nobody = cast_to(null(), Integer).label("parent")
    row = (
        select(Profile.id, nobody, Profile.user_id, func.row_number().over(order_by=FIRST).label("place"))
        .where(Profile.referred_by_id == bindparam("profile_id", type_=Integer))
        .order_by(*FIRST)
        .limit(DOTS)
        .cte("row1")
    )
    rows = [row]
    for number in range(2, DEEPEST + 1):
        turn = func.row_number().over(partition_by=Profile.referred_by_id, order_by=FIRST).label("turn")
        in_turns = (
            select(Profile.id, Profile.referred_by_id.label("parent"), Profile.user_id, turn, row.c.place)
            .join(row, Profile.referred_by_id == row.c.id)
            .order_by(turn, row.c.place)
            .limit(DOTS)
            .subquery()
        )
        beside = func.row_number().over(order_by=(in_turns.c.place, in_turns.c.turn)).label("place")
        row = select(in_turns.c.id, in_turns.c.parent, in_turns.c.user_id, beside).cte(f"row{number}")
        rows.append(row)
    dots = union_all(
        *(
            select(each.c.id, each.c.parent, each.c.place, each.c.user_id, literal(number).label("number"))
            for number, each in enumerate(rows, 1)
        )
    ).subquery()
    name = select(shown_name(User)).where(User.id == dots.c.user_id, dots.c.number == 1).scalar_subquery()
    return select(dots.c.id, dots.c.parent, dots.c.number, name.label("name")).order_by(dots.c.number, dots.c.place)


def _rows(found: Sequence[Row[Any]]) -> list[list[Dot]]:
    rows: list[list[Dot]] = []
    places: dict[int | None, int] = {None: 0}
    for dot in found:
        if dot.number > len(rows):
            rows.append([])
        places[dot.id] = len(rows[-1])
        rows[-1].append(Dot(places[dot.id], places[dot.parent], dot.name or ""))
    return rows


def _path(profile_id: int, below_id: int) -> list[Step]:
    """Go up from a member of the network, at most to its top, and return the way down. One query. Raises NotFound."""
    up = (
        select(Profile.id, Profile.user_id, Profile.listed, Profile.referred_by_id, literal(1).label("steps"))
        .where(Profile.id == below_id)
        .cte("up", recursive=True)
    )
    up = up.union_all(
        select(Profile.id, Profile.user_id, Profile.listed, Profile.referred_by_id, up.c.steps + 1)
        .join(up, Profile.id == up.c.referred_by_id)
        .where(up.c.referred_by_id != profile_id, up.c.steps < DEEPEST - 1)
    )
    path = (
        reading()
        .execute(
            select(up.c.id, up.c.referred_by_id, shown_name(User).label("name"), up.c.listed, User.is_active)
            .join(User, User.id == up.c.user_id)
            .order_by(up.c.steps.desc())
        )
        .all()
    )
    # A friend is named whatever they chose; where somebody on the way is not, there is no way.
    if not path or path[0].referred_by_id != profile_id or not all(each.listed and each.is_active for each in path[1:]):
        raise NotFound
    return [Step(each.id, each.name) for each in path]


def _branch(of_id: int, path: list[Step], after: Mark | None) -> Branch:
    found = reading().execute(_members(of_id, deep=len(path), after=after)).all()
    members = [Relative(each.id, each.name, each.referral_count, each.people) for each in found[:LENGTH]]
    last = members[-1] if len(found) > LENGTH else None
    unnamed = reading().execute(_unnamed(of_id)).scalar_one() if path and not last else 0
    return Branch(path, members, unnamed, after, Mark(last.confirmed, last.id) if last else None)


def _members(of_id: int, deep: int, after: Mark | None) -> Select[Any]:
    """Make the query for one part of those whom a member brought, who is so deep in the network, and for one more."""
    query = (
        select(Profile.id, Profile.user_id, Profile.referral_count)
        .where(Profile.referred_by_id == of_id)
        .order_by(*FIRST)
        .limit(LENGTH + 1)
    )
    if deep:
        query = query.where(_shows_themselves())
    if after:
        query = query.where(tuple_(Profile.referral_count, Profile.id) < tuple_(after.confirmed, after.id))
    part, child = query.subquery(), aliased(Profile)
    brought = select(func.count()).where(child.referred_by_id == part.c.id).scalar_subquery()
    return (
        select(
            part.c.id,
            shown_name(User).label("name"),
            part.c.referral_count,
            (brought if deep + 1 < DEEPEST else null()).label("people"),
        )
        .join(User, User.id == part.c.user_id)
        .order_by(part.c.referral_count.desc(), part.c.id.desc())
    )


def _unnamed(of_id: int) -> Select[int]:
    return select(func.count()).where(Profile.referred_by_id == of_id, ~_shows_themselves())


def _shows_themselves() -> ColumnElement[bool]:
    """Whether somebody may be named to people who did not bring them; the leaderboard names the same ones."""
    # Looked up for each: a join would go through all accounts for some members.
    return and_(Profile.listed, select(User.is_active).where(User.id == Profile.user_id).scalar_subquery())


_GENERATIONS, _DOTS = _generations(), _dots()  # built once: building them took longer than carrying them out
