"""How people come into the program: clicks, signups, addresses confirmed."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from referralhub.database import transaction
from referralhub.extensions import db
from referralhub.models import Channel, TokenPurpose, Unit, User
from referralhub.services.accounts import credentials, sign_ins, signup, tokens
from referralhub.services.fraud.signals import RequestOrigin
from referralhub.services.perks import catalogue
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.services.shared.errors import BadLink, Taken, UnknownCode
from tests.properties import model
from tests.properties.invariants import CheckedMachine, holds
from tests.properties.model import Member, Perk, Referral, Visit
from tests.properties.strategies import (
    CURRENCIES,
    EARLY_RULES,
    OFTEN,
    PICK,
    RULES,
    SELLING_RULES,
)

MOST_MEMBERS = 12
PASSWORD = "likes tea a lot"


class JoiningRules(CheckedMachine):
    @initialize(values=EARLY_RULES | SELLING_RULES, friends=st.lists(st.booleans(), max_size=4))
    def begin(self, values: dict[str, Any], friends: list[bool]) -> None:
        """Open with these rules, an admin, Alice, and friends of hers, each of whom has verified or not."""
        self.open(values, friends)

    def open(self, values: dict[str, Any], friends: list[bool]) -> None:
        self.put_in_force(values)
        admin = self.answer(lambda: signup.create_admin("warden", "warden@example.com", PASSWORD, self.now))
        row = self.tables()["profile"][-1]
        self.admin = admin.id
        joined = Member(row.id, admin.id, "warden", "warden@example.com", row.code, None, self.now, False)
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
            ("travel", 2000, "USD", None, 1, None),
            *((f"gift in {currency}", 15, currency, None, None, None) for currency in CURRENCIES),
            ("badge", None, Unit.POINTS, 1, 2, None),
            ("jacket", None, Unit.POINTS, 2, None, ["J-1"]),
        ):
            pieces = {"price": price, "unit": unit, "unlocked_at": unlocked_at, "stock": stock, "coupons": coupons}
            perk_id = self.answer(lambda name=name, pieces=pieces: catalogue.add(name, "", self.now, **pieces))
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

    def is_proven(self, address: str) -> bool:
        """Tell whether some account has proven to read the mail of an address."""
        return any(m.email.lower() == address.lower() and m.verified_at is not None for m in self.members)

    def new_name(self) -> str:
        self.names += 1
        return f"member{self.names}"

    def sign_up_as(self, username: str, came_by: Visit | None, required: bool) -> Member:
        now, email = self.now, f"{username.lower()}@example.com"
        taken = any(username.lower() == m.username.lower() for m in self.members)
        taken = taken or (not required and self.is_proven(email))
        referrer = self.model.referrer_by(came_by, now) if came_by else None
        refused = Taken if taken else None
        if not taken and came_by and came_by.channel is Channel.CODE and referrer is None:
            refused = UnknownCode
        attribution = came_by and FollowedLink(came_by.code, Channel(came_by.channel), came_by.at)

        def send() -> Any:
            return signup.sign_up(
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
        # Once the member is called otherwise, the name is free.
        self.repeatable.append((f"sign up {username}", send, lambda: joined.active and joined.username == username))
        self.sign_in(joined)
        self.issue(joined)
        return joined

    def sign_in(self, member: Member) -> None:
        def begin() -> int:
            user = db.session.get_one(User, member.user_id)
            sign_ins.begin(user, "Firefox on Linux", RequestOrigin(), self.now)
            return int(user.get_id())

        member.sign_in = self.answer(begin)

    def issue(self, member: Member) -> None:
        """Make a token as the mail does; there are those of the mails that were delivered, too."""
        self.tokens.append((self.new_token(member, TokenPurpose.VERIFY_ADDRESS, member.email), member, self.now))

    def new_token(self, member: Member, purpose: TokenPurpose, address: str) -> str:
        def issue() -> str:
            with transaction() as session:
                return tokens.issue(session, purpose, member.user_id, address, self.now)

        if purpose is TokenPurpose.VERIFY_ADDRESS:
            self.end_tokens(member)
        token: str = self.answer(issue)
        return token

    def end_tokens(self, member: Member) -> None:
        """A newer link of a kind ends the older ones that were not used."""
        self.ended |= {token for token, whose, _ in self.tokens if whose is member and token not in self.used}

    # Verifying

    @rule(
        pick=PICK,
        which=st.sampled_from(
            ["fresh", "fresh", "any kept", "any kept", "made up", "digest", "purpose", "other address"]
        ),
    )
    def verify(self, pick: int, which: str) -> None:
        waiting = [m for m in self.active if m.verified_at is None and m.reachable]
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
        good = not old and token not in self.ended
        before, usable = self.tables(), member is not None and member.active and good

        def send() -> bool:
            return credentials.verify_address(token, self.now)

        someone_elses = (
            usable and member.verified_at is None and token not in self.used and self.is_proven(member.email)
        )
        answer = self.request(7, send, Taken if someone_elses else None if usable else BadLink)
        if member is None or not usable or someone_elses:
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
        if member.verified_at is None and member.reachable:
            self.model.ask_to_verify(member, self.now)
