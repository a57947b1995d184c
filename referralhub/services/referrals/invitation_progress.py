"""What becomes of an invitation, from the queue to the new member."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from referralhub.database import transaction
from referralhub.models import Invitation, InvitationState, MessageKind, OutboxMessage, Profile


def note_visited(invitation_id: int, code: str, now: datetime) -> None:
    """Remember that the invited person followed the link of the member with this code."""
    with transaction() as session:
        profile_id = session.scalar(select(Profile.id).where(Profile.code == code))
        _advance(session, invitation_id, profile_id, InvitationState.VISITED, now)


def note_joined(session: Session, invitation_id: int, profile_id: int, friend_id: int, now: datetime) -> None:
    """Remember who the invited person became; part of the caller's transaction."""
    _advance(session, invitation_id, profile_id, InvitationState.JOINED, now, friend_id=friend_id)


def note_posted(session: Session, message: OutboxMessage, now: datetime) -> None:
    """Remember that an invitation went out; part of the caller's transaction."""
    if message.kind is MessageKind.INVITATION:
        _advance(session, message.payload["invitation_id"], None, InvitationState.SENT, now)


def note_bounced(session: Session, message: OutboxMessage, now: datetime) -> None:
    """Remember that there is no such mailbox; part of the caller's transaction."""
    if message.kind in (MessageKind.INVITATION, MessageKind.INVITATION_REMINDER):
        _advance(session, message.payload["invitation_id"], None, InvitationState.BOUNCED, now)


def erase(session: Session, profile_id: int, addresses: Collection[str]) -> None:
    """Forget whom a member invited, and who was invited as that member; part of the caller's transaction.

    The addresses are the member's own, in lower case.
    """
    session.execute(update(Invitation).where(Invitation.profile_id == profile_id).values(address=None, words=""))
    theirs = or_(func.lower(Invitation.address).in_(addresses), Invitation.friend_id == profile_id)
    session.execute(update(Invitation).where(theirs).values(address=None))


# From which states an invitation can come to each; what happens late or twice changes nothing.
_BEFORE = {
    InvitationState.SENT: [InvitationState.QUEUED],
    InvitationState.BOUNCED: [InvitationState.QUEUED, InvitationState.SENT],
    InvitationState.VISITED: [InvitationState.QUEUED, InvitationState.SENT],
    InvitationState.JOINED: [InvitationState.QUEUED, InvitationState.SENT, InvitationState.VISITED],
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
    session.execute(query.values(state=state, changed=now, **values))
