"""What should be true of a program, in plain Python: it counts everything anew each time and asks no database."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.properties.sales import Sales

BADGES = {1: "first", 2: "10", 3: "50", 4: "100"}  # at marks that a dozen members reach; the machine sets them
EXPIRES = timedelta(days=30)
TOKEN_LIVES = timedelta(hours=24)


@dataclass
class Member:
    id: int
    user_id: int
    username: str
    email: str
    code: str
    referrer: int | None
    verified_at: datetime | None
    needs_verification: bool
    display_name: str = ""
    active: bool = True
    listed: bool = True
    sign_in: int = 0
    joined: datetime | None = None
    former: set[str] = field(default_factory=set)  # what nothing may say any more, once the member is erased
    number: str | None = None  # the product's own, of one of its customers

    @property
    def name(self) -> str:
        return self.display_name or self.username

    @property
    def reachable(self) -> bool:
        """Whether there is an address, which a product may not have told."""
        return not self.email.endswith("@no-address.invalid")


@dataclass(frozen=True)
class Visit:
    code: str
    channel: str
    at: datetime
    live: bool  # whether it was some member's code at that moment


@dataclass
class Referral:
    id: int
    referrer: int
    friend: int
    rules: dict[str, Any]  # of the version it began under
    visit: Visit
    created: datetime
    state: str = "pending"
    decided: datetime | None = None
    given: dict[str, int] | None = None
    trail: list[tuple[str | None, str, int | None, datetime]] = field(default_factory=list)
    doubted: bool = False  # when the friend signed up, where the program waits for an event
    credited: int | None = None  # to whom an admin gave what events earn

    @property
    def earner(self) -> int:
        return self.credited or self.referrer

    @property
    def waits_for_event(self) -> bool:
        return bool(self.rules["qualifies_on"] != "confirmed_address")


@dataclass
class Claim:
    """That a friend joined through a member who got nothing."""

    id: int
    claimant: int
    address: str | None
    channel: str
    created: datetime
    state: str = "asked"
    friend: int | None = None  # who answered
    asked: int | None = None  # who was mailed the question


@dataclass(frozen=True)
class Entry:
    profile: int
    kind: str
    amount: int
    unit: str
    created: datetime
    available: datetime
    referral: int | None = None
    reverses: int | None = None  # position in the ledger
    mark: int | None = None


@dataclass(frozen=True)
class Perk:
    id: int
    price: int | None
    unit: str
    unlocked_at: int | None
    pieces: int | None  # how many there were, as stock or as coupons
    coupons: bool


class Program:
    def __init__(self, rules: dict[str, Any]) -> None:
        self.versions = [rules]
        self.former_addresses: set[str] = set()  # addresses that friends had, who are erased
        self.invited: set[str] = set()  # addresses, once and for ever, whoever is erased since
        self.members: dict[int, Member] = {}
        self.referrals: dict[int, Referral] = {}
        self.ledger: list[Entry] = []
        self.mails: dict[tuple[object, ...], tuple[str, int, str]] = {}  # by cause
        self.redemptions: dict[tuple[int, str], int] = {}  # (member, key) → perk
        self.perks: list[Perk] = []
        self.claims: dict[int, Claim] = {}
        self.appeals: set[int] = set()  # referrals against whose rejection there was one
        self.sales = Sales(self)

    # What is asked

    @property
    def rules(self) -> dict[str, Any]:
        return self.versions[-1]

    @staticmethod
    def unit_of(rules: dict[str, Any]) -> str:
        return str(rules["currency"] if rules["unit"] == "money" else rules["unit"])

    def owner(self, code: str) -> Member | None:
        return next((m for m in self.members.values() if m.code == code.lower() and m.active), None)

    def referrer_by(self, visit: Visit, now: datetime) -> Member | None:
        fresh = now - visit.at <= timedelta(days=self.rules["window_days"])
        return self.owner(visit.code) if fresh and visit.live else None

    def confirmed(self, profile: int) -> list[Referral]:
        return [r for r in self.referrals.values() if r.referrer == profile and r.state == "confirmed"]

    def reached(self, profile: int) -> datetime | None:
        return max((r.decided for r in self.confirmed(profile) if r.decided), default=None)

    def badges(self, profile: int) -> set[str]:
        return {badge for mark, badge in BADGES.items() if mark <= len(self.confirmed(profile))}

    def tier(self, profile: int) -> str:
        count = len(self.confirmed(profile))
        return str([tier["name"] for tier in self.rules["tiers"] if tier["at"] <= count][-1])

    def balance(self, profile: int, unit: str) -> int:
        mine = sum(e.amount for e in self.ledger if (e.profile, e.unit) == (profile, unit))
        return mine + self.sales.has(profile, unit)

    def available(self, profile: int, unit: str, now: datetime) -> int:
        return self.cover(profile, unit, now) - self.sales.due[profile, unit]

    def cover(self, profile: int, unit: str, now: datetime) -> int:
        """Give what is on hold no longer, whether it is to be handed over or can be spent."""
        mine = (e for e in self.ledger if (e.profile, e.unit) == (profile, unit))
        return sum(e.amount for e in mine if e.available <= now) + self.sales.has(profile, unit, now)

    def left(self, perk: Perk) -> int | None:
        return None if perk.pieces is None else perk.pieces - list(self.redemptions.values()).count(perk.id)

    def redemption_key(self, perk: Perk, key: str) -> str:
        return key if perk.unlocked_at is None else f"unlocked:{perk.id}"

    def can_redeem(self, profile: int, perk: Perk, now: datetime) -> bool:
        if perk.price is None:
            reached = len(self.confirmed(profile)) >= (perk.unlocked_at or 0)
        else:
            reached = self.available(profile, perk.unit, now) >= perk.price
        return reached and self.left(perk) != 0

    def board(self, period: str, now: datetime) -> list[tuple[int, int, str, int]]:
        """Give rank, member, name and number, of everybody on the board of a period."""
        here = now.astimezone(ZoneInfo(self.rules["timezone"]))
        start = {"all": None, "week": _monday(here), "month": _midnight(here).replace(day=1)}[period]
        found = []
        for member in self.members.values():
            counted = [r.decided for r in self.confirmed(member.id) if r.decided and (not start or r.decided >= start)]
            if counted and member.active and member.listed:
                found.append((-len(counted), max(counted), member.id, member.name))
        return [(rank, who, name, -minus) for rank, (minus, _, who, name) in enumerate(sorted(found), 1)]

    def state_of(self, friend: int) -> Referral | None:
        return next((r for r in self.referrals.values() if r.friend == friend), None)

    # What happens

    def join(self, member: Member, now: datetime) -> None:
        self.members[member.id] = member
        member.joined = now
        if member.needs_verification:
            self.ask_to_verify(member, now)

    def ask_to_verify(self, member: Member, now: datetime) -> None:
        cause = ("verify", member.user_id, int(now.timestamp() // 60))  # at most one a minute
        self.mails.setdefault(cause, ("verify_address", member.user_id, "{}"))

    def invite(self, invitation_id: int, inviter: Member, kind: str, now: datetime | None = None) -> None:
        """Send an invitation, or a reminder of it now."""
        body = json.dumps({"invitation_id": invitation_id})
        self.mails[kind, invitation_id, now] = (kind, inviter.user_id, body)

    def begin(self, referral: Referral, now: datetime, announced: bool = True) -> None:
        self.referrals[referral.id] = referral
        self.members[referral.friend].referrer = referral.referrer
        referral.trail.append((None, "pending", None, now))
        if announced:
            self.tell_referrer(referral, "friend_joined")

    def ask(self, now: datetime) -> int:
        """Mail the questions that are due; return how many."""
        due = [claim for claim in self.claims.values() if claim.asked is None and self.whom_to_ask(claim)]
        for claim in due:
            friend = self.whom_to_ask(claim)
            assert friend
            claim.asked = friend.id
            body = json.dumps({"claim_id": claim.id})
            self.mails["claim_question", claim.id] = ("claim_question", friend.user_id, body)
        return len(due)

    def whom_to_ask(self, claim: Claim) -> Member | None:
        """Find the friend who is meant: came later, by no link, with this address proven."""
        if claim.state != "asked" or claim.address is None or not self.members[claim.claimant].active:
            return None
        proven = [m for m in self.members.values() if m.active and m.verified_at and m.referrer is None]
        return next((m for m in proven if m.email.lower() == claim.address.lower() and m.id > claim.claimant), None)

    def answer(self, claim: Claim, friend: Member, agrees: bool) -> str:
        claim.friend = friend.id
        others = (c for c in self.claims.values() if c.friend == friend.id and c.state in {"agreed", "confirmed"})
        free = friend.referrer is None and not any(others)
        claim.state = "declined" if not agrees else "agreed" if free else "rejected"
        return claim.state

    def decide(self, claim: Claim, state: str) -> None:
        claim.state = state
        body = json.dumps({"claim_id": claim.id, "state": state})
        for member in (claim.claimant, claim.friend):
            assert member
            user_id = self.members[member].user_id
            self.mails["claim_decided", claim.id, user_id] = ("claim_decided", user_id, body)

    def overdue(self, now: datetime) -> list[Claim]:
        return [claim for claim in self.claims.values() if claim.state == "asked" and claim.created <= now - EXPIRES]

    def move(self, referral: Referral, state: str, actor: int | None, now: datetime) -> None:
        referral.trail.append((referral.state, state, actor, now))
        referral.state, referral.decided = state, now.replace(microsecond=0)

    def settle(self, member: Member, now: datetime, by_event: bool = False) -> None:
        """Confirm what waited for this friend, unless the mailbox was a friend's before, or a sale is waited for."""
        referral = self.state_of(member.id)
        if referral is None or referral.state != "pending":
            return
        doubted = member.email in self.former_addresses
        if referral.waits_for_event and not by_event:
            referral.doubted = doubted
            referral.trail.append(("pending", "pending", None, now))
        elif doubted or (not member.active and referral.doubted):
            self.hold(referral, None, now)
        else:
            self.confirm(referral, None, now)

    def confirm(self, referral: Referral, actor: int | None, now: datetime) -> None:
        self.move(referral, "confirmed", actor, now)
        rules, who = referral.rules, referral.referrer
        available = now + timedelta(days=rules["hold_days"])
        count = len(self.confirmed(who))

        def give(profile: int, kind: str, amount: int, mark: int | None = None) -> int:
            if amount:
                self.ledger.append(
                    Entry(profile, kind, amount, self.unit_of(rules), now, available, referral.id, None, mark)
                )
            return amount

        amount, unit = 0, self.unit_of(rules)
        if referral.waits_for_event:
            referral.given = {}
            amount, unit = self.sales.by_confirming(referral) or (amount, unit)
        else:
            amount = give(who, "referrer", self.within_cap(who, rules, rules["referrer_amount"]))
            referral.given = {"referrer": amount, "friend": give(referral.friend, "friend", rules["friend_amount"])}
        bonus = {milestone["at"]: milestone.get("bonus", 0) for milestone in rules["milestones"]}.get(count, 0)
        give(who, "milestone", self.within_cap(who, rules, bonus), count)
        self.tell_referrer(referral, "referral_confirmed", amount=amount, unit=unit, total=count)
        tier = next((tier["name"] for tier in self.rules["tiers"] if tier["at"] == count), None)
        if count in BADGES:
            self.tell_referrer(referral, "badge_earned", badge=BADGES[count], tier=tier, total=count)
        elif tier:
            self.tell_referrer(referral, "tier_reached", tier=tier, total=count)

    def hold(self, referral: Referral, actor: int | None, now: datetime) -> None:
        self.move(referral, "held", actor, now)
        self.tell_referrer(referral, "referral_held")

    def reverse(self, referral: Referral, actor: int | None, reason: str, now: datetime) -> None:
        self.move(referral, "reversed", actor, now)
        count = len(self.confirmed(referral.referrer))
        for position, entry in self.standing():
            of_it = entry.referral == referral.id and entry.kind in {"referrer", "friend"}
            lost = entry.profile == referral.referrer and entry.kind == "milestone" and (entry.mark or 0) > count
            if of_it or lost:
                self.ledger.append(
                    Entry(entry.profile, "reversal", -entry.amount, entry.unit, now, entry.available, None, position)
                )
        self.tell_referrer(referral, "referral_reversed", reason=reason, total=count)

    def expire(self, now: datetime) -> None:
        for referral in self.due(now):
            self.move(referral, "expired", None, now)

    def due(self, now: datetime) -> list[Referral]:
        waiting = (r for r in self.referrals.values() if r.state == "pending" and not r.waits_for_event)
        return [r for r in waiting if r.trail[0][3] <= now - EXPIRES]

    def redeem(self, profile: int, perk: Perk, key: str, now: datetime) -> None:
        self.redemptions[profile, self.redemption_key(perk, key)] = perk.id
        if perk.price is not None:
            self.ledger.append(Entry(profile, "redemption", -perk.price, perk.unit, now, now))

    def rename(self, member: Member, username: str, display_name: str, listed: bool) -> None:
        member.former.add(member.username)
        member.username, member.display_name, member.listed = username, display_name, listed

    def erase(self, member: Member) -> None:
        member.former |= {member.username, member.email}
        referral = self.state_of(member.id)
        if referral and referral.state not in {"pending", "expired"}:
            self.former_addresses.add(member.email)
        for claim in self.claims.values():
            if claim.claimant == member.id and claim.state in {"asked", "agreed"}:
                claim.state = "expired"
            if claim.friend == member.id and claim.state == "agreed":
                claim.state = "rejected"
            theirs = claim.address is not None and claim.address.lower() == member.email.lower()
            if theirs or member.id in {claim.claimant, claim.friend}:
                claim.address = None
        for event in self.sales.told_of(member):
            asked = self.referrals[event.referral].rules["condition"] if event.referral else {}
            event.details = {key: value for key, value in event.details.items() if key in asked}
            event.forgotten, event.signup = True, None
        member.username = f"gone:{member.user_id}"
        member.email = f"gone:{member.user_id}@erased.invalid"
        member.display_name = "A former member"
        member.active = member.listed = False

    def tell_referrer(self, referral: Referral, kind: str, **payload: object) -> None:
        body = json.dumps({"referral_id": referral.id, **payload}, sort_keys=True)
        self.mails[kind, referral.id, payload.get("badge")] = (kind, self.members[referral.referrer].user_id, body)

    def within_cap(self, profile: int, rules: dict[str, Any], amount: int) -> int:
        if rules["member_cap"] is None:
            return amount
        unit = self.unit_of(rules)
        earned = self.earned_otherwise(profile)[unit] + self.sales.brought(profile, unit)
        return max(0, min(amount, rules["member_cap"] - earned))

    def earned_otherwise(self, profile: int) -> Counter[str]:
        """Add up what somebody earned by referring, but not by sales, in each unit."""
        found: Counter[str] = Counter()
        for _, entry in self.standing():
            if entry.profile == profile and entry.kind in {"referrer", "milestone"}:
                found[entry.unit] += entry.amount
        return found

    def standing(self) -> Iterable[tuple[int, Entry]]:
        """Give the entries that were not taken back, with their positions."""
        gone = {entry.reverses for entry in self.ledger}
        return [(position, entry) for position, entry in enumerate(self.ledger) if position not in gone]


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _monday(now: datetime) -> datetime:
    return _midnight(now) - timedelta(days=now.isoweekday() - 1)
