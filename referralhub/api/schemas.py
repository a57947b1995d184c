"""What is sent and answered, as the document describes it."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

PLAIN = r"^[^\x00-\x1f\x7f]*$"  # no control characters, which no database stores

Name = Annotated[str, Meta(max_length=40, pattern=PLAIN, description="Shown to others instead of a user name.")]
Language = Annotated[str, Meta(max_length=10, pattern=r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,4})?)?$")]
Email = Annotated[str, Meta(max_length=254, pattern=PLAIN, description="Counts as confirmed.")]


class MemberIn(Struct, forbid_unknown_fields=True):
    """What you know of a member. What is left out stays as it is; an empty name or language is taken away."""

    email: Email | None = None
    name: Name | None = None
    language: Language | None = None
    metadata: Annotated[dict[str, Any], Meta(description="Yours; given back as it came.")] | None = None


class Money(Struct):
    """A whole number of a unit: points, megabytes, or the smallest unit of the currency with that ISO 4217 code."""

    number: int
    unit: str


class StatisticsOut(Struct):
    """A member's figures, as on the dashboard; `rewards` is the balance, in `unit`."""

    total_referrals: int
    rewards: int
    unit: str
    active_network: int
    pending: int
    visits: int
    tier: str


class MemberOut(Struct):
    """A member."""

    external_id: str
    code: str
    link: str
    email: str | None
    name: str
    language: str | None
    metadata: dict[str, Any]
    active: bool
    created: datetime


class MemberWithFiguresOut(MemberOut):
    """A member, with their figures."""

    statistics: StatisticsOut


class MembersOut(Struct):
    """A part of the list of your members, the newest first; `next` is the cursor of the part behind it."""

    members: list[MemberOut]
    next: str | None


class ReferralOut(Struct):
    """A friend whom a member brought, how far that has come, and why: `reason` stays the same, `why` is for people."""

    id: int
    friend: str
    state: str
    reason: str
    why: str
    created: datetime
    decided_at: datetime | None


class ReferralsOut(Struct):
    """A part of a member's referrals, the newest first; `next` is the cursor of the part behind it."""

    referrals: list[ReferralOut]
    next: str | None


class EntryOut(Struct):
    """An entry of the ledger: an amount that was given or taken, the balance after it, and when it can be spent."""

    id: int
    kind: str
    amount: int
    unit: str
    balance: int
    note: str
    available_at: datetime
    created: datetime


class LedgerOut(Struct):
    """A part of a member's ledger, the newest first; `next` is the cursor of the part behind it."""

    entries: list[EntryOut]
    next: str | None


class PlaceOut(Struct):
    """A place on the leaderboard: the rank from 1, and the number of confirmed referrals."""

    rank: int
    name: str
    referrals: int


class LeaderboardOut(Struct):
    """The first places of a period."""

    period: str
    places: list[PlaceOut]


class ProgramOut(Struct):
    """The rules in force; amounts are in `unit`."""

    version: int
    name: str
    unit: str
    referrer_amount: int
    friend_amount: int
    window_days: int
    hold_days: int
    tiers: list[dict[str, Any]]
    milestones: list[dict[str, Any]]


class SignInLinkOut(Struct):
    """A link that signs its member in, once, until `expires_at`."""

    url: str
    expires_at: datetime


class CodeOut(Struct):
    """Whose code it is, as that member is shown to others, and what a friend gets; null where it is nothing."""

    valid: bool
    referrer: str
    offer: Money | None
