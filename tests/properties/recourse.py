"""Members enter codes later, miss friends, and appeal; friends answer, and admins decide."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from referralhub.extensions import db
from referralhub.models import Channel, Reason, Role, User
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.recourse import answers, appeals, decisions, late_codes, missing
from referralhub.services.recourse.missing import MOST_OPEN, SAME_CLICK
from referralhub.services.referrals import lifecycle
from referralhub.services.shared.audit import Actor
from referralhub.services.shared.errors import (
    AlreadyDone,
    BadLink,
    Conflict,
    DomainError,
    NotFound,
    UnknownCode,
    WrongState,
)
from tests.properties.invariants import holds
from tests.properties.joining import MOST_MEMBERS, JoiningRules
from tests.properties.model import EXPIRES, Claim, Member, Referral, Visit
from tests.properties.strategies import MAYBE_CRASHES, OFTEN, PICK, SPANS

WHY = "we asked both of them"


class RecourseRules(JoiningRules):
    # A code that is entered later

    @precondition(lambda self: self.active)
    @rule(pick=PICK, whose=PICK, right=OFTEN, crash=MAYBE_CRASHES)
    def enter_code(self, pick: int, whose: int, right: bool, crash: tuple[str, int] | None) -> None:
        """Enter the code of a member who was there before, mostly, or whatever code there is."""
        free = [member for member in self.active if member.referrer is None] if right else []
        member = (free or self.active)[pick % len(free or self.active)]
        earlier = [each for each in self.active if each.id < member.id] if right else []
        owner = (earlier or self.members)[whose % len(earlier or self.members)]
        self.trap = self.trap or crash
        self.enter(member, owner, owner.code if whose % 10 else "nobodys1")

    @precondition(lambda self: len(self.model.members) < MOST_MEMBERS and self.active)
    @rule(pick=PICK, verified=st.sampled_from(["before", "after", "never"]), span=SPANS, crash=MAYBE_CRASHES)
    def join_alone_and_enter_a_code(
        self, pick: int, verified: str, span: timedelta, crash: tuple[str, int] | None
    ) -> None:
        owner = self.active[pick % min(3, len(self.active))]
        friend = self.sign_up_as(self.new_name(), None, True)
        if verified == "before":
            self.verify_with(*self.tokens[-1])
        self.world.clock.now += span / 2
        self.trap = self.trap or crash
        self.enter(friend, owner, owner.code)
        if verified == "after":
            self.verify_with(*self.tokens[-1])

    def enter(self, member: Member, owner: Member, code: str) -> None:
        refused = self.why_no_code(member, code)

        def send() -> Any:
            return late_codes.enter(member.id, code.upper(), RequestOrigin(), self.now)

        self.request(2, send, refused)
        if refused:
            return
        rules, now = self.model.rules, self.now
        row = next(row for row in self.tables()["referral"] if row.friend_id == member.id)
        came = Visit(code, Channel.CODE.value, member.joined, live=True)
        verified = member.verified_at is not None
        self.model.begin(Referral(row.id, owner.id, member.id, rules, came, member.joined), now, announced=not verified)
        if verified:
            self.model.settle(member, now)
        self.repeatable.append((f"enter a code for {member.username}", send, lambda: member.active))

    def why_no_code(self, member: Member, code: str) -> type[DomainError] | None:
        owner = self.model.owner(code)
        if member.referrer is not None:
            return AlreadyDone if owner and owner.id == member.referrer else Conflict
        days = self.model.rules["late_code_days"]
        if not days or self.now > member.joined + timedelta(days=days):
            return Conflict
        if owner is None:
            return UnknownCode
        return Conflict if owner.id >= member.id else None

    # A friend who is missed

    @precondition(lambda self: self.active)
    @rule(pick=PICK, which=PICK, whom=st.sampled_from(["friend", "friend", "friend", "member", "nobody", "oneself"]))
    def claim(self, pick: int, which: int, whom: str) -> None:
        claimant = self.active[pick % min(3, len(self.active))]
        free = [each for each in self.active if each.referrer is None and each.id > claimant.id]
        address = {
            "friend": free[which % len(free)].email.upper() if free else "x@example.com",
            "member": self.active[which % len(self.active)].email,
            "nobody": f"nobody{which}@example.com",
            "oneself": claimant.email,
        }[whom]
        self.claim_for(claimant, address)

    @precondition(lambda self: len(self.model.members) < MOST_MEMBERS and self.proven)
    @rule(pick=PICK, again=st.booleans(), until=st.integers(0, 3), agrees=OFTEN, fine=OFTEN, crash=MAYBE_CRASHES)
    def miss_a_newcomer(
        self, pick: int, again: bool, until: int, agrees: bool, fine: bool, crash: tuple[str, int] | None
    ) -> None:
        """Somebody joins alone, is claimed, once or twice, is asked, answers, and an admin decides; or not yet."""
        claimants = [self.proven[(pick + number) % len(self.proven)] for number in range(1 + again)]
        friend = self.sign_up_as(self.new_name(), None, True)
        self.verify_with(*self.tokens[-1])
        for claimant in claimants:
            self.claim_for(claimant, friend.email)
        claims = [claim for claim in self.claims if claim.address == friend.email]
        if until > 0:
            self.ask()
        for claim in claims:
            if until > 1 and claim.asked:
                self.answer_by(claim, agrees)
        for claim in claims:
            self.trap = self.trap or crash
            if until > 2:
                self.decide_on(claim, fine)

    @property
    def proven(self) -> list[Member]:
        return [member for member in self.active if member.verified_at]

    def claim_for(self, claimant: Member, address: str) -> None:
        before = self.of(claimant, address)
        refused: type[DomainError] | None = None
        if claimant.verified_at is None:
            refused = Conflict
        elif address.lower() == claimant.email.lower():
            refused = DomainError
        elif before:
            refused = AlreadyDone if self.now - before.created < SAME_CLICK else Conflict
        elif sum(c.state in {"asked", "agreed"} for c in self.claims if c.claimant == claimant.id) >= MOST_OPEN:
            refused = Conflict
        channel, words = Channel.QR, f"{claimant.username} sat beside them"

        def send() -> None:
            user = db.session.get_one(User, claimant.user_id)
            missing.claim(user, address, self.now.date(), channel, words, self.now)

        self.request(8, send, refused)
        if refused:
            return
        row = self.tables()["referral_claim"][-1]
        self.model.claims[row.id] = Claim(row.id, claimant.id, address, channel.value, self.now)
        self.repeatable.append((f"claim {row.id}", send, lambda: claimant.active and self.known(row.id)))

    @property
    def claims(self) -> list[Claim]:
        return list(self.model.claims.values())

    def of(self, claimant: Member, address: str) -> Claim | None:
        mine = (claim for claim in self.claims if claim.claimant == claimant.id and claim.address)
        return next((claim for claim in mine if claim.address.lower() == address.lower()), None)

    def known(self, claim_id: int) -> bool:
        """Whether the address of a claim is kept, so that a second one is known for that."""
        return self.model.claims[claim_id].address is not None

    @rule(crash=MAYBE_CRASHES)
    def ask_friends(self, crash: tuple[str, int] | None) -> None:
        self.trap = self.trap or crash
        self.ask()

    def ask(self) -> None:
        number = self.request(8, lambda: missing.ask_friends(self.now))
        expected = self.model.ask(self.now)
        holds(8, number == expected, f"{number} friends were asked, not {expected}")

    @precondition(lambda self: any(claim.asked for claim in self.model.claims.values()))
    @rule(pick=PICK, agrees=OFTEN, crash=MAYBE_CRASHES)
    def answer_claim(self, pick: int, agrees: bool, crash: tuple[str, int] | None) -> None:
        """Press a button behind a link that was mailed, however old it is."""
        asked = [claim for claim in self.claims if claim.asked]
        waiting = [claim for claim in asked if claim.state == "asked"]
        self.trap = self.trap or crash
        self.answer_by((waiting or asked)[pick % len(waiting or asked)], agrees)

    def answer_by(self, claim: Claim, agrees: bool) -> None:
        """Let the friend answer who was mailed the question."""
        friend = self.model.members[claim.asked]
        claimant = self.model.members[claim.claimant]
        refused: type[Exception] | None = None
        if claim.friend == friend.id:
            refused = AlreadyDone
        elif not (claimant.active and friend.active) or claim.state != "asked" or claim.created <= self.now - EXPIRES:
            refused = BadLink

        def send() -> Any:
            return answers.answer(claim.id, friend.id, agrees, RequestOrigin(), self.now)

        state = self.request(8, send, refused)
        if not refused:
            expected = self.model.answer(claim, friend, agrees)
            holds(1, state == expected, f"{claim} became {state}, not {expected}")
            self.repeatable.append((f"answer {claim.id}", send, lambda: True))

    @precondition(lambda self: self.model.claims)
    @rule(pick=PICK, fine=OFTEN, right=OFTEN, crash=MAYBE_CRASHES)
    def decide_claim(self, pick: int, fine: bool, right: bool, crash: tuple[str, int] | None) -> None:
        waiting = [claim for claim in self.claims if claim.state == "agreed"] if right else []
        self.trap = self.trap or crash
        self.decide_on((waiting or self.claims)[pick % len(waiting or self.claims)], fine)

    def decide_on(self, claim: Claim, fine: bool) -> None:
        after = "confirmed" if fine else "rejected"
        friend = self.model.members[claim.friend] if claim.friend else None
        refused: type[DomainError] | None = None
        if claim.state != "agreed":
            refused = AlreadyDone if claim.state == after else Conflict
        elif fine and friend and friend.referrer is not None:
            refused = Conflict
        step = decisions.confirm if fine else decisions.reject

        def send() -> None:
            step(claim.id, Reason.stated(WHY), Actor(Role.ADMIN, self.admin), self.now)

        self.request(1, send, refused)
        if refused or friend is None:
            return
        self.model.decide(claim, after)
        self.repeatable.append((f"decide {claim.id}", send, lambda: True))
        if fine:
            row = next(row for row in self.tables()["referral"] if row.friend_id == friend.id)
            came = Visit("", claim.channel, friend.joined, live=True)
            begun = Referral(row.id, claim.claimant, friend.id, self.model.rules, came, friend.joined)
            self.model.begin(begun, self.now, announced=False)
            self.model.confirm(begun, self.admin, self.now)

    @rule()
    def expire_claims(self) -> None:
        due = self.model.overdue(self.now)
        number = self.request(8, lambda: missing.expire_due(self.now))
        holds(8, number == len(due), f"{number} claims expired, not {len(due)}")
        for claim in due:
            claim.state = "expired"

    @invariant()
    def a_claim_is_where_its_people_have_brought_it(self) -> None:
        rows = self.tables()["referral_claim"]
        found = {row.id: (row.claimant_id, row.address, row.state, row.friend_id) for row in rows}
        expected = {c.id: (c.claimant, c.address, c.state, c.friend) for c in self.claims}
        holds(10, {k: v[1] for k, v in found.items()} == {k: v[1] for k, v in expected.items()}, f"addresses {found}")
        holds(8, found == expected, f"claims are {found}, not {expected}")
        agreed = [row.friend_id for row in rows if row.state in {"agreed", "confirmed"}]
        holds(1, len(agreed) == len(set(agreed)), f"somebody has agreed to two claims: {agreed}")
        for row in rows:
            if row.state == "confirmed":
                brought = self.model.members[row.friend_id].referrer
                holds(1, brought == row.claimant_id, f"{row} is confirmed, and the friend came by {brought}")

    # An appeal

    @precondition(lambda self: self.model.referrals)
    @rule(pick=PICK, right=OFTEN, crash=MAYBE_CRASHES)
    def appeal(self, pick: int, right: bool, crash: tuple[str, int] | None) -> None:
        everybody = list(self.model.referrals.values())
        rejected = [each for each in everybody if each.state == "rejected"]
        chosen = (rejected or everybody)[pick % len(rejected or everybody)]
        self.trap = self.trap or crash
        self.appeal_against(chosen, right)

    @precondition(lambda self: any(each.state in {"pending", "held"} for each in self.model.referrals.values()))
    @rule(pick=PICK, often=st.integers(1, 3))
    def reject_and_appeal(self, pick: int, often: int) -> None:
        waiting = [each for each in self.model.referrals.values() if each.state in {"pending", "held"}]
        chosen = waiting[pick % len(waiting)]
        for _ in range(often):
            if chosen.state == "pending":
                self.step("hold", chosen)
                self.model.hold(chosen, self.admin, self.now)
            if chosen.state == "held":
                self.step("reject", chosen)
                self.model.move(chosen, "rejected", self.admin, self.now)
            self.appeal_against(chosen, True)

    def step(self, step: str, referral: Referral) -> None:
        actor, why = Actor(Role.ADMIN, self.admin), Reason.stated(WHY)
        self.request(8, lambda: getattr(lifecycle, step)(referral.id, actor, why, self.now))

    def appeal_against(self, chosen: Referral, right: bool) -> None:
        who = self.model.members[chosen.referrer if right else chosen.friend]
        if not who.active:
            return
        refused: type[DomainError] | None = None
        if not right:
            refused = NotFound
        elif chosen.id in self.model.appeals:
            refused = AlreadyDone if chosen.state == "held" else Conflict
        elif chosen.state != "rejected":
            refused = WrongState

        def send() -> None:
            appeals.file(chosen.id, who.id, f"{who.username} knows better", self.now)

        self.request(9, send, refused)
        if not refused:
            self.model.appeals.add(chosen.id)
            self.model.move(chosen, "held", None, self.now)
            self.repeatable.append((f"appeal {chosen.id}", send, lambda: True))

    @invariant()
    def there_is_one_appeal_for_a_referral(self) -> None:
        found = {row.referral_id for row in self.tables()["appeal"]}
        holds(8, found == self.model.appeals, f"appeals against {found}, not {self.model.appeals}")
        twice = [
            row.referral_id
            for row in self.tables()["referral_event"]
            if (row.from_state, row.to_state) == ("rejected", "held")
        ]
        holds(9, len(twice) == len(set(twice)), f"appealed against twice: {twice}")
