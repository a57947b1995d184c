"""What a request tells about the browser that sends it, and how little of it is kept."""

from ipaddress import ip_address

from flask import request

from referralhub.security import client_address
from referralhub.services.fraud.signals import RequestOrigin

LONGEST = 500  # characters of a user agent that are looked at
VARIANTS = {"Mobile", "iOS", "WebView", "UI/WKWebView"}  # words that the library adds and people do not
SYSTEMS = {"Mac OS X": "Mac", "iOS": "iPhone", "Chrome OS": "ChromeOS"}  # as people call them


def request_origin() -> RequestOrigin:
    """Return where a request comes from, as far as it tells. A loopback address is no evidence of anything."""
    remote = client_address()
    try:
        local = ip_address(remote).is_loopback
    except ValueError:
        local = False
    return RequestOrigin(None if local else remote, request.user_agent.string[:LONGEST])


def opens_a_page() -> bool:
    """Whether a browser says that a person opens a page; what scans mails for bad links does not say so."""
    says = request.headers.get
    return says("Sec-Fetch-Mode") == "navigate" and says("Sec-Fetch-Dest") == "document" and not says("Sec-Purpose")


def browser_name() -> str:
    """Return the name of the browser that sends the request. No more of it is kept with a sign-in."""
    return name_of(request.user_agent.string[:LONGEST])


def name_of(agent: str) -> str:
    """Return what a member knows the browser of a user agent by, such as "Firefox on Linux"."""
    from ua_parser import parse_os, parse_user_agent  # noqa: PLC0415 - only a sign-in needs its thousand expressions

    browser, system = parse_user_agent(agent), parse_os(agent)
    name = _plain(browser.family if browser else "") or "A browser"
    place = "iPad" if "iPad" in agent else _known(system.family if system else "")
    return f"{name} on {place}" if place else name


def _plain(family: str) -> str:
    return " ".join(word for word in family.split() if word not in VARIANTS)


def _known(system: str) -> str:
    return SYSTEMS.get(system, system)
