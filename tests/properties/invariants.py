"""What must always hold, checked after each step: the ten invariants of the design, each under its number.

One referrer (1), attribution (2), no second credit (3), an append-only ledger (4), copies that equal a recount (5),
spending (6), amounts (7), the trail and the outbox (8), repetition (9), erasure (10).
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import msgspec
from hypothesis.stateful import RuleBasedStateMachine, invariant
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from referralhub.kept_answers import KeptAnswers
from referralhub.services.accounts import sign_ins
from referralhub.services.ledger import entries, leaderboard, ranking, recount
from referralhub.services.ledger.ranking import Period
from referralhub.services.mailing.delivery import RETRIES
from referralhub.services.mailing.kinds import KINDS
from referralhub.services.program import rules
from referralhub.services.referrals import figures, statistics
from referralhub.services.shared import audit
from referralhub.services.shared.errors import DomainError
from tests.properties import model
from tests.properties.model import Entry, Member
from tests.properties.world import Crashed, Tables, World

RECOUNT_EVERY = 12  # steps; the product's own recount is as slow as everything else together

# What the database itself must refuse, with the number of the invariant.
_COLUMNS = (
    "profile_id, referral_id, conversion_id, cause_id, reverses_id, kind, amount, balance, unit, mark, note, "
    "available_at, created"
)
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


class CheckedMachine(RuleBasedStateMachine):
    """Sends requests to the program, with a model of what should be true beside it, and compares."""

    def __init__(self, world: World) -> None:
        super().__init__()
        world.begin()
        self.world = world
        self.model = model.Program(dict(rules.DEFAULT))
        self.trap: tuple[str, int] | None = None  # where the next request will crash
        self.sent = Counter[int]()
        self.unsure = Counter[int]()  # sent, but the crash came before that was written down
        self.given_up: set[int] = set()  # messages that were refused for good, or not wanted
        self.steps = self.flushes = 0
        self._tables: Tables | None = None
        self._kept: dict[str, dict[int, Any]] = {"reward_entry": {}, "referral_event": {}, "audit_log": {}}
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
            self.model.sales.due.clear()
            for row in self._tables["reward"]:
                if row.state in {"due", "failed"}:
                    self.model.sales.due[row.profile_id, row.unit] += row.amount
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
            self.world.mishap = ""
        except Crashed:
            self.world.mishap = ""
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

    # What must always hold

    @invariant()
    def what_must_always_hold(self) -> None:
        self.invariant_01_one_referrer_for_good()
        self.invariant_02_a_live_link_inside_the_window_before_the_signup()
        self.invariant_03_each_side_is_credited_once()
        self.invariant_04_the_ledger_and_the_trail_only_grow()
        self.invariant_05_copies_equal_a_recount()
        self.invariant_06_nobody_spends_what_they_do_not_have()
        self.invariant_07_credits_are_due_and_as_promised()
        self.invariant_08_each_change_has_its_event_and_its_messages()
        self.invariant_09_verified_is_verified()
        self.invariant_10_nothing_names_a_former_member()

    def invariant_01_one_referrer_for_good(self) -> None:
        tables = self.tables()
        came_by = {row.friend_id: row.referrer_id for row in tables["referral"]}
        holds(1, len(came_by) == len(tables["referral"]), "somebody has two referrals")
        self._referrers = {row.id: row.referred_by_id for row in tables["profile"]}
        for row in tables["profile"]:
            expected = self.model.members[row.id].referrer if row.id in self.model.members else None
            holds(1, row.referred_by_id == expected, f"{row} should have come by {expected}")
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
        credits = Counter(
            (row.referral_id, row.profile_id, row.kind) for row in ledger if row.referral_id and not row.conversion_id
        )
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
            self.compare_what_is_read_by(self.members[self.steps % len(self.members)])
            self._last_read = moment
        if self.steps % RECOUNT_EVERY == 0:
            self.recount()
            self.tamper()

    def compare_what_is_read_by(self, who: Member) -> None:
        truth = self.model
        with self.world.app.app_context():
            for number, period in enumerate(Period):
                board = truth.board(period.value, self.now)
                expected = board[:3], next((place for place in board if place[1] == who.id), None)
                found = _plain(leaderboard.read(self.world.redis, period, self.now, who.id, limit=3))
                holds(5, found == expected, f"the leaderboard {period} is {found}, not {expected}")
                if number == self.steps % 3:
                    found = _plain(ranking.from_sql(period, self.now, who.id, limit=3))
                    holds(5, found == expected, f"the leaderboard {period} by SQL is {found}, not {expected}")
            for balance in entries.balances(who.id, truth.unit_of(truth.rules), self.now):
                expected = truth.balance(who.id, balance.unit), truth.available(who.id, balance.unit, self.now)
                holds(5, (balance.amount, balance.available) == expected, f"{balance} of {who}, not {expected}")
            kept, now = figures.read(self.world.redis, who.id, self.now), statistics.of_member(who.id, self.now)
            counted, (signed_in, _) = now.statistics, sign_ins.member(who.sign_in) or (None, "")
        holds(5, kept.statistics == counted, f"{who} is shown {kept.statistics}, not {counted}")
        holds(5, kept.recent == now.recent, f"{who} has brought {kept.recent}, not {now.recent}")
        holds(5, kept.story == now.story, f"{who} reads {kept.story}, not {now.story}")
        self.compare_pages(who)
        if not who.active:
            holds(10, signed_in is None, "a former member has a dashboard")
            return
        waiting = sum(r.referrer == who.id and r.state in {"pending", "held"} for r in truth.referrals.values())
        found = signed_in and (counted.total_referrals, counted.rewards, counted.pending, counted.standing.tier)
        expected = (
            len(truth.confirmed(who.id)),
            truth.balance(who.id, truth.unit_of(truth.rules)),
            waiting,
            truth.tier(who.id),
        )
        holds(5, found == expected, f"the dashboard of {who} says {found}, not {expected}")

    def compare_pages(self, who: Member) -> None:
        """Ask for pages of a member, and have them made anew, whatever was kept."""
        session = {"_user_id": str(who.sign_in), "_permanent": True, "csrf_token": "any"}
        self.world.redis.set(f"session:theirs.{who.id}", msgspec.msgpack.encode(session))
        client = self.world.app.test_client()
        client.set_cookie("referralhub", f"theirs.{who.id}")
        for page in ("/dashboard/stats", "/leaderboard?period=month"):
            shown = client.get(page)
            with mock.patch.object(KeptAnswers, "_find", return_value=None):
                made = client.get(page)
            holds(5, _tokenless(shown.text) == _tokenless(made.text), f"{who} is shown {shown.text}")

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
            moved = row.kind == "adjustment" and row.conversion_id
            holds(6, not in_debt or moved or row.kind in {"reversal", "refund", "payout"}, f"{row} makes a debt")
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
        ledger = [row for row in ledger if row.conversion_id is None and row.kind != "payout"]  # see selling.py
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
        expected = {each.id: each.given for each in self.model.referrals.values() if each.given is not None}
        holds(7, given == expected, f"the trail says {given} was given, not {expected}")
        versions = [{key: getattr(row, key) for key in rules.DEFAULT} for row in self.tables()["program"]]
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
        decided = Counter(
            (row.referral_id, row.to_state, row.actor_id, row.reason_values.get("text"))
            for row in self.tables()["referral_event"]
            if row.actor_id is not None
        )
        lines = self.tables()["audit_log"]
        audited = Counter(
            (row.subject_id, row.after["state"], row.actor_id, row.reason) for row in lines if row.subject == "referral"
        )
        holds(8, audited == decided, f"decided was {decided}, the audit log has {audited}")
        chain = [audit.BEGINNING, *(row.digest for row in lines)]
        holds(8, [row.previous for row in lines] == chain[:-1], "the audit log is no unbroken chain")
        mails = Counter(
            (row.kind, row.user_id, json.dumps(row.payload, sort_keys=True)) for row in self.tables()["outbox"]
        )
        expected_mails = Counter(self.model.mails.values())
        holds(8, mails == expected_mails, f"too many: {mails - expected_mails}, missing: {expected_mails - mails}")
        newest = {(row.kind, row.user_id): row.id for row in self.tables()["outbox"]}
        for row in self.tables()["outbox"]:
            waits = row.next_try_at or row.delivered_at or row.id in self.given_up
            # A newer mail of a kind with a link stands for the older one.
            waits = waits or (KINDS[row.kind].token and row.id < newest[row.kind, row.user_id])
            waits = waits or (KINDS[row.kind].is_invitation and row.address is None)  # who had that address is gone
            active = any(member.active for member in self.members if member.user_id == row.user_id)
            holds(8, waits or not active or row.attempts > len(RETRIES), f"{row} will never be sent")
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
        signed_in = {(row.id, row.user_id) for row in self.tables()["sign_in"]}
        expected_in = {(member.sign_in, member.user_id) for member in self.members if member.active}
        holds(10, signed_in == expected_in, f"signed in are {signed_in}, not {expected_in}")
        gone = {member.user_id for member in self.members if not member.active}
        usable = [row for row in self.tables()["one_time_token"] if row.user_id in gone]
        holds(10, not usable, f"a former member has {usable}")
        self.nothing_is_left_of_a_name()

    def nothing_is_left_of_a_name(self) -> None:
        """Search every text for the user names and addresses of former members that nobody else has taken since."""
        former = {text.lower() for member in self.members if not member.active for text in member.former}
        former -= {text.lower() for member in self.active for text in (member.username, member.email)}
        if not former:
            return
        names = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, sorted(former)))})(?![\w@-]|\.\w)", re.IGNORECASE)
        for table, rows in self.tables().items():
            for row in rows:
                for column, value in row._asdict().items():
                    text = value if isinstance(value, str) else json.dumps(value, default=str)
                    holds(10, not names.search(text), f"{table}.{column} of {row} names a former member")

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


def _tokenless(html: str) -> list[str]:
    """Leave out what is another one each second."""
    return [line for line in html.splitlines() if 'name="csrf_token"' not in line]


def _plain(board: ranking.Leaderboard) -> tuple[Any, Any]:
    places = [(place.rank, place.profile_id, place.name, place.referrals) for place in board.places]
    own = board.own and (board.own.rank, board.own.profile_id, board.own.name, board.own.referrals)
    return places, own
