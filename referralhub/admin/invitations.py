"""Invitations by mail, as far as each has come."""

from typing import Any

from sqlalchemy.orm import selectinload

from referralhub.admin import links
from referralhub.admin.filters import Choice, Day
from referralhub.admin.lists import ListPage
from referralhub.admin.search import of_member
from referralhub.models import Invitation, InvitationState, Profile
from referralhub.words.language import N_


class Invitations(ListPage):
    """Everybody who was invited."""

    about = N_("Whom members invited by mail, and what became of it. An address that was erased is shown as a dash.")
    columns = {
        "id": N_("Number"),
        "profile.user.called": N_("Invited by"),
        "address": N_("Address"),
        "state": N_("State"),
        "created": N_("Invited"),
        "changed": N_("Last change"),
        "reminded_at": N_("Reminded"),
    }
    column_searchable_list = (*of_member("profile.user"), "address")
    column_sortable_list = ("id", "created", "changed")
    column_filters = (
        Choice(Invitation.state, N_("State"), of=InvitationState),
        Day(Invitation.created, N_("Invited since")),
        Day(Invitation.created, N_("Invited until"), until=True),
    )
    load = (selectinload(Invitation.profile).selectinload(Profile.user),)

    def shown(self, row: Invitation, column: str) -> Any:
        """Return a cell as people read it, with a link to the member."""
        words = super().shown(row, column)
        return links.member(row.profile.user_id, words) if column == "profile.user.called" else words
