"""Invitations by mail, as far as each has come."""

from typing import Any

from sqlalchemy.orm import selectinload

from referralhub.admin import links
from referralhub.admin.filters import Choice, Day
from referralhub.admin.lists import ListPage
from referralhub.models import Invitation, InvitationState, Profile


class Invitations(ListPage):
    """Everybody who was invited."""

    about = "Whom members invited by mail, and what became of it. An address that was erased is shown as a dash."
    columns = {
        "id": "Number",
        "profile.user.username": "Invited by",
        "address": "Address",
        "state": "State",
        "created": "Invited",
        "changed": "Last change",
        "reminded_at": "Reminded",
    }
    column_searchable_list = ("profile.user.username", "address")
    column_sortable_list = ("id", "created", "changed")
    column_filters = (
        Choice(Invitation.state, "State", of=InvitationState),
        Day(Invitation.created, "Invited since"),
        Day(Invitation.created, "Invited until", until=True),
    )
    load = (selectinload(Invitation.profile).selectinload(Profile.user),)

    def shown(self, row: Invitation, column: str) -> Any:
        """Return a cell as people read it, with a link to the member."""
        words = super().shown(row, column)
        return links.member(row.profile.user_id, words) if column == "profile.user.username" else words
