"""The panel for those who run the program: Flask-Admin in the product's own clothes."""

from flask import Flask
from flask_admin import Admin

from referralhub.admin.growth import Growth
from referralhub.admin.members import Members
from referralhub.admin.program import Rules
from referralhub.models import User


def init_app(app: Flask) -> None:
    """Put the panel at /admin/. An application has a panel of its own, since views know theirs."""
    panel = Admin(name="ReferralHub", url="/admin", index_view=Growth("Growth", endpoint="admin", url="/admin"))
    views = (
        Members(User, "Members", "members"),
        Rules("Program", endpoint="admin_program", url="/admin/program"),
    )
    for view in views:
        panel.add_view(view)
    panel.init_app(app)
