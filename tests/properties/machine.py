"""A machine that uses the program in every order there is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from redis import RedisError
from redis.client import Pipeline
from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError

from referralhub.database import reading
from referralhub.extensions import db
from referralhub.models import LeaderboardChange, Reason, Role
from referralhub.models import Perk as PerkRow
from referralhub.services.accounts import erasure, profile
from referralhub.services.ledger import leaderboard
from referralhub.services.perks import claims
from referralhub.services.program import rules
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import BadSetting, CannotRedeem, DomainError, Taken, Unverified, WrongState
from referralhub.words.referrals import FORMER_MEMBER
from tests.properties.invariants import holds
from tests.properties.inviting import InvitingRules
from tests.properties.joining import MOST_MEMBERS
from tests.properties.mailing import MailRules
from tests.properties.model import Member, Perk, Referral, Visit
from tests.properties.recourse import WHY, RecourseRules
from tests.properties.selling import SellingRules
from tests.properties.strategies import (
    BAD_RULES,
    CRASHES,
    MAYBE_CRASHES,
    NOT_RULES,
    OFTEN,
    PICK,
    PRESETS,
    RULES,
    SALES,
    SELLING_RULES,
    SPANS,
    WISHES,
)
from tests.properties.world import Tables, World

REASON = "looked at it twice"


class ProgramMachine(SellingRules, RecourseRules, InvitingRules, MailRules):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.visits: list[Visit] = []
        self.tokens: list[tuple[str, Member, datetime]] = []
        self.used: set[str] = set()
        self.ended: set[str] = set()
        self.keys: list[tuple[Member, Perk, str]] = []
        self.repeatable: list[tuple[str, Callable[[], object], Callable[[], bool]]] = []
        self.names = 0

    # Deciding

    def decide(self, step: str, state: str, pick: int, right: bool) -> Referral | None:
        """Take a step with a referral, mostly one that is where the step begins; give it if the step was taken."""
        everybody = list(self.model.referrals.values())
        there = [referral for referral in everybody if referral.state == state] if right else []
        chosen = (there or everybody)[pick % len(there or everybody)]
        refused: type[DomainError] | None = None if chosen.state == state else WrongState
        if step == "release" and refused is None and not self.is_vouched_for(self.model.members[chosen.friend]):
            refused = Unverified

        def send() -> None:
            getattr(lifecycle, step)(chosen.id, Actor(Role.ADMIN, self.admin), Reason.stated(REASON), self.now)

        self.request(7 if refused is Unverified else 8, send, refused)
        if refused:
            return None
        self.repeatable.append((f"{step} {chosen.id}", send, lambda: True))
        return chosen

    def is_vouched_for(self, friend: Member) -> bool:
        """Tell whether the address is confirmed, or a product knows them."""
        return friend.verified_at is not None or (friend.active and friend.number is not None)

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
        number = self.request(8, lambda: lifecycle.expire_due(self.now), whole=False)
        holds(8, number == due or crashing, f"{number} referrals expired, not {due}")
        self.model.expire(self.now)
        self.changes_nothing(9, lambda: lifecycle.expire_due(self.now))

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
                    answer = claims.redeem(mine[0].id, mine[1].id, mine[2], self.now)
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
            "on hold": self.too_early(),
            "nearly": [(member, perk) for member, perk, can in judged if not can and self.nearly(member, perk)],
        }
        chosen = wished.get(wish) or offers
        member, perk = chosen[(7 * pick + which) % len(chosen)]
        return member, perk, self.new_form()

    def new_form(self) -> str:
        self.names += 1
        return f"form-{self.names}"

    @precondition(lambda self: self.too_early())
    @rule(pick=PICK)
    def redeem_too_early(self, pick: int) -> None:
        early = self.too_early()
        self.redeem_with(*early[pick % len(early)], self.new_form())

    def too_early(self) -> list[tuple[Member, Perk]]:
        """Find who has the price of what, but not free of hold yet."""
        return [
            (member, perk)
            for member in self.active
            for perk in self.model.perks
            if perk.price is not None
            and self.model.left(perk) != 0
            and self.model.available(member.id, perk.unit, self.now)
            < perk.price
            <= self.model.balance(member.id, perk.unit)
        ]

    def nearly(self, member: Member, perk: Perk) -> bool:
        if perk.price is None:
            return self.model.left(perk) == 0 or len(self.model.confirmed(member.id)) + 1 == perk.unlocked_at
        return self.model.balance(member.id, perk.unit) > 0

    def refusal(self, member: Member, perk: Perk, key: str) -> type[DomainError] | None:
        done = (member.id, self.model.redemption_key(perk, key)) in self.model.redemptions
        return None if done or self.model.can_redeem(member.id, perk, self.now) else CannotRedeem

    def redeem_with(self, member: Member, perk: Perk, key: str) -> None:
        def send() -> bool:
            return claims.redeem(member.id, perk.id, key, self.now)

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
        wanted = self.model.rules | values
        both = any(wanted[f"{side}_share"] and wanted[f"{side}_amount"] for side in ("referrer", "friend"))
        refused = BadSetting if values in NOT_RULES or both else None
        self.request(7, lambda: rules.change(values, self.now), refused)
        if not refused and self.model.rules | values != self.model.rules:
            self.model.versions.append(self.model.rules | values)

    @precondition(lambda self: self.active)
    @rule(
        pick=PICK,
        how=st.sampled_from(["listed", "hidden", "hidden", "gone"]),
        name=st.sampled_from(["", "Somebody", "Ada L."]),
        username=st.sampled_from(["same", "same", "new", "taken"]),
    )
    def show_hide_or_erase(self, pick: int, how: str, name: str, username: str) -> None:
        member = self.active[pick % len(self.active)]
        if how == "gone":
            self.erase(member)
            return
        listed, other = how == "listed", self.members[(pick + 1) % len(self.members)]
        wanted = {"same": member.username.title(), "new": self.new_name(), "taken": other.username.upper()}[username]
        refused = Taken if username == "taken" and other is not member else None
        self.request(5, lambda: profile.set_public_profile(member.user_id, wanted, name, listed, "", self.now), refused)
        if not refused:
            self.model.rename(member, wanted, name, listed)

    def erase(self, member: Member) -> None:
        before = self.tables()

        def send() -> None:
            erasure.erase(member.user_id, FORMER_MEMBER, self.now)

        self.request(10, send)
        self.model.erase(member)
        kept, expected = len(self.tables()["former_address"]), len(self.model.former_addresses)
        holds(10, kept == expected, f"{kept} former addresses are kept, not {expected}")
        for table in before.keys() - {"user", "outbox", "former_address"}:
            earlier, later = before[table], self.tables()[table]
            if table in {"sign_in", "one_time_token"}:  # the member's own are gone, says the invariant
                earlier = [row for row in earlier if row.user_id != member.user_id]
                mailed = member.former | {member.email}  # links that went there are gone, whose ever they were
                earlier, later = ([r for r in rows if _goes_to(r) not in mailed] for rows in (earlier, later))
            if table in {"sighting", "signup_facts"}:
                earlier = [row for row in earlier if row.profile_id != member.id]
            if table == "external_member":
                earlier = [row for row in earlier if row.user_id != member.user_id]
            if table == "event":  # what was told beside what was bought; the model knows what stays
                changed: dict[str, None] = dict.fromkeys(["digest", "signup", "details"])
                earlier, later = ([r._replace(**changed) for r in rows] for rows in (earlier, later))
            if table == "invitation":  # what it must not say any more is looked for everywhere
                changed = dict.fromkeys(["address", "words", "state", "changed"])
                earlier, later = ([r._replace(**changed) for r in rows] for rows in (earlier, later))
            if table == "referral_claim":
                changed = dict.fromkeys(["address", "words", "state", "reason", "changed"])
                earlier, later = ([r._replace(**changed) for r in rows] for rows in (earlier, later))
            if table == "appeal":
                earlier, later = ([r._replace(words=None) for r in rows] for rows in (earlier, later))
            if table == "profile":
                earlier, later = ([r._replace(listed=None, updated=None) for r in rows] for rows in (earlier, later))
            holds(10, earlier == later, f"erasing a member changed {table}")
        # What the product told since then would be forgotten, too.
        self.repeatable.append((f"erase {member.id}", send, lambda: not self.model.sales.told_of(member)))

    @rule(span=SPANS)
    def wait(self, span: timedelta) -> None:
        self.world.clock.now += span

    @rule(how=st.sampled_from(["told", "told", "away", "emptied"]))
    def catch_up(self, how: str) -> None:
        """Tell Redis what changed; it may be away, or lose what it has."""
        if how == "emptied":
            self.world.redis.flushdb()
            self.flushes += 1
        elif how == "told":
            self.request(5, lambda: leaderboard.catch_up(self.world.redis, self.now))
            left = self.answer(lambda: reading().scalar(select(exists(select(LeaderboardChange.id)))))
            holds(5, not left, "something is left to tell Redis")
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

    @rule(how=st.sampled_from(["frozen", "killed"]))
    def cut_off_next(self, how: str) -> None:
        """Let the next request not tell Redis whose figures it changes, or not that it has done so."""
        self.world.mishap = how

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
        return [
            tuple(value for key, value in row._asdict().items() if (table, key) != ("profile", "updated"))
            for row in self.tables()[table]
        ]


class MemberMachine(ProgramMachine):
    """Has to do with members alone: no product sells, and nobody misses credit.

    What is rare among all the steps that there are, as a former member's link, happens more often.
    """

    sell_by_rules = bring_a_customer = sell = give_back = correct_referrer = tell_again = replay = None
    hand_over = end_holds = None
    enter_code = join_alone_and_enter_a_code = claim = miss_a_newcomer = ask_friends = answer_claim = None
    decide_claim = expire_claims = appeal = reject_and_appeal = None

    @precondition(lambda self: len(self.model.members) < MOST_MEMBERS and any(map(self.may_invite, self.active)))
    @rule(pick=PICK)
    def invite_who_joins_before_the_mail_is_sent(self, pick: int) -> None:
        inviters = [member for member in self.active if self.may_invite(member)]
        name = self.new_name()
        self.invite_by_mail(inviters[pick % len(inviters)], f"{name}@example.com")
        self.sign_up_as(name, None, True)

    @precondition(lambda self: any(each.state == "confirmed" for each in self.model.referrals.values()))
    @rule(pick=PICK, how=st.sampled_from(["frozen", "killed"]))
    def cut_off_a_reversal(self, pick: int, how: str) -> None:
        """Take back a referral without telling Redis, while the referrer looks at the figures."""
        confirmed = [each for each in self.model.referrals.values() if each.state == "confirmed"]
        referral = confirmed[pick % len(confirmed)]
        referrer = self.model.members[referral.referrer]
        self.compare_what_is_read_by(referrer)
        self.world.mishap = how
        self.step("reverse", referral)
        self.model.reverse(referral, self.admin, WHY, self.now)
        self.compare_what_is_read_by(referrer)


class ShopMachine(ProgramMachine):
    """Does little but sell: what is rare there, as a refund of what was handed over, happens all the time.

    It looks at no pages; the other does.
    """

    visit = sign_up = ask_again = expire_due = catch_up = cut_off_next = change_rules = None
    enter_code = join_alone_and_enter_a_code = claim = miss_a_newcomer = ask_friends = answer_claim = None
    decide_claim = expire_claims = appeal = reject_and_appeal = invite = remind = deliver_mail = send_again = None
    begin = hold = judge = reverse = None

    def compare_pages(self, who: Member) -> None:
        pass

    @precondition(lambda self: self.model.referrals)
    @rule(step=st.sampled_from(["hold", "judge", "judge", "reverse"]), pick=PICK, fine=OFTEN, crash=MAYBE_CRASHES)
    def decide_now_and_then(self, step: str, pick: int, fine: bool, crash: tuple[str, int] | None) -> None:
        if step == "hold":
            ProgramMachine.hold(self, pick, True)
        elif step == "judge":
            ProgramMachine.judge(self, pick, True, fine, crash)
        else:
            ProgramMachine.reverse(self, pick, True, crash)

    @precondition(lambda self: any(each.state == "pending" for each in self.model.referrals.values()))
    @rule(pick=PICK, sales=SALES, fine=OFTEN)
    def sell_while_it_is_held(self, pick: int, sales: list[dict[str, Any]], fine: bool) -> None:
        waiting = [each for each in self.model.referrals.values() if each.state == "pending"]
        referral = waiting[pick % len(waiting)]
        friend = self.model.members[referral.friend]
        self.step("hold", referral)
        self.model.hold(referral, self.admin, self.now)
        number = self.number_of(friend)
        self.tell([self.sale(number, sale, self.now) for sale in sales])
        if fine and self.is_vouched_for(friend):
            self.step("release", referral)
            self.model.confirm(referral, self.admin, self.now)

    @precondition(lambda self: any(reward.state == "due" for reward in self.tables()["reward"]))
    @rule(pick=PICK, sales=SALES)
    def fail_and_sell_on(self, pick: int, sales: list[dict[str, Any]]) -> None:
        due = [reward for reward in self.tables()["reward"] if reward.state == "due"]
        reward = due[pick % len(due)]
        self.decide_reward(reward, "fail")
        entry = next(entry for entry in self.tables()["reward_entry"] if entry.id == reward.entry_id)
        if entry.referral_id:
            number = self.number_of(self.model.members[self.model.referrals[entry.referral_id].friend])
            self.tell([self.sale(number, sale, self.now) for sale in sales])

    @precondition(lambda self: self.customers())
    @rule(pick=PICK, sales=SALES)
    def erase_a_customer_and_sell_on(self, pick: int, sales: list[dict[str, Any]]) -> None:
        customer = self.customers()[pick % len(self.customers())]
        self.erase(customer)
        self.tell([self.sale(self.number_of(customer), sale, self.now) for sale in sales])

    def customers(self) -> list[Member]:
        return [member for member in self.active if member.number and self.model.state_of(member.id)]

    @initialize(values=SELLING_RULES, baskets=st.lists(SALES, min_size=1, max_size=3))
    def begin_to_sell(self, values: dict[str, Any], baskets: list[list[dict[str, Any]]]) -> None:
        self.open(values, [])
        for number, sales in enumerate(baskets):
            self.bring_a_customer(number, "click", timedelta(hours=6), False, sales, number, True, None)


def _goes_to(row: Any) -> str | None:
    """Give the address that a link was mailed to, of a row that has one."""
    return getattr(row, "address", None)
