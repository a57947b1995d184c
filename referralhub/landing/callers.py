"""Who asks for a link: a person who opens it, a program that looks at it, or a page that hides it."""

import re
from enum import StrEnum
from functools import cache, lru_cache

import crawleruseragents
from werkzeug.datastructures import Headers

# Programs in the kept list that are not crawlers by themselves; who cheats with one is for the fraud rules.
TOOLS = re.compile(
    r"HeadlessChrome|[Pp]ython|aiohttp|httpx|curl|[wW]get|Go-http-client|okhttp|axios|libwww|HttpClient|HttpUrlConnection"
    r"|node-fetch|undici|PhantomJS|Playwright|Puppeteer|Cypress"
)


class Caller(StrEnum):
    """Whom a link has to do with."""

    PERSON = "person"
    CRAWLER = "crawler"
    EMBEDDED = "embedded"  # a hidden image, a frame, a script's fetch
    PREFETCH = "prefetch"  # a browser that guesses where its person might go


def caller(headers: Headers) -> Caller:
    """Judge by what the request says of itself (Fetch Metadata, W3C; the user agent)."""
    if "prefetch" in headers.get("Sec-Purpose", headers.get("Purpose", headers.get("X-Moz", ""))):
        return Caller.PREFETCH
    if _is_crawler(headers.get("User-Agent", "")):
        return Caller.CRAWLER
    # Browsers without these headers are old or on plain http; they are believed.
    if (
        headers.get("Sec-Fetch-Dest", "document") != "document"
        or headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    ):
        return Caller.EMBEDDED
    return Caller.PERSON


def opens_a_page(headers: Headers) -> bool:
    """Whether a browser says that a person opens a page; what scans mails for bad links does not say so."""
    return headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"


@lru_cache(10_000)
def _is_crawler(user_agent: str) -> bool:
    return bool(user_agent) and _crawlers().search(user_agent) is not None


@cache
def _crawlers() -> re.Pattern[str]:
    patterns = [entry["pattern"] for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    return re.compile("|".join(pattern for pattern in patterns if not TOOLS.search(pattern)))
