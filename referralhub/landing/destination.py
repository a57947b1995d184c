"""Where a followed link leads: one decision, for the fast path and for the view."""

from flask import Response

from referralhub.services.brand.in_force import Branding
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.sessions import visit_tokens


def address(root: str, visit: FollowedLink, secret_key: str, brand: Branding) -> str:
    """Write the address that a followed link leads to, with the visit in it for a browser that does not know of it.

    `root` is the path that we are below. What is known of the `brand` may be some seconds old: each of the two pages
    sends on to the other where that is the right one by now.
    """
    page = "join" if brand.personal_landing else "signup"
    return f"{root}/{page}?visit={visit_tokens.seal(visit, secret_key)}"


def lead_to(location: str) -> Response:
    """Lead there."""
    return Response(status=302, headers={"Location": location, "Vary": "Cookie"})
