"""Believable members for a demo and for the founding article's three months. The same ones at every call."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from referralhub.config import DEMO_ADMIN, DEMO_MEMBER, DEMO_PASSWORD
from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import (
    Channel,
    Profile,
    Program,
    Referral,
    ReferralEvent,
    ReferralState,
    RewardEntry,
    RewardKind,
    User,
    VisitDaily,
)
from referralhub.services import accounts, passwords, programs, recount

DATA = Path(__file__).parent.parent / "data"


def _names(file: str) -> list[str]:
    return (DATA / file).read_text().split()


FIRST_NAMES = _names("first-names.txt")
LAST_NAMES = _names("last-names.txt")
SHARED_BY = (Channel.LINK, Channel.WHATSAPP, Channel.EMAIL, Channel.X, Channel.LINKEDIN, Channel.TELEGRAM)

# The founding article's growth table: organic and referred signups of its first three months.
ARTICLE = ((date(2026, 1, 1), 127, 43), (date(2026, 2, 1), 298, 187), (date(2026, 3, 1), 401, 573))
ARTICLE_END = date(2026, 4, 1)

BATCH = 200


@dataclass(frozen=True)
class Newcomer:
    """One member to be; `referrer` is the position of another one earlier in the same list."""

    username: str
    joined: datetime
    referrer: int | None = None
    channel: Channel = Channel.LINK
    confirmed: bool = True
    is_admin: bool = False


class Crowd:
    """Members in the order in which they joined; who has brought many brings more, as in real networks."""

    def __init__(self, seed: int, separator: str) -> None:
        self.random = Random(seed)  # noqa: S311 - the same people every time is the point
        # Two crowds with different separators share no name, so both can be loaded.
        names = [f"{first}{separator}{last}" for first in FIRST_NAMES for last in LAST_NAMES]
        self._names = iter(self.random.sample(names, len(names)))
        self._urn: list[int] = []  # a member's position, once for joining and once for each friend brought
        self.members: list[Newcomer] = []

    def add(self, member: Newcomer, weight: int = 1) -> int:
        """Let one member join and give their position; `weight` is how likely they are to bring others."""
        position = len(self.members)
        self.members.append(member)
        self._urn.extend([position] * weight)
        if member.referrer is not None:
            self._urn.append(member.referrer)
        return position

    def grow(self, organic: int, referred: int, start: datetime, end: datetime) -> None:
        """Let this many join at moments spread over the span."""
        span = (end - start).total_seconds()
        moments = sorted(start + timedelta(seconds=self.random.uniform(0, span)) for _ in range(organic + referred))
        kinds = [True] * referred + [False] * organic
        self.random.shuffle(kinds)
        if not self.members and kinds[0]:  # the very first member has nobody to be referred by
            kinds.remove(False)
            kinds.insert(0, False)
        for joined, is_referred in zip(moments, kinds, strict=True):
            referrer = self.random.choice(self._urn) if is_referred else None
            self.add(Newcomer(next(self._names), joined, referrer, self.random.choice(SHARED_BY)))


def article() -> list[Newcomer]:
    """Make the 1,629 members of the founding article's three months."""
    crowd = Crowd(seed=1629, separator=".")
    ends = [start for start, _, _ in ARTICLE[1:]] + [ARTICLE_END]
    for (start, organic, referred), end in zip(ARTICLE, ends, strict=True):
        crowd.grow(organic, referred, _midnight(start), _midnight(end))
    return crowd.members


def demo(now: datetime) -> list[Newcomer]:
    """Make a small program that has run for two months, with one member worth looking at."""
    crowd = Crowd(seed=7, separator="_")
    start = now - timedelta(days=60)
    crowd.add(Newcomer(DEMO_ADMIN, start, is_admin=True), weight=0)
    crowd.grow(5, 0, start, start + timedelta(days=3))
    mira = crowd.add(Newcomer(DEMO_MEMBER, start + timedelta(days=4)), weight=8)
    crowd.grow(14, 30, start + timedelta(days=4), now - timedelta(days=3))
    for name, hours in (("tom", 50), ("bo", 21), ("lina", 2)):
        crowd.add(Newcomer(name, now - timedelta(hours=hours), mira, Channel.WHATSAPP, confirmed=False))
    return crowd.members


def load_demo(now: datetime, progress: Callable[[int], None]) -> bool:
    """Write the demo's members, who can sign in, and switch on what there is to try. Says False when it was done."""
    loaded = load(demo(now), DEMO_PASSWORD, progress)
    if loaded:
        programs.change({"email_invitations": True}, now)
    return loaded


def load(newcomers: Sequence[Newcomer], password: str | None, progress: Callable[[int], None]) -> bool:
    """Write the members with their referrals, ledger and visits, all or nothing.

    Nobody can sign in without a `password`. `progress` is told how many more are done.
    Says False, and writes nothing, when the first of them is here already.
    """
    if db.session.scalar(select(User.id).where(User.username == newcomers[0].username)):
        return False
    password_hash = passwords.hash_password(password) if password else passwords.UNUSABLE
    random = Random(len(newcomers))  # noqa: S311 - the same numbers every time
    with transaction() as session:
        program = programs.current()
        profile_ids: list[int] = []
        for first in range(0, len(newcomers), BATCH):
            batch = newcomers[first : first + BATCH]
            user_ids = _insert_users(session, batch, password_hash, random)
            rows = [
                {
                    "user_id": user_id,
                    "code": accounts.new_code(),
                    "referral_count": 0,
                    "listed": True,
                    "created": member.joined,
                    "updated": member.joined,
                }
                for user_id, member in zip(user_ids, batch, strict=True)
            ]
            # One by one in order: a referrer of this very batch must have its id before its friend has.
            for row, member in zip(rows, batch, strict=True):
                referrer_id = None if member.referrer is None else profile_ids[member.referrer]
                statement = insert(Profile).values(**row, referred_by_id=referrer_id).returning(Profile.id)
                profile_ids.append(session.scalars(statement).one())
            _insert_referrals(session, newcomers, profile_ids, first, program, random)
            progress(len(batch))
        _insert_ledger(session, program, profile_ids[0])
        recount.refresh_caches(session, newcomers[-1].joined)
    return True


