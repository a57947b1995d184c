"""What events earn: a pure function of the rules and of all that is known by now, in whichever order that came in.

Events count in the order in which they happened; of two at one moment the one with the lower number of the product's.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from referralhub.models import CONFIRMED_ADDRESS, Program, ReferralState
from referralhub.services.program.rules import REFUND, WHOLE
from referralhub.services.shared.calendar import months_after

SIGNUP = "signup"  # the type of the events that begin a referral
PURCHASE = "purchase"  # that of most which earn; a program may name any other
CLOCKS = timedelta(days=1)  # by which an event may be before the signup that it follows: products tell when they can


class Why(StrEnum):
    """Why an event earns nothing, or less than promised."""

    OTHER_TYPE = "other_type"  # the program rewards `type`
    BEFORE_SIGNUP = "before_the_signup"
    TOO_LATE = "too_late"  # later than so many `months`
    AMOUNT_MISSING = "amount_missing"
    OTHER_CURRENCY = "other_currency"  # than `currency`
    AMOUNT_TOO_SMALL = "amount_too_small"
    CONDITION_NOT_MET = "condition_not_met"
    AFTER_THE_LAST = "after_the_last"  # of so many `events`
    NOT_CONFIRMED = "referral_not_confirmed"
    REVERSED = "referral_reversed"
    CAP_REACHED = "cap_reached"
    UNKNOWN_PURCHASE = "unknown_purchase"  # a refund of what is not known (yet)
    NOTHING_LEFT = "nothing_left"  # of the purchase, to be refunded


class Happened(NamedTuple):
    """An event as far as it matters here."""

    id: int
    product: str
    own_id: str
    type: str
    customer_id: int | None
    organization_id: int | None
    amount: int | None
    currency: str | None
    refund_of: str | None
    details: Mapping[str, Any]
    occurred_at: datetime

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Its place among others, which does not depend on when it was told."""
        return self.occurred_at, self.product, self.own_id


@dataclass(frozen=True)
class Case:
    """A referral with its rules, and everything that happened in it."""

    id: int
    state: ReferralState
    visited_at: datetime
    created: datetime
    program: Program
    events: Sequence[Happened]


@dataclass
class Earning:
    """What one event earns for each side by now, net of refunds; nothing, or less than promised, where `why` says so.

    `is_conversion` is it if it is of the type that the program rewards, `qualifies` if it confirms its referral. A
    `kept` one cannot be used yet.
    """

    event: Happened
    case: Case
    is_conversion: bool = False
    qualifies: bool = False
    kept: bool = False
    refunded: int = 0  # of `paid`
    referrer: int = 0
    friend: int = 0
    why: Why | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def paid(self) -> int:
        """What can be refunded; what has no amount can be refunded as a whole."""
        return self.event.amount or 1

    def unit(self, side: str) -> str:
        """In what a side is paid: the program's unit, or for a share the currency of the sale."""
        program = self.case.program
        share = getattr(program, f"{side}_share")
        return (self.event.currency or program.currency) if share else program.ledger_unit


def fold(cases: Collection[Case], otherwise: Mapping[str, int]) -> list[Earning]:
    """Compute what each event of one referrer's referrals earns.

    `otherwise` is what the referrer earned by other things than events, in each unit; the cap for a member counts it.
    With a cap for a member or a month, all of the referrer's referrals must be there; else those that are of interest.
    """
    found = [earning for case in cases for earning in _of_referral(case)]
    _cap([each for each in found if each.is_conversion and each.referrer], otherwise)
    return found


