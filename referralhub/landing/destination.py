"""Where a followed link leads: one decision, for the fast path and for the view.

To the product's own page, where the program names one, with the click in a token; else to one of our two pages with
the form, with the visit in their address for a browser that does not know of it.
"""

from datetime import datetime
from functools import lru_cache

from flask import Flask, Response, g
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from referralhub.services.brand.in_force import Branding, InForce
from referralhub.services.referrals import attribution, clicks
from referralhub.services.referrals.attribution import FollowedLink
from referralhub.sessions import visit_tokens
from referralhub.sessions.interface import Arrival, Arrived, Sessions

CLICK = "rh"  # the name of the click in the query of a product's page


def after(sessions: Sessions, arrived: Arrived, root: str, now: datetime) -> str:
    """Write the address that somebody is led to who has arrived by a link; `root` is the path that we are below.

    It takes no query, but for one after a change of the rules, and those that find out which of several links counts
    where the first one does.
    """
    app, link = sessions.app, arrived.link
    brand = _in_force(app, arrived.version)
    if brand.destination and brand.first_touch and arrived.arrival is Arrival.KEPT:
        link = _first_of(sessions, arrived, now)
    return address(root, link, app.config["SECRET_KEY"], brand)


def address(root: str, visit: FollowedLink, secret_key: str, brand: Branding, *, without_session: bool = False) -> str:
    """Write the address that a followed link leads to.

    Each of our own two pages sends on to the other where that is the right one by now.
    """
    if brand.destination:
        before, behind = _around_click(brand.destination)
        return f"{before}{clicks.seal(visit, secret_key)}{behind}"
    page = "join" if brand.personal_landing else "signup"
    more = "&without_session=1" if without_session else ""
    return f"{root}/{page}?visit={visit_tokens.seal(visit, secret_key)}{more}"


def lead_to(location: str) -> Response:
    """Lead there."""
    return Response(status=302, headers={"Location": location, "Vary": "Cookie"})


@lru_cache(16)
def _around_click(destination: str) -> tuple[str, str]:
    """Return what stands before a click in a product's address, and behind it."""
    page, hash_, fragment = destination.partition("#")
    return f"{page}{'&' if '?' in page else '?'}{CLICK}=", hash_ + fragment


def _in_force(app: Flask, version: bytes | None) -> Branding:
    """Return what is in force, of which Redis says the version in the same answer as what became of a click."""
    keeper: InForce = app.extensions["brand"]
    if keeper.is_of(version):
        return keeper.known.brand
    with app.app_context():
        g.in_a_hurry = True
        keeper.note(version)
        return keeper.get().brand


def _first_of(sessions: Sessions, arrived: Arrived, now: datetime) -> FollowedLink:
    """Return the link that counts of those that were followed in this browser; this one while nobody can say."""
    try:
        with sessions.app.app_context():
            g.in_a_hurry = True
            return attribution.choose(sessions.links_in(arrived.sid), now)[0] or arrived.link
    except (RedisError, SQLAlchemyError):
        return arrived.link
