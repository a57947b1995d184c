"""The settings' front door."""

from flask import Blueprint, redirect, url_for
from flask_login import login_required
from werkzeug.wrappers import Response

bp = Blueprint("account", __name__)


@bp.get("/account/")
@login_required
def home() -> Response:
    """Go to the first of the pages."""
    return redirect(url_for("account.public_profile"))