def needed(metadata: Mapping[str, Any], condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a condition asks of an event's metadata: all that may be kept of a friend who was erased."""
    return {name: metadata[name] for name in condition if name in metadata}


def _of_referral(case: Case) -> Iterator[Earning]:
    qualifying = case.program.qualifies_on
    earnings = [
        Earning(event, case, is_conversion=event.type == qualifying != CONFIRMED_ADDRESS)  # no product confirms it
        for event in sorted(case.events, key=lambda event: event.order)
        if event.type != SIGNUP or qualifying == SIGNUP
    ]
    by_number = {(each.event.product, each.event.own_id): each for each in earnings if each.event.type != REFUND}
    for each in earnings:
        if each.event.type == REFUND:
            _refund(each, by_number)
        elif not each.is_conversion:
            each.why, each.values = Why.OTHER_TYPE, {"type": qualifying}
    number = 0
    for each in earnings:
        if each.is_conversion:
            each.why, each.values = _objection(each)
            if each.why is None:
                number += 1
                each.qualifies = True
                _pay(each, number)
    yield from earnings


def _refund(refund: Earning, by_number: Mapping[tuple[str, str], Earning]) -> None:
    """Note what it takes off which purchases: the one it names, or the newest of the customer's before it."""
    event, program = refund.event, refund.case.program
    if event.refund_of is not None:
        named = by_number.get((event.product, event.refund_of))
        purchases = [named] if named else []
    elif program.qualifies_on == CONFIRMED_ADDRESS:
        refund.why, refund.values = Why.OTHER_TYPE, {"type": CONFIRMED_ADDRESS}
        return
    else:
        before = [each for each in by_number.values() if each.event.order < event.order and _same(each.event, event)]
        purchases = sorted((each for each in before if each.is_conversion), key=lambda each: each.event.order)[::-1]
    if not purchases:
        refund.kept, refund.why = True, Why.UNKNOWN_PURCHASE
    elif not purchases[0].is_conversion:
        refund.why, refund.values = Why.OTHER_TYPE, {"type": program.qualifies_on}
    elif event.amount is not None and purchases[0].event.currency not in {event.currency, None}:
        refund.why, refund.values = Why.OTHER_CURRENCY, {"currency": purchases[0].event.currency}
    else:
        _take(refund, purchases)


def _take(refund: Earning, purchases: Sequence[Earning]) -> None:
    left = refund.event.amount
    if left is None:  # in full: what it names, else the newest
        left, purchases = purchases[0].paid, purchases[:1]
    taken = 0
    for each in purchases:
        there = each.paid - each.refunded
        part = min(left - taken, there) if each.event.amount else there  # of nothing, or of who knows how much
        each.refunded += part
        taken += part
    if not taken:
        refund.why = Why.NOTHING_LEFT


def _same(purchase: Happened, refund: Happened) -> bool:
    """Whether a refund that names no purchase can be of this one; an amount comes from none that was free."""
    person = refund.customer_id is not None and purchase.customer_id == refund.customer_id
    organization = refund.organization_id is not None and purchase.organization_id == refund.organization_id
    paid = refund.amount is None or (refund.currency == purchase.currency and bool(purchase.amount))
    return (person or organization) and paid


def _objection(each: Earning) -> tuple[Why | None, dict[str, Any]]:
    """Say which rule an event does not meet, whatever came before it."""
    event, case, program = each.event, each.case, each.case.program
    if event.occurred_at < min(case.visited_at, case.created - CLOCKS):
        return Why.BEFORE_SIGNUP, {}
    months = program.earning_months
    if months is not None and event.occurred_at >= months_after(case.created, months):
        return Why.TOO_LATE, {"months": months}
    if why := _objection_to_amount(event, program):
        return why
    met = all(_equal(event.details.get(key), value) for key, value in program.condition.items())
    return (None if met else Why.CONDITION_NOT_MET), {}


def _objection_to_amount(event: Happened, program: Program) -> tuple[Why, dict[str, Any]] | None:
    least = program.least_amount
    if event.amount is None and (least is not None or program.referrer_share or program.friend_share):
        return Why.AMOUNT_MISSING, {}
    if least is not None and event.currency != program.currency:
        return Why.OTHER_CURRENCY, {"currency": program.currency}
    if least is not None and (event.amount or 0) < least:
        return Why.AMOUNT_TOO_SMALL, {"least": least, "currency": program.currency}
    return None


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)  # to Python, True is 1


def _pay(each: Earning, number: int) -> None:
    """Note what is due for the event, which is so-many-eth of those that qualify."""
    program, state = each.case.program, each.case.state
    if program.earning_events is not None and number > program.earning_events:
        each.why, each.values = Why.AFTER_THE_LAST, {"events": program.earning_events}
    elif state is ReferralState.REVERSED:
        each.why = Why.REVERSED
    elif state is not ReferralState.CONFIRMED:
        each.why = Why.NOT_CONFIRMED
    else:
        each.referrer = _due(each, program.referrer_amount, program.referrer_share)
        each.friend = _due(each, program.friend_amount, program.friend_share)
        if (program.referrer_share or program.friend_share) and not each.refunded and not each.referrer + each.friend:
            each.why = Why.AMOUNT_TOO_SMALL  # for a share of it to be anything


def _due(each: Earning, amount: int, share: int) -> int:
    """Return the amount or share, less that of what was refunded; a part of the smallest unit is not paid."""
    left = each.paid - each.refunded
    if share:
        return share * left // WHOLE if each.event.amount else 0
    return amount * left // each.paid


def _cap(conversions: Sequence[Earning], otherwise: Mapping[str, int]) -> None:
    """Cut what the referrer gets to what the caps leave room for: the first earn, in the order of time.

    Each unit is counted by itself. What refunds took back makes room, and so does a referral that was reversed.
    """
    limits = ("referral_cap", "monthly_cap", "member_cap")
    if all(getattr(each.case.program, limit) is None for each in conversions for limit in limits):
        return
    spent: dict[tuple[Any, ...], int] = defaultdict(int) | {("member", unit): sum_ for unit, sum_ in otherwise.items()}
    for each in sorted(conversions, key=lambda each: each.event.order):
        program, unit = each.case.program, each.unit("referrer")
        at = each.event.occurred_at.astimezone(ZoneInfo(program.timezone))
        caps = {
            ("referral", unit, each.case.id): program.referral_cap,
            ("month", unit, at.year, at.month): program.monthly_cap,
            ("member", unit): program.member_cap,
        }
        for key, cap in caps.items():
            room = each.referrer if cap is None else max(0, cap - spent[key])
            if room < each.referrer:
                each.referrer, each.why, each.values = room, Why.CAP_REACHED, {"cap": cap, "unit": unit}
        for key in caps:
            spent[key] += each.referrer
