"""What a visit weighs: the bytes over the wire for a page and all that it loads, as the browser counts them."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext

# For the dashboard. Who comes again has everything but the page itself.
FIRST, AGAIN, REQUESTS = 60_000, 10_000, 8


@dataclass
class Visit:
    """What one visit loaded."""

    bytes: int = 0
    asked: dict[str, int] = field(default_factory=dict)  # bytes by address, of what came over the wire
    elsewhere: list[str] = field(default_factory=list)  # addresses of other hosts

    def __str__(self) -> str:
        number = len(self.asked)
        return f"{self.bytes / 1000:.1f} kB in {number} {'request' if number == 1 else 'requests'}"


def two_visits(browser: Browser, known: BrowserContext, address: str) -> tuple[Visit, Visit]:
    """Open a page as somebody whose browser has nothing of the site but its cookie, and then once more."""
    context = browser.new_context(storage_state=known.storage_state())
    first, again = _visit(context, address), _visit(context, address)
    context.close()
    return first, again


def too_much(first: Visit, again: Visit) -> list[str]:
    """Return what is more than it may be."""
    figures = (
        ("bytes on a first visit", first.bytes, FIRST),
        ("requests on a first visit", len(first.asked), REQUESTS),
        ("bytes on another visit", again.bytes, AGAIN),
    )
    found = [f"{number} {what}, {most} at most: {first.asked}" for what, number, most in figures if number > most]
    return found + [f"request to {address}" for address in first.elsewhere + again.elsewhere]


def _visit(context: BrowserContext, address: str) -> Visit:
    visit, addresses = Visit(), dict[str, str]()
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")

    def asked(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]
        parts = urlsplit(event["request"]["url"])
        if parts.scheme != "data" and parts.netloc != urlsplit(address).netloc:
            visit.elsewhere.append(event["request"]["url"])

    def came(event: dict[str, Any]) -> None:
        if size := event["encodedDataLength"]:
            visit.asked[addresses[event["requestId"]]] = round(size)
            visit.bytes += round(size)

    network.on("Network.requestWillBeSent", asked)
    network.on("Network.loadingFinished", came)
    page.goto(address, wait_until="networkidle")
    page.close()
    return visit
