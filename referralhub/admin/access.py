"""Who gets into the panel: admins who lately typed their password, and signed in with two steps where that is required.

To everybody else it does not exist.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, current_app, redirect, request, url_for
from flask_admin import BaseView
from flask_login import current_user
from werkzeug.wrappers import Response

from referralhub.clock import now
from referralhub.models import Role
from referralhub.services.shared.audit import Actor
from referralhub.urls import here

Answer = Response | tuple[str, int]  # of a page that has a form: going on, or the page again with its status
PASSWORD_LASTS = timedelta(hours=2)  # then it is asked for again


def guard() -> Response | None:
    """Before every request: let nobody else below /admin, whichever path and method they try."""
    if request.path != "/admin" and not request.path.startswith("/admin/"):
        return None
    if not (current_user.is_authenticated and current_user.is_admin):
        abort(404)
    if current_app.config["SETTINGS"].require_admin_two_factor and not _proved_twice():
        return redirect(url_for("account.show_two_factor"), 303)
    if now() - current_user.sign_in.confirmed_at > PASSWORD_LASTS:
        # What was being sent is not sent twice: the page that it came from is shown again.
        back = here() if request.method == "GET" else url_for("admin.index")
        return redirect(url_for("account.confirm_password", next=back), 303)
    return None


def _proved_twice() -> bool:
    """Whether the password alone would not be enough; a provider asks for what it thinks right."""
    return current_user.has_two_factor or current_user.sign_in.by_provider


class AdminPage(BaseView):
    """A page of the panel."""

    about = ""  # a sentence below the heading, marked to be translated

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return fn(self, *args, **kwargs)  # the library's own tries a view that raised TypeError once more

    def create_blueprint(self, admin: Any) -> Blueprint:
        """Make the blueprint, without the library's static files and templates: these pages are our own."""
        blueprint: Blueprint = super().create_blueprint(admin)
        blueprint.template_folder = None
        return blueprint


def verification() -> dict[str, bool]:
    """Say whether a referral counts only once the friend's address is confirmed, as services take it."""
    return {"verification_required": current_app.config["SETTINGS"].require_email_verification}


def actor() -> Actor:
    """Name who acts, for the trail and the audit log."""
    return Actor(Role.ADMIN, current_user.id)
