"""What members claimed, and handing it over."""

from typing import Any

from flask import flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from sqlalchemy.orm import selectinload
from werkzeug.wrappers import Response

from referralhub.admin import links
from referralhub.admin.access import actor
from referralhub.admin.filters import Day, OneOf
from referralhub.admin.lists import ListPage
from referralhub.admin.search import of_member
from referralhub.clock import now
from referralhub.models import Profile, Redemption
from referralhub.services.perks import claims
from referralhub.urls import local_path
from referralhub.words.language import N_

CONDITIONS = {"waiting": Redemption.fulfilled_at.is_(None), "handed over": Redemption.fulfilled_at.is_not(None)}
STATES = {"waiting": N_("waiting"), "handed over": N_("handed over")}


class Claims(ListPage):
    """Everything that was claimed."""

    list_template = "admin/claims.html"
    about = N_("What members claimed. Coupons are handed over at once; the rest waits until one of you has done it.")
    columns = {
        "id": N_("Number"),
        "perk.name": N_("Perk"),
        "profile.user.called": N_("Member"),
        "created": N_("Claimed"),
        "fulfilled_at": N_("Handed over"),
    }
    column_searchable_list = ("perk.name", *of_member("profile.user"))
    column_sortable_list = ("id", "created", "fulfilled_at")
    column_filters = (
        OneOf(Redemption.fulfilled_at, N_("State"), CONDITIONS, STATES),
        Day(Redemption.created, N_("Claimed since")),
        Day(Redemption.created, N_("Claimed until"), until=True),
    )
    load = (selectinload(Redemption.perk), selectinload(Redemption.profile).selectinload(Profile.user))

    def shown(self, row: Redemption, column: str) -> Any:
        """Return a cell as people read it, with links to perk and member."""
        words = super().shown(row, column)
        if column == "perk.name":
            return links.link(words, links.address("perk", row.perk_id))
        if column == "profile.user.called":
            return links.member(row.profile.user_id, words)
        return words

    @expose("/<row:row_id>/fulfil", methods=["POST"])
    def fulfil(self, row_id: int) -> Response:
        """Note that it was handed over, and go back to where the button was."""
        done = claims.fulfil(row_id, actor(), now())
        flash(_("Noted: it was handed over.") if done else _("It was handed over before."))
        return redirect(local_path(request.form.get("next") or url_for(".index_view")), 303)