def _insert_users(session: Session, batch: Sequence[Newcomer], password_hash: str, random: Random) -> Sequence[int]:
    hosts = ("example.com", "example.org", "example.net")
    rows = [
        {
            "username": member.username,
            "display_name": "",
            "email": f"{member.username}@{random.choice(hosts)}",
            "password_hash": password_hash,
            "is_admin": member.is_admin,
            "is_active": True,
            "verified_at": _confirmed_at(member) if member.confirmed else None,
            "last_seen_at": member.joined + timedelta(days=random.expovariate(1 / 20)),
            "created": member.joined,
        }
        for member in batch
    ]
    return session.scalars(insert(User).returning(User.id, sort_by_parameter_order=True), rows).all()


def _insert_referrals(
    session: Session,
    newcomers: Sequence[Newcomer],
    profile_ids: Sequence[int],
    first: int,
    program: Program,
    random: Random,
) -> None:
    referrals, visits = [], Counter[tuple[int, date, Channel]]()
    for position in range(first, len(profile_ids)):
        member = newcomers[position]
        if member.referrer is None:
            continue
        earliest = newcomers[member.referrer].joined
        visited = max(earliest, member.joined - timedelta(hours=random.expovariate(1 / 6)))
        visits[profile_ids[member.referrer], visited.date(), member.channel] += random.randint(1, 4)
        referrals.append(
            {
                "referrer_id": profile_ids[member.referrer],
                "friend_id": profile_ids[position],
                "program_id": program.id,
                "state": ReferralState.CONFIRMED if member.confirmed else ReferralState.PENDING,
                "channel": member.channel,
                "visited_at": visited,
                "created": member.joined,
                "decided_at": _confirmed_at(member) if member.confirmed else None,
            }
        )
    if not referrals:
        return
    ids = session.scalars(insert(Referral).returning(Referral.id, sort_by_parameter_order=True), referrals).all()
    events: list[dict[str, Any]] = []
    given = {"referrer": program.referrer_amount, "friend": program.friend_amount}
    for referral_id, row in zip(ids, referrals, strict=True):
        step = {"referral_id": referral_id, "evidence": {}}
        pending, confirmed = ReferralState.PENDING, ReferralState.CONFIRMED
        events.append(
            {
                **step,
                "from_state": None,
                "to_state": pending,
                "reason": "signed up",
                "created": row["created"],
            }
        )
        if row["decided_at"] is None:
            continue
        at = row["decided_at"]
        events.append(
            {
                "referral_id": referral_id,
                "evidence": {"given": given},
                "from_state": pending,
                "to_state": confirmed,
                "reason": "address verified",
                "created": at,
            }
        )
    session.execute(insert(ReferralEvent), events)
    _add_visits(session, visits)


def _insert_ledger(session: Session, program: Program, first_id: int) -> None:
    """Credit the confirmed referrals among the new members, in the order in which they were confirmed."""
    uncredited = (
        select(Referral)
        .where(Referral.state == ReferralState.CONFIRMED, Referral.program_id == program.id)
        .where(Referral.friend_id >= first_id)
        .order_by(Referral.decided_at, Referral.id)
    )
    numbers, balances = Counter[int](), Counter[int]()
    entries: list[dict[str, Any]] = []
    for referral in session.scalars(uncredited):
        for profile_id, kind, amount in (
            (referral.referrer_id, RewardKind.REFERRER, program.referrer_amount),
            (referral.friend_id, RewardKind.FRIEND, program.friend_amount),
        ):
            if not amount or referral.decided_at is None:
                continue
            numbers[profile_id] += 1
            balances[profile_id] += amount
            entries.append(
                {
                    "profile_id": profile_id,
                    "referral_id": referral.id,
                    "kind": kind,
                    "amount": amount,
                    "unit": program.unit,
                    "balance": balances[profile_id],
                    "number": numbers[profile_id],
                    "note": "",
                    "available_at": referral.decided_at + timedelta(days=program.hold_days),
                    "created": referral.decided_at,
                }
            )
    if entries:
        session.execute(insert(RewardEntry), entries)


def _add_visits(session: Session, visits: Counter[tuple[int, date, Channel]]) -> None:
    for (profile_id, day, channel), number in visits.items():
        row = session.get(VisitDaily, (profile_id, day, channel))
        if row is None:
            row = VisitDaily(profile_id=profile_id, day=day, channel=channel, visits=0, visitors=0, bots=0)
            session.add(row)
        row.visits += number
        row.visitors += number
    session.flush()


def _confirmed_at(member: Newcomer) -> datetime:
    # Between three minutes and three hours after signing up, the same for the same member every time.
    return (member.joined + timedelta(minutes=3 + sum(member.username.encode()) % 177)).replace(microsecond=0)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
