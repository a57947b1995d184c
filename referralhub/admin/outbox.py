"""The outbox: what is on its way, what arrived, and what has to be sent again."""

from typing import Any, ClassVar

from flask import flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import selectinload
from werkzeug.wrappers import Response

from referralhub.admin import links
from referralhub.admin.access import actor
from referralhub.admin.filters import Choice, OneOf
from referralhub.admin.lists import ListPage
from referralhub.admin.search import of_member
from referralhub.clock import now
from referralhub.models import MessageKind, OutboxMessage
from referralhub.services.mailing import outbox
from referralhub.services.mailing.outbox import MailState
from referralhub.services.shared.errors import Conflict
from referralhub.urls import local_path
from referralhub.words.errors import say
from referralhub.words.language import N_, translated
from referralhub.words.mail import STATES


class Mail(ListPage):
    """Every message."""

    list_template = "admin/mail.html"
    about = N_(
        "What the program mails. A message that was given up is a dead letter: remove the cause, then send it again. "
        "What nobody wants any more is not sent."
    )
    columns = {
        "id": N_("Number"),
        "kind": N_("Kind"),
        "user.called": N_("Member"),
        "address": N_("To"),
        "attempts": N_("Tries"),
        "delivered_at": N_("State"),
        "next_try_at": N_("Next try"),
        "created": N_("Written"),
    }
    column_searchable_list = (*of_member("user"), "user.email", "address")
    column_sortable_list = ("id", "attempts", "next_try_at", "created")
    column_filters = (
        OneOf(
            OutboxMessage.next_try_at,
            N_("State"),
            {state.value: condition for state, condition in outbox.IN_STATE.items()},
            {state.value: words for state, words in STATES.items()},
        ),
        Choice(OutboxMessage.kind, N_("Kind"), of=MessageKind),
    )
    column_formatters: ClassVar = {
        "address": lambda _view, _context, message, _name: message.address or message.user.email,
        "delivered_at": lambda _view, _context, message, _name: state(message),
        "next_try_at": lambda _view, _context, message, _name: None if message.delivered_at else message.next_try_at,
    }
    load = (selectinload(OutboxMessage.user),)

    def shown(self, row: OutboxMessage, column: str) -> Any:
        """Return a cell as people read it, with a link to the member."""
        words = super().shown(row, column)
        return links.member(row.user_id, words) if column == "user.called" else words

    def is_dead(self, message: OutboxMessage) -> bool:
        """Whether a message can be sent again."""
        return outbox.state_of(message) is MailState.GIVEN_UP

    def dead(self) -> int:
        """Count what can be sent again."""
        return outbox.backlog(now()).dead

    @expose("/<row:row_id>/again", methods=["POST"])
    def send_again(self, row_id: int) -> Response:
        """Send one dead letter again."""
        try:
            sent = outbox.send_again(now(), row_id, actor())
        except Conflict as error:
            flash(say(error))
        else:
            flash(_("It is on its way again.") if sent else _("It was on its way already, or has arrived."))
        return self._back()

    @expose("/again", methods=["POST"])
    def send_all_again(self) -> Response:
        """Send every dead letter again."""
        sent = outbox.send_again(now(), actor=actor())
        flash(
            ngettext("%(num)d is on the way again.", "%(num)d are on the way again.", sent)
            if sent
            else _("There is no dead letter left.")
        )
        return self._back()

    def _back(self) -> Response:
        return redirect(local_path(request.form.get("next") or url_for(".index_view")), 303)


def state(message: OutboxMessage) -> str:
    """Return in words where a message is, with the mail server's reason where there is one."""
    words = translated(STATES[outbox.state_of(message)])
    return f"{words}: {message.last_error}" if message.last_error else words
