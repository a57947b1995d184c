"""The ledger of sample members, kept in memory by the rules of `ledger.entries` and written in one go."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from referralhub.models import Program, ReferralState, RewardKind
from referralhub.services.sample.people import Newcomer

CREDITED = (ReferralState.CONFIRMED, ReferralState.REVERSED)


@dataclass(slots=True)
class Entry:
    """A line of the ledger to be; people and referrals are positions among the newcomers."""

    member: int
    friend: int  # whose joining it is about
    kind: RewardKind
    amount: int
    at: datetime
    available_at: datetime
    number: int
    balance: int
    mark: int | None = None
    reverses: int | None = None  # the position of another entry
    note: str = ""
    taken_back: bool = False


class Ledger:
    """Credits and their reversals, in the order in which they happen."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.entries: list[Entry] = []
        self.given: dict[int, dict[str, int]] = {}  # to both sides, by the friend's position
        self._own: dict[int, list[int]] = defaultdict(list)  # a member's entries
        self._earned: Counter[int] = Counter()  # by referring, as far as it stands
        self._confirmed: Counter[int] = Counter()

    def credit(self, referrer: int, friend: int, at: datetime) -> None:
        """Give both sides what the program promises, and the referrer's milestone if this reaches one."""
        program = self.program
        self._confirmed[referrer] += 1
        given = {"referrer": self._within_cap(referrer, program.referrer_amount), "friend": program.friend_amount}
        self.given[friend] = given
        self._post(referrer, friend, RewardKind.REFERRER, given["referrer"], at)
        self._post(friend, friend, RewardKind.FRIEND, given["friend"], at)
        mark = self._confirmed[referrer]
        bonus = sum(milestone.get("bonus", 0) for milestone in program.milestones if milestone["at"] == mark)
        self._post(referrer, friend, RewardKind.MILESTONE, self._within_cap(referrer, bonus), at, mark)

    def take_back(self, referrer: int, friend: int, at: datetime, note: str) -> None:
        """Write the opposite of what a referral gave, and of milestones that its referrer no longer reaches."""
        self._confirmed[referrer] -= 1
        count = self._confirmed[referrer]
        for position in sorted({*self._own[referrer], *self._own[friend]}):
            entry = self.entries[position]
            credited = entry.friend == friend and entry.kind in {RewardKind.REFERRER, RewardKind.FRIEND}
            missed = entry.member == referrer and entry.mark is not None and entry.mark > count
            if not entry.taken_back and (credited or missed):
                self._reverse(position, at, note)

    def _reverse(self, position: int, at: datetime, note: str) -> None:
        original = self.entries[position]
        original.taken_back = True
        self._post(original.member, original.friend, RewardKind.REVERSAL, -original.amount, at)
        reversal = self.entries[-1]
        reversal.available_at, reversal.reverses, reversal.note = original.available_at, position, note
        if original.kind is not RewardKind.FRIEND:
            self._earned[original.member] -= original.amount

    def _within_cap(self, member: int, amount: int) -> int:
        cap = self.program.member_cap
        return amount if cap is None else max(0, min(amount, cap - self._earned[member]))

    def _post(
        self, member: int, friend: int, kind: RewardKind, amount: int, at: datetime, mark: int | None = None
    ) -> None:
        if not amount:
            return
        own = self._own[member]
        last = self.entries[own[-1]] if own else None
        available_at = at + timedelta(days=self.program.hold_days)
        number, balance = (last.number + 1, last.balance + amount) if last else (1, amount)
        own.append(len(self.entries))
        self.entries.append(Entry(member, friend, kind, amount, at, available_at, number, balance, mark))
        if kind in {RewardKind.REFERRER, RewardKind.MILESTONE}:
            self._earned[member] += amount


def keep(newcomers: Sequence[Newcomer], program: Program) -> Ledger:
    """Play all confirmations and reversals in the order of time."""
    steps: list[tuple[datetime, int, int, bool]] = []  # when, whose friend, which one, whether it is a reversal
    for friend, newcomer in enumerate(newcomers):
        referrer, confirmed_at = newcomer.referrer, newcomer.verified_at
        if referrer is None or confirmed_at is None or newcomer.state not in CREDITED:
            continue
        steps.append((confirmed_at, friend, referrer, False))
        if newcomer.state is ReferralState.REVERSED and newcomer.decided_at:
            steps.append((newcomer.decided_at, friend, referrer, True))
    ledger = Ledger(program)
    for at, friend, referrer, reversal in sorted(steps):
        if reversal:
            ledger.take_back(referrer, friend, at, newcomers[friend].reason)
        else:
            ledger.credit(referrer, friend, at)
    return ledger
