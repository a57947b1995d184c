"""Where the things are that lists speak of."""

from flask import url_for
from markupsafe import Markup

# The page of each kind of thing that the audit log knows, or its list; whatever has neither stays plain text.
PAGES = {
    "member": "admin_members.show",
    "referral": "admin_referrals.show",
    "perk": "admin_perks.show",
}
LISTS = {
    "program": "admin_program.index",
    "claim": "admin_claims.index_view",
    "message": "admin_mail.index_view",
    "reward": "admin_rewards_due.index_view",
}


def address(subject: str, row_id: int | None) -> str | None:
    """Return the address of a thing's page in the panel, or of the list that it is in, if there is one."""
    if subject in PAGES and row_id is not None:
        return url_for(PAGES[subject], row_id=row_id)
    return url_for(LISTS[subject]) if subject in LISTS else None


def link(words: object, url: str | None) -> Markup | object:
    """Write words as a link, or as they are."""
    return Markup('<a href="{}">{}</a>').format(url, words) if url else words


def member(user_id: int, name: str) -> Markup | object:
    """Name a member, with a link to the page about them."""
    return link(name, address("member", user_id))
