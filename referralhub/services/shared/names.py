"""What a member is called in public."""

from typing import Any

from sqlalchemy import ColumnElement, func

from referralhub.models import User


def shown_name(user: "type[User] | Any") -> ColumnElement[str]:
    """The display name where one was chosen, else the user name; never the address."""
    name: ColumnElement[str] = func.coalesce(func.nullif(user.display_name, ""), user.username)
    return name
