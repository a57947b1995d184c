"""What is sent and answered, as the document describes it."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from referralhub.problems import FieldProblem

PLAIN = r"^[^\x00-\x1f\x7f]*$"  # no control characters, which no database stores

Name = Annotated[str, Meta(max_length=40, pattern=PLAIN, description="Shown to others instead of a user name.")]
Language = Annotated[str, Meta(max_length=10, pattern=r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,4})?)?$")]
OWN_CODE = "A code of their own for their link; another one once a month."
Code = Annotated[str, Meta(max_length=40, pattern=PLAIN, description=OWN_CODE)]
Email = Annotated[str, Meta(max_length=254, pattern=PLAIN, description="Counts as confirmed.")]


class MemberIn(Struct, forbid_unknown_fields=True):
    """What you know of a member. What is left out stays as it is; an empty name or language is taken away."""

    email: Email | None = None
    name: Name | None = None
    code: Code | None = None
    language: Language | None = None
    metadata: Annotated[dict[str, Any], Meta(description="Yours; given back as it came.")] | None = None


class Money(Struct):
    """A whole number of a unit: points, megabytes, or the smallest unit of the currency with that ISO 4217 code."""

    number: int
    unit: str


class Offer(Struct, omit_defaults=True):
    """What a friend gets: a `number` of a `unit`, or a `share`.

    The unit is points, megabytes, or the ISO 4217 code of a currency, whose smallest unit the number counts. A share is
    of what the friend pays, in basis points: 1250 is 12.5 %.
    """

    number: int | None = None
    unit: str | None = None
    share: int | None = None


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
    """Whose code it is, as that member is shown to others, and what a friend gets; null where it is nothing.

    `coupon` is the code of your shop by which a friend gets the offer there, if the program names one.
    """

    valid: bool
    referrer: str
    offer: Offer | None
    coupon: str | None


Number = Annotated[str, Meta(min_length=1, max_length=255, pattern=PLAIN)]


class CustomerIn(Struct, forbid_unknown_fields=True):
    """Whom an event is about, by your own numbers: a person, an organization, or both.

    The rest matters to a signup. `ip` and `user_agent` are those of your customer's browser; with them the fraud rules
    see who signs up where the referrer is. They are hashed at once, and without them nothing is held against anybody.
    """

    external_id: Number | None = None
    organization_id: Number | None = None
    email: Email | None = None
    name: Annotated[str, Meta(max_length=200, pattern=PLAIN)] | None = None
    ip: Annotated[str, Meta(max_length=64)] | None = None
    user_agent: Annotated[str, Meta(max_length=2000)] | None = None


class TrackedIn(Struct, forbid_unknown_fields=True, kw_only=True):
    """Something that a customer did. `id` is your own number of it, by which it is known when you send it again."""

    id: Number
    customer: CustomerIn
    click: (
        Annotated[str, Meta(max_length=1000, description="The `rh` of the address that the friend came to.")] | None
    ) = None
    code: Annotated[str, Meta(max_length=100, description="A member's code that the friend typed in.")] | None = None
    amount: Annotated[int, Meta(ge=0, le=10**12, description="In the smallest unit of the currency.")] | None = None
    currency: Annotated[str, Meta(pattern="^[A-Za-z]{3}$", description="ISO 4217.")] | None = None
    occurred_at: Annotated[datetime, Meta(tz=True, description="Now, if it is left out.")] | None = None
    refund_of: Annotated[Number, Meta(description="The `id` of the purchase, of a refund.")] | None = None
    metadata: Annotated[dict[str, Any], Meta(description="Yours; the program's condition can ask for it.")] = {}
    type: Annotated[str, Meta(max_length=40, description="Not needed here: the address says it.")] | None = None


class EventIn(TrackedIn, kw_only=True):
    """Something that a customer did. `id` is your own number of it, by which it is known when you send it again."""

    type: Annotated[str, Meta(pattern="^[a-z][a-z0-9_.]{0,39}$", description="signup, purchase, refund, or your own.")]


class EventResultOut(Struct, omit_defaults=True):
    """What became of an event: accepted, kept until it can be used, refused, or a duplicate of one sent before."""

    id: str
    status: str
    reason: str | None = None
    errors: list[FieldProblem] = []


class EventResultsOut(Struct):
    """What became of each event, in the order in which they were sent."""

    results: list[EventResultOut]


class EventOut(Struct):
    """An event that you told of: what became of it, and what it earns by now, net of refunds."""

    id: str
    type: str
    state: str
    reason: str | None
    why: str
    external_id: str | None
    organization_id: str | None
    referral: int | None
    amount: int | None
    currency: str | None
    refund_of: str | None
    refunded: int | None
    referrer_earns: Money | None
    friend_earns: Money | None
    metadata: dict[str, Any]
    occurred_at: datetime
    created: datetime


class EventsOut(Struct):
    """A part of the list of your events, the newest first; `next` is the cursor of the part behind it."""

    events: list[EventOut]
    next: str | None
