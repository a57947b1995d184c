"""The worker delivers the outbox, and receivers are as they are."""

from collections import Counter
from collections.abc import Callable
from email.message import EmailMessage

from hypothesis import strategies as st
from hypothesis.stateful import rule

from referralhub import mail_content
from referralhub.models import MessageKind, OutboxMessage, User
from referralhub.services.accounts import erasure
from referralhub.services.mailing import outbox
from referralhub.services.mailing.delivery import Delivery, Refused, Unwanted
from referralhub.services.mailing.kinds import news
from referralhub.services.referrals import invitation_progress
from referralhub.words.referrals import FORMER_MEMBER
from tests.people import link_in, text_of
from tests.properties.invariants import Broken, CheckedMachine, holds
from tests.properties.model import Member

PATIENCE = 60  # seconds; a slow test machine is no receiver that hangs


class MailRules(CheckedMachine):
    def keep_token(self, token: str, member: Member) -> None:
        """Remember a link that was mailed; the newest is the one that works."""
        self.end_tokens(member)
        self.tokens.append((token, member, self.now))

    @rule(how=st.sampled_from(["sent", "sent", "refused", "some refused", "bounced", "erased meanwhile"]))
    def deliver_mail(self, how: str) -> None:
        tried, wrong, receivers, unwanted = Counter[int](), list[Broken](), dict[int, Member](), set[int]()

        def check(number: int, truth: object, message: str) -> None:
            if not truth:  # raised here, it would be one more letter that could not be sent
                wrong.append(Broken(number, message))

        def write(message: OutboxMessage, user: User) -> EmailMessage:
            member = receivers[message.id] = self.receiver(message.user_id)
            tried[message.id] += 1
            pointless = self.is_unwanted(message, member)
            try:
                letter = mail_content.write(message, user)
            except Unwanted:
                check(8, pointless, f"nobody is said to want {message.kind} for {member}")
                unwanted.add(message.id)
                raise
            except Exception as error:
                check(8, False, f"{message.kind} cannot be written: {error!r}")
                raise
            check(8, not pointless, f"{message.kind} of {member} goes to {letter['To']}, where nobody wants it")
            self.check_letter(message, member, letter, check)
            if message.kind is MessageKind.VERIFY_ADDRESS and (member.verified_at or not self.is_proven(member.email)):
                self.keep_token(link_in(letter, "/verify/").rpartition("/")[2], member)
            return letter

        def post(letter: EmailMessage) -> None:
            message_id = int(letter["Message-ID"][1:9])
            member = receivers[message_id]
            check(10, member.active, f"{letter['Subject']} is sent to a former member")
            if how == "erased meanwhile":
                with self.world.app.app_context():
                    erasure.erase(member.user_id, FORMER_MEMBER, self.now)
                self.model.erase(member)
            if how == "bounced" and message_id % 2:
                self.given_up.add(message_id)
                raise Refused(f"550 no such mailbox: {letter['To']}")
            if how in {"refused", "erased meanwhile"} or (how == "some refused" and message_id % 2):
                raise OSError(f"450 busy: {letter['To']}")
            self.sent[message_id] += 1

        crashing, sent_before = self.trap is not None, self.sent.copy()
        delivery = Delivery(
            write,
            post,
            self.world.clock,
            invitation_progress.note_posted,
            invitation_progress.note_bounced,
            invitation_progress.note_unwanted,
            hurry=PATIENCE,
        )
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

    def is_unwanted(self, message: OutboxMessage, member: Member) -> bool:
        """News goes to confirmed addresses only, an invitation to none of a member, a question while it is open."""
        if message.kind is MessageKind.CLAIM_QUESTION:
            claim = self.model.claims[message.payload["claim_id"]]
            open_ = claim.state == "asked" and self.model.members[claim.claimant].active
            return member.referrer is not None or not open_
        if message.address is None:
            return not member.reachable or (message.kind in news() and member.verified_at is None)
        return any(each.email.lower() == message.address.lower() for each in self.members)

    def receiver(self, user_id: int) -> Member:
        return next(member for member in self.members if member.user_id == user_id)

    def check_letter(
        self, message: OutboxMessage, member: Member, letter: EmailMessage, check: Callable[[int, object, str], None]
    ) -> None:
        """See that a letter goes to its receiver and names the friend as of today."""
        address = message.address or member.email
        check(8, letter["To"] == address, f"mail for {address} goes to {letter['To']}")
        if "referral_id" in message.payload:
            friend = self.model.members[self.model.referrals[message.payload["referral_id"]].friend]
            check(8, friend.name in text_of(letter), f"{message.kind} does not name {friend.name}")
        if "claim_id" in message.payload:
            claimant = self.model.members[self.model.claims[message.payload["claim_id"]].claimant]
            check(8, claimant.name in text_of(letter), f"{message.kind} does not name {claimant.name}")

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
