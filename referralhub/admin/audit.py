"""The audit log: who did what to the program, and whether anybody tampered with it."""

from typing import Any, ClassVar

from flask_admin import expose
from sqlalchemy.orm import selectinload

from referralhub.admin import links
from referralhub.admin.filters import Choice, Contains, Day
from referralhub.admin.lists import ListPage
from referralhub.models import AuditLine, Role
from referralhub.services.shared import audit
from referralhub.words.audit import audit_reason, change_in_words, subject_in_words
from referralhub.words.language import N_


class Audit(ListPage):
    """Every action, the newest first."""

    list_template = "admin/audit.html"
    about = N_(
        "Every action of an admin, an operator or the system. Each line seals the one before it; none is ever changed."
    )
    columns = {
        "id": N_("Number"),
        "created": N_("When"),
        "role": N_("As"),
        "actor.username": N_("Who"),
        "action": N_("Action"),
        "subject": N_("On what"),
        "before": N_("Change"),
        "reason": N_("Why"),
    }
    column_searchable_list = ("action", "reason", "actor.username")
    column_sortable_list = ("id", "created")
    column_filters = (
        Choice(AuditLine.role, N_("As"), of=Role),
        Contains(AuditLine.action, N_("Action")),
        Contains(AuditLine.subject, N_("On what")),
        Day(AuditLine.created, N_("Since")),
        Day(AuditLine.created, N_("Until"), until=True),
    )
    column_formatters: ClassVar = {
        "subject": lambda _view, _context, line, _name: subject_in_words(line),
        "before": lambda _view, _context, line, _name: change_in_words(line),
        "reason": lambda _view, _context, line, _name: audit_reason(line),
    }
    load = (selectinload(AuditLine.actor),)

    def shown(self, row: AuditLine, column: str) -> Any:
        """Return a cell as people read it, with links to who acted and to what it was about."""
        words = super().shown(row, column)
        if column == "subject":
            return links.link(words, links.address(row.subject, row.subject_id))
        if column == "actor.username" and row.actor:
            return links.member(row.actor.id, words)
        return words

    @expose("/verify")
    def verify(self) -> str:
        """Read the whole log, and say whether each line follows from the one before."""
        return self.render("admin/audit_verify.html", chain=audit.verify())
