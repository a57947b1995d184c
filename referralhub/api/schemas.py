"""What is sent and answered, as the document describes it."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from referralhub.services.accounts.administration import SAID
from referralhub.services.program.rules import LARGEST as LARGEST_AMOUNT
from referralhub.services.shared.parts import LARGEST

PLAIN = r"^[^\x00-\x1f\x7f]*$"  # no control characters, which no database stores
SOMETHING = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"  # the same, and not blanks alone
FORM = "form"  # in the `extra` of a value: what it is to look like, where its type alone would not say it

Name = Annotated[
    str, Meta(max_length=40, pattern=PLAIN, description="Shown to others instead of a user name.", examples=["Bo"])
]
Language = Annotated[
    str,
    Meta(
        max_length=10, pattern=r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,4})?)?$", examples=["de"],
        description="In which they are written to; one that we do not speak is taken for English.",
        extra={FORM: "the tag of a language, such as de"},
    ),
]  # fmt: skip
Email = Annotated[
    str, Meta(max_length=254, pattern=PLAIN, description="Counts as confirmed.", examples=["bo@example.com"])
]
Code = Annotated[
    str,
    Meta(max_length=40, pattern=PLAIN, description="A code of their own for their link; another one once a month."),
]
Listed = Annotated[
    bool, Meta(description="Whether the leaderboard shows them, by name; it does unless somebody says otherwise.")
]
Number = Annotated[int, Meta(ge=1, le=LARGEST)]
Why = Annotated[
    str, Meta(max_length=SAID, pattern=SOMETHING, description="Why. The member reads it.", examples=["a gift"])
]
After = Annotated[Number | None, Meta(description="The `next` of the part before; without it the list begins.")]
Moment = Annotated[datetime, Meta(tz=True)]  # without it the document would not say that it is one
CreatedFrom = Annotated[Moment | None, Meta(description="Those from this moment on.")]
CreatedTo = Annotated[Moment | None, Meta(description="Those before this moment.")]


class ListIn(Struct, forbid_unknown_fields=True):
    """Which part of a list is asked for."""

    after: After = None


class MembersIn(Struct, forbid_unknown_fields=True):
    """Which of your members are asked for."""

    created_from: CreatedFrom = None
    created_to: CreatedTo = None
    active: Annotated[bool | None, Meta(description="false: those whose account is closed.")] = None
    after: After = None


class MemberIn(Struct, forbid_unknown_fields=True):
    """What you know of a member. What is left out stays as it is; an empty name or language is taken away."""

    email: Email | None = None
    name: Name | None = None
    code: Code | None = None
    language: Language | None = None
    listed: Listed | None = None
    metadata: (
        Annotated[dict[str, Any], Meta(description="Yours; given back as it came.", examples=[{"plan": "pro"}])] | None
    ) = None


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
    listed: bool
    metadata: dict[str, Any]
    active: bool
    created: Moment


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
    created: Moment
    decided_at: Moment | None


class ReferralsOut(Struct):
    """A part of a member's referrals, the newest first; `next` is the cursor of the part behind it."""

    referrals: list[ReferralOut]
    next: str | None


class EntryOut(Struct):
    """An entry of the ledger: an amount that was given or taken, the balance after it, and when it can be spent.

    `referral_id` is the referral that it is for, `event_id` which of your events earned it, also where a refund takes
    a part of that back; null where there is none.
    """

    id: int
    kind: str
    amount: int
    unit: str
    balance: int
    note: str
    available_at: Moment
    created: Moment
    referral_id: int | None = None
    event_id: str | None = None


class LedgerOut(Struct):
    """A part of a member's ledger, the newest first; `next` is the cursor of the part behind it."""

    entries: list[EntryOut]
    next: str | None


class AdjustmentIn(Struct, forbid_unknown_fields=True):
    """An amount to give a member, or to take: below zero. A balance below zero is a debt."""

    amount: Annotated[
        int,
        Meta(
            ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, description="Not 0.", examples=[50],
            extra_json_schema={"not": {"const": 0}},
        ),
    ]  # fmt: skip
    reason: Why
    unit: (
        Annotated[str, Meta(max_length=24, description="`points`, `megabytes` or a currency; else the program's.")]
        | None
    ) = None


class PerkOut(Struct):
    """Something to claim: for a `price` in `unit`, or once, from `unlocked_at` confirmed referrals on.

    `left` is how many there still are; null where there is no limit.
    """

    id: int
    name: str
    description: str
    price: int | None
    unit: str
    unlocked_at: int | None
    left: int | None


class PerksOut(Struct):
    """The perks that can be claimed, the cheapest and the easiest first."""

    perks: list[PerkOut]


class ClaimIn(Struct, forbid_unknown_fields=True):
    """What is claimed."""

    perk_id: Annotated[Number, Meta(examples=[1])]


class ClaimOut(Struct):
    """A perk that a member has; `coupon` is there at once or never, `fulfilled_at` says when it was handed over."""

    id: int
    perk_id: int
    perk: str
    coupon: str | None
    fulfilled_at: Moment | None
    created: Moment


class ClaimsOut(Struct):
    """A part of a member's claims, the newest first; `next` is the cursor of the part behind it."""

    claims: list[ClaimOut]
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


class SignInLinkOut(Struct):
    """A link that signs its member in, once, until `expires_at`."""

    url: str
    expires_at: Moment


class CodeOut(Struct):
    """Whose code it is, as that member is shown to others, and what a friend gets; null where it is nothing.

    `coupon` is the code of your shop by which a friend gets the offer there, if the program names one.
    """

    valid: bool
    referrer: str
    offer: Offer | None
    coupon: str | None
