"""What becomes of an invitation, from the queue to the new member."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Update, func, or_, select, update
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import Invitation, InvitationState, MessageKind, OutboxMessage, Profile
from referralhub.services.shared import figure_changes


def note_visited(invitation_id: int, code: str, now: datetime) -> None:
    """Remember that the invited person followed the link of the member with this code."""
    with transaction() as session:
        profile_id = session.scalar(select(Profile.id).where(Profile.code == code))
        _advance(session, invitation_id, profile_id, InvitationState.VISITED, now)


def note_joined(session: Session, invitation_id: int, profile_id: int, friend_id: int, now: datetime) -> None:
    """Remember who joined by an invitation's own link; part of the caller's transaction."""
    _advance(session, invitation_id, profile_id, InvitationState.JOINED, now, friend_id=friend_id)


def note_confirmed(session: Session, profile_id: int, address: str, now: datetime) -> None:
    """Remember that an address is this member's, whoever invited it; part of the caller's transaction.

    It is called when the member has shown to read the mail there: anybody can type in an address.
    """
    referrer_id = session.scalar(select(Profile.referred_by_id).where(Profile.id == profile_id))
    there = func.lower(Invitation.address) == address.lower()
    for line in session.execute(select(Invitation.id, Invitation.profile_id).where(there)).all():
        theirs = line.profile_id == referrer_id
        state = InvitationState.JOINED if theirs else InvitationState.JOINED_OTHERWISE
        _advance(session, line.id, None, state, now)


def note_posted(session: Session, message: OutboxMessage, now: datetime) -> None:
    """Remember that an invitation went out, or its reminder; part of the caller's transaction."""
    if message.kind in (MessageKind.INVITATION, MessageKind.INVITATION_REMINDER):
        _advance(session, message.payload["invitation_id"], None, InvitationState.SENT, now)


def note_bounced(session: Session, message: OutboxMessage, now: datetime) -> None:
    """Remember that there is no such mailbox; part of the caller's transaction."""
    if message.kind in (MessageKind.INVITATION, MessageKind.INVITATION_REMINDER):
        _advance(session, message.payload["invitation_id"], None, InvitationState.BOUNCED, now)


def note_unwanted(session: Session, message: OutboxMessage, now: datetime) -> None:
    """Remember that mail was not sent, as nobody wanted it any more; part of the caller's transaction.

    A reminder that was not sent was none.
    """
    if message.kind is MessageKind.INVITATION:
        _advance(session, message.payload["invitation_id"], None, InvitationState.NOT_SENT, now)
    if message.kind is MessageKind.INVITATION_REMINDER:
        unsent = Invitation.id == message.payload["invitation_id"]
        _change(session, update(Invitation).where(unsent).values(reminded_at=None))


def erase(session: Session, profile_id: int, addresses: Collection[str]) -> None:
    """Forget whom a member invited, and who was invited as that member; part of the caller's transaction.

    The addresses are the member's own, in lower case.
    """
    session.execute(update(Invitation).where(Invitation.profile_id == profile_id).values(address=None, words=""))
    theirs = or_(func.lower(Invitation.address).in_(addresses), Invitation.friend_id == profile_id)
    # Mail to them that was not sent yet never will be.
    session.execute(
        update(Invitation)
        .where(theirs, Invitation.state == InvitationState.QUEUED)
        .values(state=InvitationState.NOT_SENT)
    )
    _change(session, update(Invitation).where(theirs).values(address=None))


# From which states an invitation can come to each; what happens late or twice changes nothing.
_BEFORE: dict[InvitationState, list[InvitationState]] = {
    # Mail that came back can be sent again, and some was under way when it was given up.
    InvitationState.SENT: [InvitationState.QUEUED, InvitationState.BOUNCED, InvitationState.NOT_SENT],
    InvitationState.BOUNCED: [InvitationState.QUEUED, InvitationState.SENT],
    InvitationState.VISITED: [InvitationState.QUEUED, InvitationState.SENT],
    InvitationState.NOT_SENT: [InvitationState.QUEUED],
    InvitationState.JOINED: [state for state in InvitationState if state is not InvitationState.JOINED],
    InvitationState.JOINED_OTHERWISE: [
        state for state in InvitationState if state not in (InvitationState.JOINED, InvitationState.JOINED_OTHERWISE)
    ],
}


def _advance(
    session: Session,
    invitation_id: int,
    profile_id: int | None,
    state: InvitationState,
    now: datetime,
    **values: Any,
) -> None:
    query = update(Invitation).where(Invitation.id == invitation_id, Invitation.state.in_(_BEFORE[state]))
    if profile_id is not None:
        query = query.where(Invitation.profile_id == profile_id)
    _change(session, query.values(state=state, changed=now, **values))


def _change(session: Session, statement: Update) -> None:
    """Change invitations; the dashboards of those who sent them say what could be done next."""
    figure_changes.note(session, *session.scalars(statement.returning(Invitation.profile_id)))
