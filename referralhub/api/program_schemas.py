"""What is sent and answered about the program, as the document describes it: its settings are those of the rules."""

from datetime import date
from typing import Annotated, Any, get_args, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from referralhub.api.schemas import Moment
from referralhub.models import Program
from referralhub.services.ledger.ranking import Period
from referralhub.services.program.rules import DEFAULT, LARGEST, Milestone, Tier
from referralhub.services.shared.parts import LARGEST as LARGEST_NUMBER

WHOLE = Annotated[int, Meta(ge=0, le=LARGEST)]
NARROWER = {"tiers": list[Tier], "milestones": list[Milestone], "condition": dict[str, str | int | bool]}
DESCRIPTIONS = {
    "unit": "What rewards are counted in; `money` is the smallest unit of `currency`.",
    "referrer_amount": "What whoever brought a friend gets, in `ledger_unit`.",
    "friend_amount": "What the friend gets, in `ledger_unit`.",
    "member_cap": "Most that one member earns, in `ledger_unit`.",
    "window_days": "From the visit to the signup.",
    "hold_days": "Until a reward can be spent: the time in which a sale can be refunded.",
    "destination": "Where links lead; null: to our own signup page.",
    "friend_coupon": "The coupon code by which your shop gives a friend the offer.",
    "qualifies_on": "`confirmed_address`, or the type of the events that earn.",
    "least_amount": "Of an event that earns, in the smallest unit of `currency`.",
    "condition": "Metadata that an event has which earns.",
    "referrer_share": "Of the event's amount, in basis points, in its currency.",
    "friend_share": "The same, for the friend.",
    "earning_events": "How many of a friend's events earn; null: all.",
    "earning_months": "After the friend's signup, in which they do; null: without end.",
    "referral_cap": "Most that a referrer earns by one friend.",
    "monthly_cap": "Most that a referrer earns in one month.",
    "handed_over": "Whether rewards leave the house: you hand them over.",
}
_HINTS = get_type_hints(Program)


def _type(name: str) -> Any:
    """Return the type of a setting: that of its column, or a narrower one; whole numbers are none below zero."""
    hint = NARROWER.get(name) or get_args(_HINTS[name])[0]
    hint = WHOLE if hint is int else WHOLE | None if hint == int | None else hint
    return Annotated[hint, Meta(description=DESCRIPTIONS[name])] if name in DESCRIPTIONS else hint


SETTINGS = [(name, _type(name)) for name in DEFAULT]

ProgramOut = defstruct(
    "ProgramOut",
    [("version", int), ("created", Moment), ("ledger_unit", str), *SETTINGS],
    namespace={"__doc__": "The rules in force, and in which unit the ledger has their amounts."},
    module=__name__,
)
ProgramIn = defstruct(
    "ProgramIn",
    [
        (
            "made_from",
            Annotated[
                Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)] | UnsetType,
                Meta(description="The version that you looked at: the call is refused where there is another by now."),
            ],
            UNSET,
        ),
        *((name, hint | UnsetType, UNSET) for name, hint in SETTINGS),
    ],
    namespace={"__doc__": "The settings to change; all others stay as they are."},
    module=__name__,
    forbid_unknown_fields=True,
)


class LeaderboardIn(Struct, forbid_unknown_fields=True):
    """Of which span of time."""

    period: Annotated[Period, Meta(description="All of time, or this month, or this week.")] = Period.ALL


class GrowthIn(Struct, forbid_unknown_fields=True):
    """Of which days; without them, of the last twelve whole months and the one that is going on."""

    first: Annotated[date | None, Meta(description="The first day.")] = None
    last: Annotated[date | None, Meta(description="The last day, which counts, too.")] = None


class MonthOut(Struct):
    """Signups of one calendar month in the program's time zone, and how many members there were at its end."""

    month: Annotated[str, Meta(description="Such as 2026-11.")]
    organic: int
    referred: int
    referred_per_organic: float | None
    share_referred: float | None
    members: int


class HeadlineOut(Struct):
    """A figure of this month so far, of the month before by the same day and hour, and of all of that month."""

    now: int
    by_then: int
    last_month: int


class GrowthOut(Struct):
    """How the program grows. `waiting` referrals are pending or held; `given` is credit, in `unit`."""

    members: int
    waiting: int
    joined: HeadlineOut
    confirmed: HeadlineOut
    unit: str
    given: HeadlineOut
    months: list[MonthOut]
