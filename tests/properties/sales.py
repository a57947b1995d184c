"""What the events of a product earn, in plain Python: computed anew from all that was told, each time it is asked."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Key = tuple[str, str]  # the product, and its number of the event


@dataclass
class Happening:
    """An event as it was told, and what is known of it since."""

    product: str
    id: str
    type: str
    person: str | None
    organization: str | None
    amount: int | None
    currency: str | None
    refund_of: str | None
    details: dict[str, Any]
    at: datetime
    row: int
    by_nobody: bool = False  # a signup without a link or a code
    referral: int | None = None
    state: str = "accepted"
    signup: Any = None  # what it takes to try it again, while it is kept
    forgotten: bool = False  # what was told beside it went with the member

    @property
    def key(self) -> Key:
        return self.product, self.id

    @property
    def order(self) -> tuple[datetime, str, str]:
        return self.at, self.product, self.id


@dataclass
class Sale:
    """An event of the type that is rewarded, and what it earns by now for each side."""

    event: Happening
    referral: Any
    refunded: int = 0
    referrer: int = 0
    friend: int = 0

    @property
    def available(self) -> datetime:
        return self.event.at + timedelta(days=self.referral.rules["hold_days"])

    def unit(self, side: str) -> str:
        rules = self.referral.rules
        if rules[f"{side}_share"]:
            return str(self.event.currency or rules["currency"])
        return str(rules["currency"] if rules["unit"] == "money" else rules["unit"])

    def parts(self) -> Iterator[tuple[int, str, int]]:
        """Give who has what of it: member, unit, amount."""
        yield self.referral.earner, self.unit("referrer"), self.referrer
        yield self.referral.friend, self.unit("friend"), self.friend


@dataclass
class Sales:
    """Everything that was told of customers. `program` is the model of the rest."""

    program: Any
    events: dict[Key, Happening] = field(default_factory=dict)
    customers: dict[tuple[str, str], int] = field(default_factory=dict)  # person or organization → referral
    clicks: set[str] = field(default_factory=set)  # that have led to an account
    payouts: list[tuple[int, str, int]] = field(default_factory=list)
    due: Counter[tuple[int, str]] = field(default_factory=Counter)  # open rewards, as the program has them
    _kept: tuple[object, list[Sale]] = (None, [])

    def told_of(self, member: Any) -> list[Happening]:
        """Find what is known of a friend, and is to be forgotten with them."""
        events = [event for event in self.events.values() if not event.forgotten]
        mine = {referral.id for referral in self.program.referrals.values() if referral.friend == member.id}
        early = (event for event in events if event.referral is None and member.number == event.person is not None)
        return [*(event for event in events if event.referral in mine), *early]

    def has(self, profile: int, unit: str, now: datetime | None = None) -> int:
        """Add up what somebody has by sales, less what was handed over; with `now`, what is no longer on hold."""
        sales = [sale for sale in self.all() if now is None or sale.available <= now]
        earned = sum(amount for sale in sales for who, what, amount in sale.parts() if (who, what) == (profile, unit))
        return earned - sum(amount for who, what, amount in self.payouts if (who, what) == (profile, unit))

    def brought(self, profile: int, unit: str) -> int:
        """Add up what somebody has as a referrer."""
        mine = (sale for sale in self.all() if sale.referral.earner == profile and sale.unit("referrer") == unit)
        return sum(sale.referrer for sale in mine)

    def by_confirming(self, referral: Any) -> tuple[int, str] | None:
        """Give the largest sum in one unit that a referral has brought its referrer."""
        sums: Counter[str] = Counter()
        for sale in self.all():
            if sale.referral is referral and sale.referrer:
                sums[sale.unit("referrer")] += sale.referrer
        return max(((amount, unit) for unit, amount in sums.items()), default=None)

    def qualifies(self, referral: Any) -> bool:
        return any(self.counts(sale) for sale in self.all() if sale.referral is referral)

    def all(self) -> list[Sale]:
        state = (
            len(self.program.ledger),
            [(each.id, each.state, each.credited) for each in self.program.referrals.values()],
            [(event.key, event.referral) for event in self.events.values()],
        )
        if self._kept[0] != state:
            found = [sale for referral in self.program.referrals.values() for sale in self.of(referral)]
            self.cap(found)
            self._kept = state, found
        return self._kept[1]

    def of(self, referral: Any) -> list[Sale]:
        """Give the sales in a referral, each net of its refunds, before the caps."""
        rules = referral.rules
        mine = sorted((e for e in self.events.values() if e.referral == referral.id), key=lambda e: e.order)
        wanted = rules["qualifies_on"]
        sales = [Sale(event, referral) for event in mine if event.type == wanted != "confirmed_address"]
        for refund in (event for event in mine if event.type == "refund"):
            self.refund(refund, sales)
        places = [sale for sale in sales if self.counts(sale)]
        if rules["earning_events"] is not None:
            places = places[: rules["earning_events"]]
        for sale in places if referral.state == "confirmed" else []:
            paid = sale.event.amount or 1
            kept = paid - sale.refunded
            for side in ("referrer", "friend"):
                if share := rules[f"{side}_share"]:
                    earned = share * kept // 10_000 if sale.event.amount else 0
                else:
                    earned = rules[f"{side}_amount"] * kept // paid
                setattr(sale, side, earned)
        return sales

    def refund(self, refund: Happening, sales: list[Sale]) -> None:
        """Take a refund from the sale that it names, else from the customer's newest before it, then from older."""
        if refund.refund_of is not None:
            wanted = [sale for sale in sales if sale.event.key == (refund.product, refund.refund_of)]
            other = any(sale.event.currency not in {refund.currency, None} for sale in wanted)
            if refund.amount is not None and other:
                return
        else:
            wanted = self.refundable(refund, sales)
        left = refund.amount
        if left is None:
            wanted = wanted[:1]
        for sale in wanted:
            there = (sale.event.amount or 1) - sale.refunded
            if left is None or not sale.event.amount:
                part = there
            else:
                part = min(left, there)
                left -= part
            sale.refunded += part

    def refundable(self, refund: Happening, sales: list[Sale]) -> list[Sale]:
        """Find what a refund can be of that names nothing; an amount is no part of what was free."""
        before = [sale for sale in sales[::-1] if sale.event.order < refund.order and same(sale.event, refund)]
        return [sale for sale in before if refund.amount is None or sale.event.amount]

    def counts(self, sale: Sale) -> bool:
        """Say whether a sale is one of those that the rules mean."""
        event, referral, rules = sale.event, sale.referral, sale.referral.rules
        if event.at < min(referral.visit.at, referral.created - timedelta(days=1)):
            return False
        if rules["earning_months"] and event.at >= later(referral.created, rules["earning_months"]):
            return False
        least, shared = rules["least_amount"], rules["referrer_share"] or rules["friend_share"]
        if event.amount is None and (shared or least is not None):
            return False
        if least is not None and (event.currency != rules["currency"] or event.amount < least):
            return False
        return all(key in event.details and event.details[key] == value for key, value in rules["condition"].items())

    def cap(self, sales: list[Sale]) -> None:
        """Cut what referrers get; the first come first."""
        spent: defaultdict[tuple[object, ...], int] = defaultdict(int)
        for who in {sale.referral.earner for sale in sales}:
            for unit, amount in self.program.earned_otherwise(who).items():
                spent["member", who, unit] = amount
        for sale in sorted(sales, key=lambda sale: sale.event.order):
            rules, who, unit = sale.referral.rules, sale.referral.earner, sale.unit("referrer")
            month = f"{sale.event.at.astimezone(ZoneInfo(rules['timezone'])):%Y-%m}"
            caps = {
                ("referral", sale.referral.id, unit): rules["referral_cap"],
                ("month", who, unit, month): rules["monthly_cap"],
                ("member", who, unit): rules["member_cap"],
            }
            rooms = [max(0, cap - spent[key]) for key, cap in caps.items() if cap is not None]
            sale.referrer = min([sale.referrer, *rooms])
            for key in caps:
                spent[key] += sale.referrer


def same(sale: Happening, refund: Happening) -> bool:
    """Say whether a refund that names no sale can be of this one."""
    person = sale.person is not None and sale.person == refund.person
    organization = sale.organization is not None and sale.organization == refund.organization
    return (person or organization) and refund.currency in {None, sale.currency}


def later(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError
