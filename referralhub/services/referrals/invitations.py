"""Invitations by mail: who may be invited, and what became of it.

They follow the PayPal case of the founding article, with limits that keep a member from becoming a spammer.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from referralhub.database import insert, reading, transaction
from referralhub.models import (
    Invitation,
    InvitationState,
    MailRefusal,
    MessageKind,
    Profile,
    Terms,
    User,
)
from referralhub.services.ledger import entries
from referralhub.services.mailing import outbox
from referralhub.services.mailing.addresses import address_hash
from referralhub.services.program import rules
from referralhub.services.shared import figure_changes, parts
from referralhub.services.shared.errors import CannotInvite
from referralhub.services.shared.names import shown_name
from referralhub.services.shared.parts import Part

DAILY = 20  # invitations that one member can send in 24 hours
LONGEST_WORDS = 500
REMIND_AFTER = timedelta(days=3)
SAME_CLICK = timedelta(minutes=1)  # within which a second reminder is the first, sent again by an impatient browser
_WAITING = (InvitationState.SENT, InvitationState.VISITED)
_Text = ColumnElement[str] | InstrumentedAttribute[str] | InstrumentedAttribute[str | None] | str


class Objection(StrEnum):
    """Why an address is not invited."""

    OWN = "own_address"
    MEMBER = "is_member"
    REFUSED = "refuses_invitations"
    INVITED = "invited_before"
    OVER_LIMIT = "over_daily_limit"


@dataclass(frozen=True)
class Plan:
    """Who is to be invited, and who is not and why."""

    invited: list[str]
    refused: dict[str, Objection]


@dataclass(frozen=True)
class InvitationPage:
    """One part of a member's invitations, and how many they can send today."""

    part: Part[Invitation]
    left_today: int
    now: datetime
    closed: Collection[int]  # the numbers of those to whose address no more mail goes

    def can_remind(self, line: Invitation) -> bool:
        """Whether a reminder is due, was not sent yet, and would be."""
        return _can_remind(line, self.now) and line.id not in self.closed


def check_allowed(user: User) -> None:
    """Raise CannotInvite unless the program has invitations and the member's own address is confirmed."""
    if not rules.current().email_invitations:
        raise CannotInvite("invitations_off")
    if user.verified_at is None:
        raise CannotInvite("own_address_unconfirmed")


def plan(user: User, addresses: Sequence[str], now: datetime, members: Collection[str] = ()) -> Plan:
    """Return which of these addresses would be invited. Three queries, however many addresses. Raises CannotInvite.

    `members` are addresses of accounts, in lower case. Who only looks is not told of them: nothing limits looking.
    """
    check_allowed(user)
    by_hash = {address_hash(address): address for address in addresses}
    refusing = set(
        reading().scalars(select(MailRefusal.address_hash).where(MailRefusal.address_hash.in_(list(by_hash))))
    )
    before = set(reading().scalars(select(Invitation.address_hash).where(Invitation.address_hash.in_(list(by_hash)))))
    left = _left_today(user.profile.id, now)
    found = Plan([], {})
    for digest, address in by_hash.items():
        if address.lower() == user.email.lower():
            found.refused[address] = Objection.OWN
        elif address.lower() in members:
            found.refused[address] = Objection.MEMBER
        elif digest in refusing:
            found.refused[address] = Objection.REFUSED
        elif digest in before:
            found.refused[address] = Objection.INVITED
        elif len(found.invited) >= left:
            found.refused[address] = Objection.OVER_LIMIT
        else:
            found.invited.append(address)
    return found


def invite(user: User, addresses: Sequence[str], words: str, now: datetime) -> Plan:
    """Invite those who can be invited, with the member's own words; says who was and who was not.

    Raises CannotInvite.
    """
    with transaction() as session:
        entries.lock_profile(session, user.profile.id)  # two forms sent at once must not pass the limit together
        found = plan(user, addresses, now, _members_among(addresses))
        # Everybody in the same order, or two members with the same friends would wait for each other.
        for address in sorted(found.invited, key=str.lower):
            invitation_id = session.scalar(
                insert(Invitation)
                .values(
                    profile_id=user.profile.id, address=address, address_hash=address_hash(address),
                    words=words, state=InvitationState.QUEUED, changed=now, created=now,
                )
                .on_conflict_do_nothing(index_elements=["address_hash"])
                .returning(Invitation.id)
            )  # fmt: skip
            if invitation_id is None:  # another member was quicker by a moment
                found.invited.remove(address)
                found.refused[address] = Objection.INVITED
                continue
            kind, payload = MessageKind.INVITATION, {"invitation_id": invitation_id}
            outbox.queue(session, kind, user.id, f"{kind.value}:{invitation_id}", payload, now, address=address)
        if found.invited:
            figure_changes.note(session, user.profile.id)
    return found


def remind(user: User, invitation_id: int, now: datetime) -> None:
    """Send the one reminder that an invitation can have. Raises CannotInvite.

    One that would not be wanted when its turn comes is refused and not used up. The second of two clicks finds it sent.
    """
    check_allowed(user)
    with transaction() as session:
        line = session.scalar(
            select(Invitation)
            .where(Invitation.id == invitation_id, Invitation.profile_id == user.profile.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if line and line.reminded_at and now - line.reminded_at < SAME_CLICK:
            return
        if line is None or line.address is None or not _can_remind(line, now):
            raise CannotInvite("no_reminder_due")
        if session.scalar(select(_is_unwanted(line.address_hash, line.address))):
            raise CannotInvite("reminder_unwanted")
        line.reminded_at = now
        figure_changes.note(session, user.profile.id)
        kind, payload = MessageKind.INVITATION_REMINDER, {"invitation_id": line.id}
        key = f"{kind.value}:{line.id}:{secrets.token_hex(8)}"  # there may be an earlier one that was not sent
        outbox.queue(session, kind, user.id, key, payload, now, address=line.address)


def page_of(profile_id: int, after: int | None, now: datetime) -> InvitationPage:
    """Read a member's invitations, newest first. Two queries."""
    unwanted = _is_unwanted(Invitation.address_hash, Invitation.address)
    query = select(Invitation, unwanted).where(Invitation.profile_id == profile_id)
    rows = reading().execute(parts.newest(query, Invitation.id, after)).all()
    closed = {line.id for line, is_unwanted in rows if is_unwanted and line.state in _WAITING}
    return InvitationPage(parts.part([line for line, _ in rows], after), _left_today(profile_id, now), now, closed)


@dataclass(frozen=True)
class InvitationLetter:
    """What an invitation's mail says; `terms` are those in force, and `code` is that of the link."""

    inviter: str
    words: str
    terms: Terms
    code: str


def letter(invitation_id: int) -> InvitationLetter:
    """Return what an invitation's mail says."""
    words, name, code = (
        reading()
        .execute(
            select(Invitation.words, shown_name(User), Profile.shown_code)
            .join(Profile, Profile.id == Invitation.profile_id)
            .join(User, User.id == Profile.user_id)
            .where(Invitation.id == invitation_id)
        )
        .one()
    )
    return InvitationLetter(name, words, rules.current().terms, code)


def still_wanted(address: str) -> bool:
    """Whether an address neither refused nor joined since the invitation was queued. One query."""
    return not reading().scalar(select(_is_unwanted(address_hash(address), address)))


def token(invitation_id: int, secret_key: str) -> str:
    """Make what tells, in a link, which invitation it came from."""
    return _serializer(secret_key).dumps(invitation_id)


def read_token(text: str, secret_key: str) -> int | None:
    """Return the invitation that a link came from; None for anything that we did not sign."""
    try:
        invitation_id: int = _serializer(secret_key).loads(text)
    except BadSignature:
        return None
    return invitation_id


def _can_remind(line: Invitation, now: datetime) -> bool:
    waiting = line.state in _WAITING and line.address is not None
    return waiting and line.reminded_at is None and now - line.created >= REMIND_AFTER


def _is_unwanted(digest: _Text, address: _Text) -> ColumnElement[bool]:
    """Whether an address refused, or is that of an account, confirmed or not."""
    refused = select(MailRefusal.created).where(MailRefusal.address_hash == digest).exists()
    member = select(User.id).where(func.lower(User.email) == func.lower(address)).exists()
    return or_(refused, member)


def _members_among(addresses: Sequence[str]) -> set[str]:
    emails = [address.lower() for address in addresses]
    return set(reading().scalars(select(func.lower(User.email)).where(func.lower(User.email).in_(emails))))


def _left_today(profile_id: int, now: datetime) -> int:
    sent = select(func.count()).where(Invitation.profile_id == profile_id, Invitation.created > now - timedelta(days=1))
    return max(0, DAILY - (reading().scalar(sent) or 0))


def _serializer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt="invitation")
