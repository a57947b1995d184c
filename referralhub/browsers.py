"""What a request tells about the browser that sends it, and how little of it is kept."""

from ipaddress import ip_address

from flask import request

from referralhub.security import client_address
from referralhub.services.fraud.signals import RequestOrigin

# In this order: most browsers also name the ones they descend from.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
             ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"),
            ("Windows", "Windows"), ("Mac OS X", "Mac"), ("Linux", "Linux"))  # fmt: skip


def request_origin() -> RequestOrigin:
    """Return what a request tells about where it comes from. This machine itself is no evidence of anything."""
    remote = client_address()
    try:
        local = ip_address(remote).is_loopback
    except ValueError:
        local = False
    return RequestOrigin(None if local else remote, request.user_agent.string[:500])


def browser_name() -> str:
    """Return what a member signs in with, as they know it: "Firefox on Linux". No more of it is kept."""
    agent = request.user_agent.string
    browser = next((name for mark, name in _BROWSERS if mark in agent), "A browser")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser
