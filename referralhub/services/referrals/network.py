"""The people below a member: whom they brought, whom those brought, and so on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, literal, select

from referralhub.database import reading
from referralhub.models import Profile, User
from referralhub.services.referrals.statistics import ACTIVE_DAYS
from referralhub.services.shared.names import shown_name

DEEPEST = 10  # generations that are counted
MOST = 50  # friends that are named


@dataclass(frozen=True)
class Generation:
    """How many members are so many steps below, and how many of them were seen in the last 30 days."""

    number: int
    members: int
    active: int


@dataclass(frozen=True)
class Branch:
    """A friend, and how many that friend has brought."""

    name: str
    referrals: int


@dataclass(frozen=True)
class Network:
    """What the network page shows."""

    generations: list[Generation]
    branches: list[Branch]

    @property
    def total(self) -> int:
        """All members below."""
        return sum(generation.members for generation in self.generations)


def below(profile_id: int, now: datetime) -> Network:
    """Read a member's network, ten generations deep. Two queries."""
    tree = (
        select(Profile.id, Profile.user_id, literal(1).label("number"))
        .where(Profile.referred_by_id == profile_id)
        .cte("tree", recursive=True)
    )
    tree = tree.union_all(
        select(Profile.id, Profile.user_id, tree.c.number + 1)
        .join(tree, Profile.referred_by_id == tree.c.id)
        .where(tree.c.number < DEEPEST)
    )
    # Looked up for each: a join is planned for as many members as there might be, and reads all accounts for them.
    last_seen = select(User.last_seen_at).where(User.id == tree.c.user_id).scalar_subquery()
    seen = case((last_seen >= now - timedelta(days=ACTIVE_DAYS), 1), else_=0)
    generations = reading().execute(
        select(tree.c.number, func.count(), func.sum(seen)).group_by(tree.c.number).order_by(tree.c.number)
    )
    branches = reading().execute(
        select(shown_name(User), Profile.referral_count)
        .join(User, User.id == Profile.user_id)
        .where(Profile.referred_by_id == profile_id)
        .order_by(Profile.referral_count.desc(), Profile.id)
        .limit(MOST)
    )
    return Network([Generation(*row) for row in generations], [Branch(*row) for row in branches])
