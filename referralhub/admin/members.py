"""Members, and what an admin can do for one."""

from sqlalchemy.orm import joinedload

from referralhub.admin.lists import Choice, Day, ListPage
from referralhub.models import User


class Members(ListPage):
    """Everybody who has an account, or had one."""

    about = "Everybody who has an account. Who deleted theirs stays as a former member, so that totals stay right."
    columns = {
        "id": "Number",
        "username": "User name",
        "email": "E-mail",
        "profile.code": "Code",
        "profile.referral_count": "Referrals",
        "verified_at": "Confirmed",
        "is_active": "Active",
        "is_admin": "Admin",
        "last_seen_at": "Last seen",
        "created": "Joined",
    }
    column_searchable_list = ("username", "email", "profile.code")
    column_sortable_list = ("id", "username", "profile.referral_count", "last_seen_at", "created")
    column_filters = (
        Choice(User.is_active, "Active"),
        Choice(User.is_admin, "Admin"),
        Day(User.created, "Joined since"),
        Day(User.created, "Joined until", until=True),
    )
    load = (joinedload(User.profile),)
