"""A machine that uses the program in every order there is."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from redis import RedisError
from redis.client import Pipeline
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from referralhub import mail
from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import NOTIFICATIONS, Channel, MessageKind, OutboxMessage, TokenPurpose, Unit, User
from referralhub.models import Perk as PerkRow
from referralhub.services import (
    accounts,
    credentials,
    leaderboard,
    outbox,
    perks,
    programs,
    referrals,
    sign_ins,
    tokens,
)
from referralhub.services.delivery import Delivery, Refused, Unwanted
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
from referralhub.services.referrals import Attribution
from referralhub.services.signals import Seen
from tests.people import link_in, text_of
from tests.properties import model
from tests.properties.invariants import Broken, CheckedMachine, holds
from tests.properties.model import Member, Perk, Referral, Visit
from tests.properties.strategies import (
    BAD_RULES,
    CRASHES,
    EARLY_RULES,
    MAYBE_CRASHES,
    NOT_RULES,
    OFTEN,
    PICK,
    PRESETS,
    RULES,
    SPANS,
    WISHES,
)
from tests.properties.world import Tables, World

MOST_MEMBERS = 12
PASSWORD = "likes tea a lot"
REASON = "looked at it twice"
PATIENCE = 60  # seconds; a slow test machine is no receiver that hangs


class ProgramMachine(CheckedMachine):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.visits: list[Visit] = []
        self.tokens: list[tuple[str, Member, datetime]] = []
        self.used: set[str] = set()
        self.keys: list[tuple[Member, Perk, str]] = []
        self.repeatable: list[tuple[str, Callable[[], object], Callable[[], bool]]] = []
        self.names = 0

    # Joining

    @initialize(values=EARLY_RULES, friends=st.lists(st.booleans(), max_size=4))
    def begin(self, values: dict[str, Any], friends: list[bool]) -> None:
        """Open with these rules, an admin, Alice, and friends of hers, each of whom has verified or not."""
        self.put_in_force(values)
        admin = self.answer(lambda: accounts.create_admin("admin", "admin@example.com", PASSWORD, self.now))
        row = self.tables()["profile"][-1]
        self.admin = admin.id
        joined = Member(row.id, admin.id, "admin", "admin@example.com", row.code, None, self.now, False)
        self.model.join(joined, self.now)
        self.sign_in(joined)
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
        joined = Member(profile.id, user.id, username, email, profile.code, came, None if required else now, required)
        self.model.join(joined, now)
        found = [row for row in self.tables()["referral"] if row.friend_id == joined.id]
        holds(2, len(found) == (1 if referrer else 0), f"{username} has the referrals {found}")
        if referrer:
            rules = self.model.rules
            self.model.begin(Referral(found[0].id, referrer.id, joined.id, rules, came_by, now), now)
            if not required:
                self.model.settle(joined, now)
        self.repeatable.append((f"sign up {username}", send, lambda: joined.active))
        self.sign_in(joined)
        self.issue(joined)
        return joined

    def sign_in(self, member: Member) -> None:
        def begin() -> int:
            user = db.session.get_one(User, member.user_id)
            sign_ins.begin(user, "Firefox on Linux", Seen(), self.now)
            return int(user.get_id())

        member.sign_in = self.answer(begin)

    def issue(self, member: Member) -> None:
        """Make a token as the mail does; there are those of the mails that were delivered, too."""
        self.tokens.append((self.new_token(member, TokenPurpose.VERIFY_ADDRESS, member.email), member, self.now))

    def new_token(self, member: Member, purpose: TokenPurpose, address: str) -> str:
        def issue() -> str:
            with transaction() as session:
                return tokens.issue(session, purpose, member.user_id, address, self.now)

        token: str = self.answer(issue)
        return token

    # Verifying

    @rule(
        pick=PICK,
        which=st.sampled_from(
            ["fresh", "fresh", "any kept", "any kept", "made up", "digest", "purpose", "other address"]
        ),
    )
    def verify(self, pick: int, which: str) -> None:
        waiting = [m for m in self.active if m.verified_at is None]
        referred = [m for m in waiting if self.model.state_of(m.id)]
        waiting = referred or waiting or self.active or self.members
        member = waiting[pick % len(waiting)]
        if which == "any kept" and self.tokens:
            self.verify_with(*self.tokens[pick % len(self.tokens)])
        elif which == "made up" or not member.active:
            self.verify_with("A" * 43, None, self.now)
        elif which == "other address":
            token = self.new_token(member, TokenPurpose.VERIFY_ADDRESS, "else@example.com")
            self.verify_with(token, None, self.now)
        elif which == "purpose":
            token = self.new_token(member, TokenPurpose.RESET_PASSWORD, member.email)
            self.verify_with(token, None, self.now)
        else:
            self.issue(member)
            if which == "digest":
                self.verify_with(self.tables()["one_time_token"][-1].digest, None, self.now)
            else:
                self.verify_with(*self.tokens[-1])

    def verify_with(self, token: str, member: Member | None, issued: datetime) -> None:
        """Press the button behind a link; `member` is whom it was mailed to, None if the token is no good."""
        old = self.now - issued >= model.TOKEN_LIVES
        before, usable = self.tables(), member is not None and member.active and not old

        def send() -> bool:
            return credentials.verify_address(token, self.now)

        answer = self.request(7, send, None if usable else BadLink)
        if member is None or not usable:
            return
        if member.verified_at is not None:
            holds(9, answer is False, "a second verification counts as a first")
            known = (
                self.tables() if token in self.used else self.tables() | {"one_time_token": before["one_time_token"]}
            )
            holds(9, known == before, f"a second verification changed {self.differences(before)}")
            self.used.add(token)
            return
        holds(7, answer is True, "a first verification counts as a second")
        member.verified_at = self.now
        self.used.add(token)
        self.model.settle(member, self.now)
        self.repeatable.append((f"verify {member.username}", send, lambda: True))

    @precondition(lambda self: self.active)
    @rule(pick=PICK)
    def ask_again(self, pick: int) -> None:
        """Ask for the mail with the link once more."""
        member = self.active[pick % len(self.active)]
        self.request(8, lambda: credentials.resend_verification(member.user_id, self.now))
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
        self.request(5, lambda: accounts.set_public_profile(member.user_id, wanted, name, listed), refused)
        if not refused:
            self.model.rename(member, wanted, name, listed)

    def erase(self, member: Member) -> None:
        before = self.tables()

        def send() -> None:
            accounts.erase(member.user_id, self.now)

        self.request(10, send)
        self.model.erase(member)
        for table in before.keys() - {"user", "outbox", "leaderboard_change"}:
            earlier, later = before[table], self.tables()[table]
            if table in {"sign_in", "one_time_token"}:  # the member's own are gone, says the invariant
                earlier = [row for row in earlier if row.user_id != member.user_id]
            if table in {"sighting", "signup_facts"}:
                earlier = [row for row in earlier if row.profile_id != member.id]
            if table == "profile":
                earlier, later = ([r._replace(listed=None, updated=None) for r in rows] for rows in (earlier, later))
            holds(10, earlier == later, f"erasing a member changed {table}")
        self.repeatable.append((f"erase {member.id}", send, lambda: True))

    @rule(span=SPANS)
    def wait(self, span: timedelta) -> None:
        self.world.clock.now += span

    @rule(how=st.sampled_from(["sent", "sent", "refused", "some refused", "bounced", "erased meanwhile"]))
    def deliver_mail(self, how: str) -> None:
        tried, wrong, receivers, unwanted = Counter[int](), list[Broken](), dict[int, Member](), set[int]()

        def check(number: int, truth: object, message: str) -> None:
            if not truth:  # raised here, it would be one more letter that could not be sent
                wrong.append(Broken(number, message))

        def write(message: OutboxMessage, user: User) -> EmailMessage:
            member = receivers[message.id] = self.receiver(message.user_id)
            tried[message.id] += 1
            unconfirmed_news = message.kind in NOTIFICATIONS and member.verified_at is None
            try:
                letter = mail.write(message, user)
            except Unwanted:
                check(8, unconfirmed_news, f"nobody is said to want {message.kind} for {member}")
                unwanted.add(message.id)
                raise
            except Exception as error:
                check(8, False, f"{message.kind} cannot be written: {error!r}")
                raise
            check(8, not unconfirmed_news, f"{message.kind} goes to {member}, whose address is not confirmed")
            self.check_letter(message, member, letter, check)
            if message.kind is MessageKind.VERIFY_ADDRESS:
                self.tokens.append((link_in(letter, "/verify/").rpartition("/")[2], member, self.now))
            return letter

        def post(letter: EmailMessage) -> None:
            message_id = int(letter["Message-ID"][1:9])
            member = receivers[message_id]
            check(10, member.active, f"{letter['Subject']} is sent to a former member")
            if how == "erased meanwhile":
                with self.world.app.app_context():
                    accounts.erase(member.user_id, self.now)
                self.model.erase(member)
            if how == "bounced" and message_id % 2:
                self.given_up.add(message_id)
                raise Refused(f"550 no such mailbox: {member.email}")
            if how in {"refused", "erased meanwhile"} or (how == "some refused" and message_id % 2):
                raise OSError(f"450 busy: {letter['To']}")
            self.sent[message_id] += 1

        crashing, sent_before = self.trap is not None, self.sent.copy()
        delivery = Delivery(write, post, self.world.clock, PATIENCE)
        self.request(8, delivery.run, whole=False)
        for broken in wrong:
            raise broken
        holds(9, crashing or all(times == 1 for times in tried.values()), f"in one go, mail is tried again: {tried}")
        delivered = {row.id for row in self.tables()["outbox"] if row.delivered_at}
        self.unsure.update(
            {each: n for each, n in (self.sent - sent_before).items() if crashing and each not in delivered}
        )
        self.given_up |= unwanted
        dropped = [row for row in self.tables()["outbox"] if row.id in unwanted]
        silently = all(row.next_try_at is None and row.last_error is None for row in dropped)
        holds(8, crashing or silently, f"not wanted and not dropped, or not silently: {dropped}")
        waiting = [row for row in self.tables()["outbox"] if row.next_try_at and not row.delivered_at]
        due = [row for row in waiting if row.next_try_at <= self.now]
        holds(8, not due, f"still to be sent: {due}")

    def receiver(self, user_id: int) -> Member:
        return next(member for member in self.members if member.user_id == user_id)

    def check_letter(
        self, message: OutboxMessage, member: Member, letter: EmailMessage, check: Callable[[int, object, str], None]
    ) -> None:
        """See that a letter goes to its receiver and names the friend as of today."""
        check(8, letter["To"] == member.email, f"mail for {member.email} goes to {letter['To']}")
        if "referral_id" in message.payload:
            friend = self.model.members[self.model.referrals[message.payload["referral_id"]].friend]
            check(8, friend.name in text_of(letter), f"{message.kind} does not name {friend.name}")

    @rule()
    def send_again(self) -> None:
        """Give dead letters another chance; what nobody wants is none, nor is a former member's."""
        rows = self.tables()["outbox"]
        dead = {row.id: row.user_id for row in rows if row.last_error and not (row.delivered_at or row.next_try_at)}
        receivers = [self.receiver(user_id) for user_id in dead.values()]
        holds(10, all(member.active for member in receivers), f"dead letters of former members: {receivers}")
        number = self.request(8, lambda: outbox.send_again(self.now))
        holds(8, number == len(dead), f"{number} messages are sent again, not {len(dead)}")
        self.given_up -= dead.keys()

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
