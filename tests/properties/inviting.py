"""Members invite by mail, and those whom they invite come by another way, or not at all."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from referralhub.extensions import db
from referralhub.models import MessageKind, User
from referralhub.services.referrals import invitations
from referralhub.services.shared.errors import CannotInvite
from tests.properties.invariants import CheckedMachine, holds
from tests.properties.model import Member
from tests.properties.strategies import PICK


class InvitingRules(CheckedMachine):
    @precondition(lambda self: self.active)
    @rule(pick=PICK, whom=st.sampled_from(["newcomer", "newcomer", "newcomer", "member", "again"]))
    def invite(self, pick: int, whom: str) -> None:
        """Invite one of the next to sign up, in capitals as it may be, a member, or one who was invited before."""
        inviter = self.active[pick % len(self.active)]
        before = [row.address for row in self.tables()["invitation"] if row.address]
        address = f"Member{self.names + 1 + pick % 3}@example.com"
        if whom == "member":
            address = self.active[-1 - pick % len(self.active)].email
        elif whom == "again" and before:
            address = before[pick % len(before)]
        self.invite_by_mail(inviter, address)

    def invite_by_mail(self, inviter: Member, address: str) -> None:
        def send() -> Any:
            user = db.session.get_one(User, inviter.user_id)
            return invitations.invite(user, [address], "", self.now)

        sent = self.request(8, send, None if self.may_invite(inviter) else CannotInvite)
        if not self.may_invite(inviter):
            return
        known = self.is_of_a_member(address) or address.lower() in self.model.invited
        holds(8, sent.invited == ([] if known else [address]), f"{address} is invited, or not: {sent}")
        if sent.invited:
            self.model.invited.add(address.lower())
            self.model.invite(self.tables()["invitation"][-1].id, inviter, MessageKind.INVITATION.value)

    @precondition(lambda self: self.tables()["invitation"])
    @rule(pick=PICK)
    def remind(self, pick: int) -> None:
        rows = self.tables()["invitation"]
        row = rows[-1 - pick % len(rows)]
        inviter = self.model.members[row.profile_id]
        if not inviter.active:
            return

        def send() -> None:
            invitations.remind(db.session.get_one(User, inviter.user_id), row.id, self.now)

        waits = row.state == "sent" and row.address and not row.reminded_at
        due = waits and self.now - row.created >= timedelta(days=3) and not self.is_of_a_member(row.address)
        possible = self.may_invite(inviter) and due
        self.request(8, send, None if possible else CannotInvite)
        if possible:
            self.model.invite(row.id, inviter, MessageKind.INVITATION_REMINDER.value, self.now)

    def may_invite(self, inviter: Member) -> bool:
        return self.model.rules["email_invitations"] and inviter.verified_at is not None

    def is_of_a_member(self, address: str) -> bool:
        return any(member.email.lower() == address.lower() for member in self.members)

    @invariant()
    def an_invitation_says_what_became_of_it(self) -> None:
        members = {member.email.lower(): member for member in self.active if member.verified_at}
        for row in self.tables()["invitation"]:
            if row.address is None:  # the inviter or the invited member is gone
                continue
            if friend := members.get(row.address.lower()):
                joined = "joined" if friend.referrer == row.profile_id else "joined_otherwise"
                holds(8, row.state == joined, f"{row} is that of {friend}")
            else:
                self.its_state_is_that_of_its_mail(row)
            self.its_reminder_counts_if_it_is_sent(row)

    def its_state_is_that_of_its_mail(self, row: Any) -> None:
        mail = [each for each in self.tables()["outbox"] if each.payload.get("invitation_id") == row.id]
        letter = next(each for each in mail if each.kind == MessageKind.INVITATION)
        dropped = not (letter.delivered_at or letter.next_try_at or letter.last_error)
        right = {
            "queued": not letter.delivered_at and not dropped,
            "sent": bool(letter.delivered_at),
            "bounced": any(each.last_error for each in mail),
            "not_sent": dropped,
        }
        holds(8, right.get(row.state), f"{row} with {mail}")

    def its_reminder_counts_if_it_is_sent(self, row: Any) -> None:
        reminders = [
            each
            for each in self.tables()["outbox"]
            if each.payload.get("invitation_id") == row.id
            and each.kind == MessageKind.INVITATION_REMINDER
            and (each.delivered_at or each.next_try_at or each.last_error)
        ]
        holds(8, len(reminders) == (1 if row.reminded_at else 0), f"{row} has the reminders {reminders}")
