"""People for sample data: who joins when, and by whose link. Nothing here touches the database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from referralhub.models import Channel, ReferralState

DATA = Path(__file__).parent.parent.parent / "data"


def lines(file: str) -> list[str]:
    """Return the lines of a file of sample data."""
    return (DATA / file).read_text(encoding="utf-8").splitlines()


FIRST_NAMES = lines("first-names.txt")
LAST_NAMES = lines("last-names.txt")
SHARED_BY = (Channel.LINK, Channel.WHATSAPP, Channel.EMAIL, Channel.X, Channel.LINKEDIN, Channel.TELEGRAM)
HOSTS = ("example.com", "example.org", "example.net")  # reserved: no mail to them reaches anybody
UNCONFIRMED = (ReferralState.PENDING, ReferralState.EXPIRED)


@dataclass
class Newcomer:
    """One member to be; `referrer` is the position of another one earlier in the same list."""

    username: str
    joined: datetime
    referrer: int | None = None
    channel: Channel = Channel.LINK
    state: ReferralState = ReferralState.CONFIRMED  # what became of the referral; pending: nor is the address confirmed
    is_admin: bool = False
    address: str = ""  # empty: one is drawn
    visitors: int | None = None  # who followed the link before somebody signed up; none: a number is drawn
    assessment: dict[str, Any] | None = None  # by the fraud rules, as the trail keeps it
    decided_at: datetime | None = None  # when a person rejected or reversed it
    reason: str = ""  # which that person gave
    greeting: str = ""  # to friends, on the page that the link leads to

    @property
    def verified_at(self) -> datetime | None:
        """When the address was confirmed; never for one whose referral still waits for that, or expired."""
        return None if self.state in UNCONFIRMED else self._verifies_at

    @cached_property
    def _verifies_at(self) -> datetime:
        """Minutes to hours after signing up, at the same moment every time."""
        return (self.joined + timedelta(minutes=3 + sum(self.username.encode()) % 177)).replace(microsecond=0)


class Population:
    """Members in the order in which they joined; who has brought many brings more, as in real networks."""

    def __init__(self, seed: int, separator: str) -> None:
        self.random = Random(seed)  # noqa: S311 - the same people every time is the point
        # Two populations with different separators share no name, so both can be loaded.
        names = [f"{first}{separator}{last}" for first in FIRST_NAMES for last in LAST_NAMES]
        self._names = _numbered(self.random.sample(names, len(names)))
        self._urn: list[int] = []  # a member's position, once for joining and once for each friend brought
        self.members: list[Newcomer] = []

    def add(self, member: Newcomer, weight: int = 1) -> int:
        """Let one member join and return their position; `weight` is how likely they are to bring others."""
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
        if not self.members and kinds and kinds[0]:  # the very first member has nobody to be referred by
            kinds.remove(False)
            kinds.insert(0, False)
        for joined, is_referred in zip(moments, kinds, strict=True):
            referrer = self.draw_referrer() if is_referred else None
            self.add(Newcomer(next(self._names), joined, referrer, self.draw_channel()))

    def draw_referrer(self) -> int:
        """Choose who brings the next one."""
        return self.random.choice(self._urn)

    def draw_channel(self) -> Channel:
        """Choose how the next one came by the link."""
        return self.random.choice(SHARED_BY)


def _numbered(names: Sequence[str]) -> Iterator[str]:
    """Yield each name, and when all were given, each with a 2 behind it, and so on."""
    yield from names
    for number in count(2):
        yield from (f"{name}{number}" for name in names)
