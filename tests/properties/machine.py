"""A machine that uses the program in every order there is, and checks after each step what must always hold.

The numbers of the invariants are those of the design: one referrer (1), attribution (2), no second credit (3), an
append-only ledger (4), caches that equal a recount (5), spending (6), amounts (7), the trail and the outbox (8),
repetition (9), erasure (10).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis import RedisError
from redis.client import Pipeline
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from referralhub.extensions import db
from referralhub.models import Channel, OutboxMessage, Touch, Unit, User
from referralhub.models import Perk as PerkRow
from referralhub.services import accounts, leaderboard, outbox, perks, programs, recount, referrals, rewards, statistics
from referralhub.services.errors import (
    BadLink,
    BadSetting,
    CannotRedeem,
    DomainError,
    Taken,
    UnknownCode,
    Unverified,
    WrongState,
)
from referralhub.services.leaderboard import Period
from referralhub.services.referrals import Attribution
from tests.properties import model
from tests.properties.model import Entry, Member, Perk, Referral, Visit
from tests.properties.world import Crashed, Tables, World

MOST_MEMBERS = 12
RECOUNT_EVERY = 12  # steps; the product's own recount is as slow as everything else together
PASSWORD = "likes tea a lot"
REASON = "looked at it twice"

PICK = st.integers(0, 59)  # one of a list: the position, around and around
OFTEN = st.sampled_from([True, True, True, False])
WISHES = st.sampled_from(["possible", "possible", "on hold", "on hold", "nearly", "any"])
CRASHES = st.one_of(
    st.tuples(st.just("statement"), st.integers(1, 24)),
    st.tuples(st.just("commit"), st.integers(1, 2)),
    st.tuples(st.just("call"), st.integers(1, 12)),
)
MAYBE_CRASHES = st.one_of(st.none(), st.none(), CRASHES)
SPANS = st.one_of(
    st.integers(1, 90).map(lambda n: timedelta(minutes=n)),
    st.integers(1, 30).map(lambda n: timedelta(hours=n)),
    st.integers(1, 40).map(lambda n: timedelta(days=n)),
)
MILESTONES = st.dictionaries(st.integers(1, 4), st.integers(0, 30), max_size=3).map(
    lambda found: [{"at": at, "bonus": bonus} for at, bonus in sorted(found.items())]
)
TIERS = st.sets(st.integers(1, 4), max_size=3).map(
    lambda found: [{"name": f"from {at}", "at": at} for at in (0, *sorted(found))]
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "unit": st.sampled_from(Unit),
        "referrer_amount": st.integers(0, 40),
        "friend_amount": st.integers(0, 40),
        "member_cap": st.one_of(st.none(), st.integers(0, 50), st.integers(0, 50)),
        "window_days": st.integers(1, 30),
        "hold_days": st.integers(0, 20),
        "milestones": MILESTONES,
        "tiers": TIERS,
        "touch": st.sampled_from(Touch),
    },
)
PRESETS = st.sampled_from(list(programs.PRESETS.values()))
LIVELY_RULES = st.fixed_dictionaries(
    {
        "referrer_amount": st.integers(8, 20),
        "friend_amount": st.sampled_from([0, 10]),
        "member_cap": st.none() | st.integers(0, 40),
        "hold_days": st.sampled_from([0, 1, 5]),
        "milestones": MILESTONES,
    }
)
EARLY_RULES = st.one_of(PRESETS, RULES, LIVELY_RULES)
NOT_RULES = [{"referrer_amount": -1}, {"window_days": 0}, {"hold_days": -3}, {"tiers": []}, {"milestones": [{"at": 0}]}]
BAD_RULES = st.sampled_from(NOT_RULES)

# What the database itself must refuse, with the number of the invariant.
_COLUMNS = "profile_id, referral_id, reverses_id, kind, amount, balance, unit, mark, note, available_at, created"
_COPY = f"INSERT INTO reward_entry (number, {_COLUMNS}) SELECT number + 1000, {_COLUMNS} FROM reward_entry WHERE"
FORBIDDEN = [
    (4, "UPDATE reward_entry SET amount = amount + 1"),
    (4, "DELETE FROM reward_entry"),
    (4, "UPDATE referral_event SET reason = 'another'"),
    (4, "DELETE FROM referral_event"),
    (3, f"{_COPY} kind IN ('referrer', 'friend', 'milestone')"),
    (3, f"{_COPY} kind = 'reversal'"),
    (1, "UPDATE profile SET referred_by_id = id"),
    (1, "UPDATE referral SET referrer_id = friend_id"),
    (2, "UPDATE referral SET visited_at = '2099-01-01 00:00:00+00:00'"),
]


class Broken(AssertionError):
    """One of the ten does not hold."""

    examples = 0  # how many were tried until then, the repetition included

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"({number}) {message}")
        self.number = number


def holds(number: int, truth: object, message: str) -> None:
    if not truth:
        raise Broken(number, message)


class ProgramMachine(RuleBasedStateMachine):
    def __init__(self, world: World) -> None:
        super().__init__()
        world.begin()
        self.world = world
        self.model = model.Program(dict(programs.DEFAULT))
        self.trap: tuple[str, int] | None = None  # where the next request will crash
        self.visits: list[Visit] = []
        self.tokens: list[tuple[str, Member, datetime]] = []
        self.keys: list[tuple[Member, Perk, str]] = []
        self.repeatable: list[tuple[str, Callable[[], object], Callable[[], bool]]] = []
        self.sent = Counter[int]()
        self.unsure = Counter[int]()  # sent, but the crash came before that was written down
        self.steps = self.flushes = self.names = 0
        self._tables: Tables | None = None
        self._kept: dict[str, dict[int, Any]] = {"reward_entry": {}, "referral_event": {}}
        self._referrers: dict[int, int | None] = {}
        self._last_read: object = None

    # How a request is sent

    @property
    def now(self) -> datetime:
        return self.world.clock.now

    @property
    def members(self) -> list[Member]:
        return list(self.model.members.values())

    @property
    def active(self) -> list[Member]:
        return [member for member in self.members if member.active]

    def tables(self) -> Tables:
        if self._tables is None:
            self._tables = self.world.read()
        return self._tables

    def request(
        self,
        number: int,
        call: Callable[[], Any],
        refused: type[Exception] | None = None,
        whole: bool = True,
    ) -> Any:
        """Send a request, a second time if the first crashes, and give its answer.

        `refused` is what the model says it must raise; `number` is broken when it does something else.
        """
        before = self.tables()
        trap, self.trap = self.trap, None
        try:
            if trap:
                with self.world.breaking(*trap):
                    answer = self.answer(call)
            else:
                answer = self.answer(call)
        except Crashed:
            if whole:
                holds(9, self.tables() == before, "a request that crashed left something behind")
            answer = self.answer(call)
        if refused:
            holds(number, isinstance(answer, refused), f"{refused.__name__} was due, not {answer!r}")
            holds(9, self.tables() == before, f"a refused request changed {self.differences(before)}")
        else:
            holds(number, not isinstance(answer, Exception), f"refused: {answer!r}")
        return answer

    def answer(self, call: Callable[[], Any]) -> Any:
        """Call a service as a request does, in a context of its own; a refusal is an answer too."""
        self._tables = None
        with self.world.app.app_context():
            try:
                return call()
            except (DomainError, IntegrityError, RedisError) as error:
                return error

    def differences(self, before: Tables) -> str:
        return ", ".join(name for name, rows in self.tables().items() if rows != before[name])

    # Joining

    @initialize(values=EARLY_RULES, friends=st.lists(st.booleans(), max_size=4))
    def begin(self, values: dict[str, Any], friends: list[bool]) -> None:
        """Open with these rules, an admin, Alice, and friends of hers, each of whom has verified or not."""
        self.put_in_force(values)
        admin = self.answer(lambda: accounts.create_admin("admin", "admin@example.com", PASSWORD, self.now))
        row = self.tables()["profile"][-1]
        self.admin = admin.id
        self.model.join(
            Member(row.id, admin.id, "admin", "admin@example.com", row.code, None, self.now, False), self.now
        )
        self.add_perks()
        alice = self.sign_up_as("alice", None, True)
        for number, verified in enumerate(friends):
            self.sign_up_as(f"friend{number}", self.click(alice.code, Channel.LINK), True)
            if verified:
                self.verify_with(*self.tokens[-1])

    def add_perks(self) -> None:
        for name, price, unit, unlocked_at, stock, coupons in (
            ("sticker", 10, Unit.POINTS, None, 2, None),
            ("voucher", 15, Unit.POINTS, None, None, ["V-1", "V-2"]),
            ("storage", 500, Unit.MEGABYTES, None, None, None),
            ("travel", 2000, Unit.US_CENTS, None, 1, None),
            ("badge", None, Unit.POINTS, 1, 2, None),
            ("jacket", None, Unit.POINTS, 2, None, ["J-1"]),
        ):
            pieces = {"price": price, "unit": unit, "unlocked_at": unlocked_at, "stock": stock, "coupons": coupons}
            perk_id = self.answer(lambda name=name, pieces=pieces: perks.add(name, "", self.now, **pieces))
            self.model.perks.append(
                Perk(perk_id, price, unit, unlocked_at, len(coupons) if coupons else stock, bool(coupons))
            )

    def click(self, code: str, channel: Channel) -> Visit:
        return Visit(code, channel, self.now, live=self.model.owner(code) is not None)

    @rule(pick=PICK, channel=st.sampled_from([Channel.LINK, Channel.EMAIL, Channel.QR]), dead=st.booleans())
    def visit(self, pick: int, channel: Channel, dead: bool) -> None:
        """Follow a link: a member's (who may be gone), or one that nobody has."""
        code = "nobodys1" if dead and pick % 3 == 0 else self.members[pick % len(self.members)].code
        self.visits.append(self.click(code, channel))

    @precondition(lambda self: len(self.model.members) < MOST_MEMBERS and self.active)
    @rule(pick=PICK, required=OFTEN, verifies=OFTEN, values=st.none() | RULES)
    def bring_a_friend(self, pick: int, required: bool, verifies: bool, values: dict[str, Any] | None) -> None:
        """Join by the link of one of the first members, so that somebody brings many; the rules may change then."""
        referrer = self.active[pick % min(3, len(self.active))]
        joined = self.sign_up_as(self.new_name(), self.click(referrer.code, Channel.WHATSAPP), required)
        if values:
            self.put_in_force(values)
        if joined and verifies:
            self.verify_with(*self.tokens[-1])

    @precondition(lambda self: len(self.model.members) < MOST_MEMBERS)
    @rule(
        how=st.sampled_from(["alone", "visit", "visit", "late", "late", "former", "code", "wrong code"]),
        pick=PICK,
        late=st.sampled_from([timedelta(seconds=-1), timedelta(0), timedelta(microseconds=1), timedelta(days=3)]),
        name=st.sampled_from(["new", "new", "new", "new", "taken", "again"]),
    )
    def sign_up(self, how: str, pick: int, late: timedelta, name: str) -> None:
        """Join in all the ways that need care; `late` is measured from the end of the attribution window."""
        some = self.members[pick % len(self.members)]
        gone = [member for member in self.members if not member.active] or [some]
        came_by = None
        if how == "visit" and self.visits:
            came_by = self.visits[pick % len(self.visits)]
        elif how == "late":
            came_by = self.click(some.code, Channel.LINK)
            self.world.clock.now += timedelta(days=self.model.rules["window_days"]) + late
        elif how == "former":
            came_by = self.click(gone[pick % len(gone)].code, Channel.LINK)
        elif how == "code":
            came_by = self.click(some.code.upper(), Channel.CODE)
        elif how == "wrong code":
            came_by = self.click("nobodys1", Channel.CODE)
        free = [former for former in ("alice", "friend0") if all(m.username != former for m in self.members)]
        if name == "taken":
            self.sign_up_as(some.username.upper(), came_by, True)
        elif name == "again" and free:
            self.sign_up_as(free[0], came_by, True)
        else:
            self.sign_up_as(self.new_name(), came_by, True)

    def new_name(self) -> str:
        self.names += 1
        return f"member{self.names}"

    def sign_up_as(self, username: str, came_by: Visit | None, required: bool) -> Member:
        now, email = self.now, f"{username.lower()}@example.com"
        taken = any(m.username.lower() == username.lower() for m in self.members)
        referrer = self.model.referrer_by(came_by, now) if came_by else None
        refused = Taken if taken else None
        if not taken and came_by and came_by.channel is Channel.CODE and referrer is None:
            refused = UnknownCode
        attribution = came_by and Attribution(came_by.code, Channel(came_by.channel), came_by.at)

        def send() -> Any:
            return accounts.sign_up(
                username, email, PASSWORD, attribution, self.now,
                verification_required=required, draw_code=self.world.draw_code,
            )  # fmt: skip

        user = self.request(2, send, refused)
        if refused:
            return None
        profile = next(row for row in self.tables()["profile"] if row.user_id == user.id)
        came = referrer.id if referrer else None
        holds(2, profile.referred_by_id == came, f"{username} was referred by {profile.referred_by_id}, not {came}")
        joined = Member(profile.id, user.id, username, email, profile.code, came, None, required)
        self.model.join(joined, now)
        found = [row for row in self.tables()["referral"] if row.friend_id == joined.id]
        holds(2, len(found) == (1 if referrer else 0), f"{username} has the referrals {found}")
        if referrer:
            rules = self.model.rules
            self.model.begin(Referral(found[0].id, referrer.id, joined.id, rules, came_by, now), now)
            if not required:
                self.model.settle(joined, now)
        self.repeatable.append((f"sign up {username}", send, lambda: joined.active))
        self.tokens.append((accounts.verification_token(user, self.world.secret_key), joined, now))
        return joined

    def user(self, member: Member) -> User:
        return User(id=member.user_id, email=member.email)

    # Verifying

    @rule(pick=PICK, which=st.sampled_from(["fresh", "fresh", "fresh", "any kept", "foreign", "other address"]))
    def verify(self, pick: int, which: str) -> None:
        waiting = [m for m in self.active if m.verified_at is None]
        referred = [m for m in waiting if self.model.state_of(m.id)]
        waiting = referred or waiting or self.active or self.members
        member = waiting[pick % len(waiting)]
        if which == "any kept" and self.tokens:
            self.verify_with(*self.tokens[pick % len(self.tokens)])
        elif which == "other address":
            stranger = User(id=member.user_id, email="else@example.com")
            self.verify_with(accounts.verification_token(stranger, self.world.secret_key), None, self.now)
        elif which == "foreign" or not member.active:
            self.verify_with(accounts.verification_token(self.user(member), "another secret"), None, self.now)
        else:
            token = accounts.verification_token(self.user(member), self.world.secret_key)
            self.tokens.append((token, member, self.now))
            self.verify_with(*self.tokens[-1])

    def verify_with(self, token: str, member: Member | None, signed: datetime) -> None:
        """Press the button behind a link; `member` is whom it was mailed to, None if the token is no good."""
        old = self.now - signed.replace(microsecond=0) > model.TOKEN_LIVES
        before, usable = self.tables(), member is not None and member.active and not old

        def send() -> bool:
            return accounts.verify_address(token, self.world.secret_key, self.now)

        answer = self.request(7, send, None if usable else BadLink)
        if member is None or not usable:
            return
        if member.verified_at is not None:
            holds(9, answer is False, "a second verification counts as a first")
            holds(9, self.tables() == before, f"a second verification changed {self.differences(before)}")
            return
        holds(7, answer is True, "a first verification counts as a second")
        member.verified_at = self.now
        self.model.settle(member, self.now)
        self.repeatable.append((f"verify {member.username}", send, lambda: True))

    @precondition(lambda self: self.active)
    @rule(pick=PICK)
    def ask_again(self, pick: int) -> None:
        """Ask for the mail with the link once more."""
        member = self.active[pick % len(self.active)]
        self.request(8, lambda: accounts.resend_verification(member.user_id, self.now))
        if member.verified_at is None:
            self.model.ask_to_verify(member, self.now)

    # Deciding

    def decide(self, step: str, state: str, pick: int, right: bool) -> Referral | None:
        """Take a step with a referral, mostly one that is where the step begins; give it if the step was taken."""
        everybody = list(self.model.referrals.values())
        there = [referral for referral in everybody if referral.state == state] if right else []
        chosen = (there or everybody)[pick % len(there or everybody)]
        refused: type[DomainError] | None = None if chosen.state == state else WrongState
        if step == "release" and refused is None and self.model.members[chosen.friend].verified_at is None:
            refused = Unverified

        def send() -> None:
            getattr(referrals, step)(chosen.id, self.admin, REASON, self.now)

        self.request(7 if refused is Unverified else 8, send, refused)
        if refused:
            return None
        self.repeatable.append((f"{step} {chosen.id}", send, lambda: True))
        return chosen

    @precondition(lambda self: self.model.referrals)
    @rule(pick=PICK, right=OFTEN)
    def hold(self, pick: int, right: bool) -> None:
        if referral := self.decide("hold", "pending", pick, right):
            self.model.hold(referral, self.admin, self.now)

    @precondition(lambda self: self.model.referrals)
    @rule(pick=PICK, right=OFTEN, fine=st.booleans(), crash=MAYBE_CRASHES)
    def judge(self, pick: int, right: bool, fine: bool, crash: tuple[str, int] | None) -> None:
        self.trap = self.trap or crash
        referral = self.decide("release" if fine else "reject", "held", pick, right)
        if referral and fine:
            self.model.confirm(referral, self.admin, self.now)
        elif referral:
            self.model.move(referral, "rejected", self.admin, self.now)

    @precondition(lambda self: self.model.referrals)
    @rule(pick=PICK, right=OFTEN, crash=MAYBE_CRASHES)
    def reverse(self, pick: int, right: bool, crash: tuple[str, int] | None) -> None:
        self.trap = self.trap or crash
        if referral := self.decide("reverse", "confirmed", pick, right):
            self.model.reverse(referral, self.admin, REASON, self.now)

    @rule()
    def expire_due(self) -> None:
        due = len(self.model.due(self.now))
        crashing = self.trap is not None
        number = self.request(8, lambda: referrals.expire_due(self.now), whole=False)
        holds(8, number == due or crashing, f"{number} referrals expired, not {due}")
        self.model.expire(self.now)
        self.changes_nothing(9, lambda: referrals.expire_due(self.now))

    def changes_nothing(self, number: int, call: Callable[[], Any]) -> None:
        before = self.tables()
        self.answer(call)
        holds(number, self.tables() == before, f"done twice, it changed {self.differences(before)}")

    # Spending

    @rule(pick=PICK, which=PICK, wish=WISHES, how=st.sampled_from(["new", "new", "repeated", "after another"]))
    def redeem(self, pick: int, which: int, wish: str, how: str) -> None:
        if how == "repeated" and self.keys:
            self.redeem_with(*self.keys[pick % len(self.keys)])
        elif how == "after another":
            self.redeem_after_another(pick, which, pick + 1)
        elif chosen := self.choose(pick, which, wish):
            self.redeem_with(*chosen)

    def redeem_after_another(self, pick: int, which: int, other: int) -> None:
        """Claim in a session that has seen the catalogue before somebody else claimed."""
        mine, theirs = self.choose(pick, which, "possible"), self.choose(other, which, "possible")
        if mine and theirs:
            with self.world.app.app_context():
                seen = list(db.session.scalars(select(PerkRow)))
                self.redeem_with(*theirs)
                before = self.tables()
                refused = self.refusal(*mine)
                try:
                    answer = perks.redeem(mine[0].id, mine[1].id, mine[2], self.now)
                except (DomainError, IntegrityError) as error:
                    answer = error
                self._tables = None
                self.judge_redemption(*mine, before, refused, answer)
                del seen

    def choose(self, pick: int, which: int, wish: str) -> tuple[Member, Perk, str] | None:
        offers = [(member, perk) for member in self.active for perk in self.model.perks]
        if not offers:
            return None
        judged = [(*offer, self.model.can_redeem(offer[0].id, offer[1], self.now)) for offer in offers]
        wished = {
            "possible": [(member, perk) for member, perk, can in judged if can],
            "on hold": [(member, perk) for member, perk, can in judged if not can and self.on_hold(member, perk)],
            "nearly": [(member, perk) for member, perk, can in judged if not can and self.nearly(member, perk)],
        }
        chosen = wished.get(wish) or offers
        member, perk = chosen[(7 * pick + which) % len(chosen)]
        self.names += 1
        return member, perk, f"form-{self.names}"

    def on_hold(self, member: Member, perk: Perk) -> bool:
        return perk.price is not None and self.model.balance(member.id, perk.unit) >= perk.price

    def nearly(self, member: Member, perk: Perk) -> bool:
        if perk.price is None:
            return self.model.left(perk) == 0 or len(self.model.confirmed(member.id)) + 1 == perk.unlocked_at
        return self.model.balance(member.id, perk.unit) > 0

    def refusal(self, member: Member, perk: Perk, key: str) -> type[DomainError] | None:
        done = (member.id, self.model.redemption_key(perk, key)) in self.model.redemptions
        return None if done or self.model.can_redeem(member.id, perk, self.now) else CannotRedeem

    def redeem_with(self, member: Member, perk: Perk, key: str) -> None:
        def send() -> bool:
            return perks.redeem(member.id, perk.id, key, self.now)

        before, refused = self.tables(), self.refusal(member, perk, key)
        self.judge_redemption(member, perk, key, before, refused, self.request(6, send, refused))
        if not refused:
            self.repeatable.append((f"redeem {key}", send, lambda: True))

    def judge_redemption(
        self, member: Member, perk: Perk, key: str, before: Tables, refused: type[DomainError] | None, answer: object
    ) -> None:
        if refused:
            holds(6, isinstance(answer, refused), f"{refused.__name__} was due, not {answer!r}")
            return
        if (member.id, self.model.redemption_key(perk, key)) in self.model.redemptions:
            holds(9, answer is False, "a repeated redemption counts as a new one")
            holds(9, self.tables() == before, f"a repeated redemption changed {self.differences(before)}")
            return
        holds(6, answer is True, f"a redemption gave {answer!r}")
        self.model.redeem(member.id, perk, key, self.now)
        self.keys.append((member, perk, key))

    # Running the program

    @rule(values=st.one_of(RULES, RULES, RULES, PRESETS, BAD_RULES))
    def change_rules(self, values: dict[str, Any]) -> None:
        self.put_in_force(values)

    def put_in_force(self, values: dict[str, Any]) -> None:
        refused = BadSetting if values in NOT_RULES else None
        self.request(7, lambda: programs.change(values, self.now), refused)
        if not refused:
            self.model.versions.append(self.model.rules | values)

    @precondition(lambda self: self.active)
    @rule(
        pick=PICK,
        how=st.sampled_from(["listed", "hidden", "hidden", "gone"]),
        name=st.sampled_from(["", "Somebody", "Ada L."]),
    )
    def show_hide_or_erase(self, pick: int, how: str, name: str) -> None:
        member = self.active[pick % len(self.active)]
        if how == "gone":
            self.erase(member)
            return
        listed = how == "listed"
        self.request(5, lambda: accounts.set_public_profile(member.user_id, name, listed))
        member.listed, member.display_name = listed, name

    def erase(self, member: Member) -> None:
        before = self.tables()

        def send() -> None:
            accounts.erase(member.user_id, self.now)

        self.request(10, send)
        self.model.erase(member)
        for table in before.keys() - {"user", "outbox", "leaderboard_change"}:
            earlier, later = before[table], self.tables()[table]
            if table == "profile":
                earlier, later = ([r._replace(listed=None, updated=None) for r in rows] for rows in (earlier, later))
            holds(10, earlier == later, f"erasing a member changed {table}")
        self.repeatable.append((f"erase {member.id}", send, lambda: True))

    @rule(span=SPANS)
    def wait(self, span: timedelta) -> None:
        self.world.clock.now += span

    @rule(how=st.sampled_from(["sent", "sent", "refused", "some refused", "erased meanwhile"]))
    def deliver_mail(self, how: str) -> None:
        tried = Counter[int]()

        def send(message: OutboxMessage, user: User) -> None:
            member = next(m for m in self.members if m.user_id == message.user_id)
            holds(10, member.active, f"{message.kind} is sent to a former member")
            holds(8, user.email == member.email, f"mail for {member.email} goes to {user.email}")
            tried[message.id] += 1
            if how == "erased meanwhile":
                with self.world.app.app_context():
                    accounts.erase(member.user_id, self.now)
                self.model.erase(member)
            if how in {"refused", "erased meanwhile"} or (how == "some refused" and message.id % 2):
                raise OSError("the mail server is away")
            self.sent[message.id] += 1

        crashing, sent_before = self.trap is not None, self.sent.copy()
        self.request(8, lambda: outbox.deliver_due(send, self.world.clock), whole=False)
        holds(9, crashing or all(times == 1 for times in tried.values()), f"in one go, mail is tried again: {tried}")
        delivered = {row.id for row in self.tables()["outbox"] if row.delivered_at}
        self.unsure.update(
            {each: n for each, n in (self.sent - sent_before).items() if crashing and each not in delivered}
        )
        waiting = [row for row in self.tables()["outbox"] if row.next_try_at and not row.delivered_at]
        due = [row for row in waiting if row.next_try_at <= self.now]
        holds(8, not due, f"still to be sent: {due}")

    @rule(how=st.sampled_from(["told", "told", "away", "emptied"]))
    def catch_up(self, how: str) -> None:
        """Tell Redis what changed; it may be away, or lose what it has."""
        if how == "emptied":
            self.world.redis.flushdb()
            self.flushes += 1
        elif how == "told":
            self.request(5, lambda: leaderboard.catch_up(self.world.redis, self.now))
            holds(5, not self.tables()["leaderboard_change"], "something is left to tell Redis")
        else:
            before = self.tables()
            with mock.patch.object(Pipeline, "execute", side_effect=RedisError("away")):
                answer = self.answer(lambda: leaderboard.catch_up(self.world.redis, self.now))
            if isinstance(answer, RedisError):
                holds(5, self.tables() == before, "what Redis was not told is forgotten")

    # Going wrong

    @rule(crash=CRASHES)
    def crash_next(self, crash: tuple[str, int]) -> None:
        """Let the next request crash at its n-th statement, commit or inner call, and be sent again."""
        self.trap = crash

    @precondition(lambda self: self.repeatable)
    @rule(pick=PICK, newest=st.booleans())
    def repeat(self, pick: int, newest: bool) -> None:
        """Send again what was done before."""
        name, send, still = self.repeatable[-1 - (pick % 3 if newest else pick) % len(self.repeatable)]
        if not still():
            return
        before = {table: self.lasting(table) for table in self.tables()}
        answer = self.answer(send)
        holds(9, not isinstance(answer, IntegrityError), f"{name}, again: {answer}")
        changed = [table for table in before if self.lasting(table) != before[table]]
        holds(9, not changed, f"{name}, again, changed {changed}")

    def lasting(self, table: str) -> list[Any]:
        """Give a table without what says only that somebody asked."""
        if table == "leaderboard_change":
            return []
        return [
            tuple(value for key, value in row._asdict().items() if (table, key) != ("profile", "updated"))
            for row in self.tables()[table]
        ]

    def tamper(self) -> None:
        """Try what the database itself must refuse."""
        before = self.tables()
        for number, sql in FORBIDDEN:
            self.refuses(number, sql)
        self._tables = None
        holds(4, self.tables() == before, f"tampering changed {self.differences(before)}")

    def refuses(self, number: int, sql: str) -> None:
        with self.world.engine.connect() as connection:
            try:
                changed = connection.execute(text(sql)).rowcount
            except DBAPIError:
                changed = 0
            connection.rollback()
        holds(number, not changed, f"the database lets anybody {sql}")

    # What must always hold

    @invariant()
    def what_must_always_hold(self) -> None:
        self.invariant_01_one_referrer_fixed_at_signup()
        self.invariant_02_a_live_link_inside_the_window_before_the_signup()
        self.invariant_03_each_side_is_credited_once()
        self.invariant_04_the_ledger_and_the_trail_only_grow()
        self.invariant_05_copies_equal_a_recount()
        self.invariant_06_nobody_spends_what_they_do_not_have()
        self.invariant_07_credits_are_due_and_as_promised()
        self.invariant_08_each_change_has_its_event_and_its_messages()
        self.invariant_09_verified_is_verified()
        self.invariant_10_nothing_names_a_former_member()

    def invariant_01_one_referrer_fixed_at_signup(self) -> None:
        tables = self.tables()
        came_by = {row.friend_id: row.referrer_id for row in tables["referral"]}
        holds(1, len(came_by) == len(tables["referral"]), "somebody has two referrals")
        for row in tables["profile"]:
            holds(1, self._referrers.setdefault(row.id, row.referred_by_id) == row.referred_by_id, f"{row} changed")
            holds(1, came_by.get(row.id) == row.referred_by_id, f"{row} and its referral differ")
            seen, at = {row.id}, row.referred_by_id
            while at is not None:
                holds(1, at not in seen, f"{row} is its own ancestor")
                seen.add(at)
                at = self._referrers[at]
        holds(1, set(self._referrers) == set(self.model.members), f"members {set(self._referrers)}")

    def invariant_02_a_live_link_inside_the_window_before_the_signup(self) -> None:
        rows = {row.id: row for row in self.tables()["referral"]}
        holds(2, rows.keys() == self.model.referrals.keys(), f"referrals {rows.keys()}")
        for each in self.model.referrals.values():
            row = rows[each.id]
            holds(2, (row.referrer_id, row.friend_id) == (each.referrer, each.friend), f"{row}")
            holds(2, (row.visited_at, row.created) == (each.visit.at, each.created), f"{row} was at another time")
            window = timedelta(days=each.rules["window_days"])
            holds(2, timedelta(0) <= row.created - row.visited_at <= window, f"{row} is outside the window")
            holds(2, each.visit.live and row.channel == each.visit.channel, f"{row} came by no live link")

    def invariant_03_each_side_is_credited_once(self) -> None:
        ledger = self.tables()["reward_entry"]
        credits = Counter((row.referral_id, row.profile_id, row.kind) for row in ledger if row.referral_id)
        holds(3, all(number == 1 for number in credits.values()), f"credited twice: {credits}")
        entries = {row.id: row for row in ledger}
        reversals = [row for row in ledger if row.kind == "reversal"]
        reversed_ids = Counter(row.reverses_id for row in reversals)
        holds(3, all(number == 1 for number in reversed_ids.values()), f"taken back twice: {reversed_ids}")
        for row in reversals:
            original = entries[row.reverses_id]
            same = (row.profile_id, row.unit, -row.amount) == (original.profile_id, original.unit, original.amount)
            holds(3, same and original.kind != "reversal", f"{row} is not the opposite of {original}")

    def invariant_04_the_ledger_and_the_trail_only_grow(self) -> None:
        for table, kept in self._kept.items():
            now_there = {row.id: row for row in self.tables()[table]}
            for row_id, row in kept.items():
                holds(4, now_there.get(row_id) == row, f"{table} {row} became {now_there.get(row_id)}")
            kept.update(now_there)

    def invariant_05_copies_equal_a_recount(self) -> None:
        tables, truth = self.tables(), self.model
        badges = defaultdict(set)
        for row in tables["badge_award"]:
            holds(5, row.badge not in badges[row.profile_id], f"{row} is there twice")
            badges[row.profile_id].add(row.badge)
        for row in tables["profile"]:
            expected = len(truth.confirmed(row.id)), truth.reached(row.id)
            found = row.referral_count, row.last_confirmed_at
            holds(5, found == expected, f"member {row.id} has {found}, not {expected}")
            holds(5, badges[row.id] == truth.badges(row.id), f"member {row.id} has {badges[row.id]}")
        running = Counter[tuple[int, str]]()
        numbers = Counter[tuple[int, str]]()
        for row in tables["reward_entry"]:
            running[row.profile_id, row.unit] += row.amount
            numbers[row.profile_id, row.unit] += 1
            right = running[row.profile_id, row.unit], numbers[row.profile_id, row.unit]
            holds(5, (row.balance, row.number) == right, f"{row} should have balance and number {right}")
        self.steps += 1
        moment = self.now, self.flushes, tables
        if moment != self._last_read:
            self.compare_what_members_read()
            self._last_read = moment
        if self.steps % RECOUNT_EVERY == 0:
            self.recount()
            self.tamper()

    def compare_what_members_read(self) -> None:
        truth, who = self.model, self.members[self.steps % len(self.members)]
        with self.world.app.app_context():
            for number, period in enumerate(Period):
                board = truth.board(period.value, self.now)
                expected = board[:3], next((place for place in board if place[1] == who.id), None)
                found = _plain(leaderboard.read(self.world.redis, period, self.now, who.id, limit=3))
                holds(5, found == expected, f"the leaderboard {period} is {found}, not {expected}")
                if number == self.steps % 3:
                    found = _plain(leaderboard.from_sql(period, self.now, who.id, limit=3))
                    holds(5, found == expected, f"the leaderboard {period} by SQL is {found}, not {expected}")
            for balance in rewards.balances(who.id, truth.rules["unit"], self.now):
                expected = truth.balance(who.id, balance.unit), truth.available(who.id, balance.unit, self.now)
                holds(5, (balance.amount, balance.available) == expected, f"{balance} of {who}, not {expected}")
            figures = statistics.for_member(who.user_id, self.now)
        if not who.active:
            holds(10, figures is None, "a former member has a dashboard")
            return
        waiting = sum(r.referrer == who.id and r.state in {"pending", "held"} for r in truth.referrals.values())
        found = figures and (figures.total_referrals, figures.rewards, figures.pending, figures.standing.tier)
        expected = len(truth.confirmed(who.id)), truth.balance(who.id, truth.rules["unit"]), waiting, truth.tier(who.id)
        holds(5, found == expected, f"the dashboard of {who} says {found}, not {expected}")

    def recount(self) -> None:
        """Ask the product's own recount; it tells Redis what changed on the way."""
        drifts = self.answer(lambda: list(recount.drifts(self.world.redis, self.now)))
        holds(5, drifts == [], f"the recount says {drifts}")

    def invariant_06_nobody_spends_what_they_do_not_have(self) -> None:
        tables = self.tables()
        redemptions, entries = tables["redemption"], {row.id: row for row in tables["reward_entry"]}
        claimed = {(row.profile_id, row.key): row.perk_id for row in redemptions}
        holds(6, claimed == self.model.redemptions, f"claimed {claimed}")
        paid = [row.entry_id for row in redemptions if row.entry_id]
        spent = {row.id for row in entries.values() if row.kind == "redemption"}
        holds(6, len(paid) == len(spent) and set(paid) == spent, f"paid {paid}, spent {spent}")
        before = Counter[tuple[int, str]]()
        for row in entries.values():
            in_debt = row.balance < 0 <= before[row.profile_id, row.unit]
            holds(6, not in_debt or row.kind == "reversal", f"{row} makes a debt")
            before[row.profile_id, row.unit] = row.balance
        for row in (entries[each] for each in spent):
            earlier = (e for e in entries.values() if (e.profile_id, e.unit) == (row.profile_id, row.unit))
            free = sum(e.amount for e in earlier if e.number <= row.number and e.available_at <= row.created)
            holds(6, free >= 0, f"{row} spends what is on hold")
        self.stock_adds_up()

    def stock_adds_up(self) -> None:
        tables = self.tables()
        rows = {row.id: row for row in tables["perk"]}
        claimed = Counter(row.perk_id for row in tables["redemption"])
        owners = [row.redemption_id for row in tables["coupon"] if row.redemption_id]
        holds(6, len(owners) == len(set(owners)), f"one redemption has two coupons: {owners}")
        for perk in self.model.perks:
            given = sum(bool(row.redemption_id) for row in tables["coupon"] if row.perk_id == perk.id)
            left = self.model.left(perk)
            holds(6, left is None or left >= 0, f"{perk} is oversold")
            holds(6, perk.coupons or rows[perk.id].stock == left, f"{perk} has {rows[perk.id].stock} left, not {left}")
            holds(6, given == (claimed[perk.id] if perk.coupons else 0), f"{given} coupons of {perk} are given away")

    def invariant_07_credits_are_due_and_as_promised(self) -> None:
        ledger = self.tables()["reward_entry"]
        for row in ledger:
            if row.referral_id:
                friend = self.model.members[self.model.referrals[row.referral_id].friend]
                due = friend.verified_at is not None or not friend.needs_verification
                holds(7, due, f"{row} came before the verification")
        positions = {row.id: position for position, row in enumerate(ledger)}
        found = [
            Entry(
                row.profile_id, row.kind, row.amount, row.unit, row.created, row.available_at, row.referral_id,
                positions.get(row.reverses_id), row.mark,
            )
            for row in ledger
        ]  # fmt: skip
        holds(7, found == self.model.ledger, f"the ledger is {found}, not {self.model.ledger}")
        given = {
            row.referral_id: row.evidence["given"]
            for row in self.tables()["referral_event"]
            if row.to_state == "confirmed"
        }
        expected = {each.id: each.given for each in self.model.referrals.values() if each.given}
        holds(7, given == expected, f"the trail says {given} was given, not {expected}")
        versions = [{key: getattr(row, key) for key in programs.DEFAULT} for row in self.tables()["program"]]
        holds(7, versions == self.model.versions, "the versions of the rules are not those put in force")

    def invariant_08_each_change_has_its_event_and_its_messages(self) -> None:
        states = {row.id: (row.state, row.decided_at) for row in self.tables()["referral"]}
        expected = {each.id: (each.state, each.decided) for each in self.model.referrals.values()}
        holds(8, states == expected, f"states {states}, not {expected}")
        trails = defaultdict(list)
        for row in self.tables()["referral_event"]:
            trails[row.referral_id].append((row.from_state, row.to_state, row.actor_id, row.created))
        expected_trails = {each.id: each.trail for each in self.model.referrals.values()}
        holds(8, trails == expected_trails, f"the trail is {dict(trails)}, not {expected_trails}")
        mails = Counter(
            (row.kind, row.user_id, json.dumps(row.payload, sort_keys=True)) for row in self.tables()["outbox"]
        )
        expected_mails = Counter(self.model.mails.values())
        holds(8, mails == expected_mails, f"too many: {mails - expected_mails}, missing: {expected_mails - mails}")
        for row in self.tables()["outbox"]:
            holds(8, not row.delivered_at or self.sent[row.id], f"{row} was never sent")
            holds(9, self.sent[row.id] <= 1 + self.unsure[row.id], f"{row} was sent {self.sent[row.id]} times")

    def invariant_09_verified_is_verified(self) -> None:
        found = {row.id: row.verified_at for row in self.tables()["user"]}
        expected = {member.user_id: member.verified_at for member in self.members}
        holds(9, found == expected, f"verified at {found}, not {expected}")

    def invariant_10_nothing_names_a_former_member(self) -> None:
        users = {row.id: row for row in self.tables()["user"]}
        for member in self.members:
            row = users[member.user_id]
            found = row.username, row.email, row.display_name, row.is_active
            expected = member.username, member.email, member.display_name, member.active
            holds(10, found == expected, f"member {member.id} is {found}, not {expected}")
            if not member.active:
                profile = next(each for each in self.tables()["profile"] if each.id == member.id)
                holds(10, row.password_hash == "!" and not row.is_admin, f"{row} can still be opened")
                holds(10, not profile.listed, f"{profile} is still listed")
                mine = [each for each in self.tables()["outbox"] if each.user_id == member.user_id]
                late = [each for each in mine if each.next_try_at and not each.delivered_at]
                holds(10, not late, f"a former member will get {late}")


def _plain(board: leaderboard.Leaderboard) -> tuple[Any, Any]:
    places = [(place.rank, place.profile_id, place.name, place.referrals) for place in board.places]
    own = board.own and (board.own.rank, board.own.profile_id, board.own.name, board.own.referrals)
    return places, own
