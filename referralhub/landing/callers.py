"""Who asks for a link: a person who opens it, a program that looks at it, or a page that hides it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any

import crawleruseragents

from referralhub.remembered import remembered

LONGEST = 500  # characters of a user agent
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


def caller(environ: Mapping[str, Any]) -> Caller:
    """Judge by what the headers of a request say of it (Fetch Metadata, W3C; the user agent)."""
    says = environ.get
    if "prefetch" in says("HTTP_SEC_PURPOSE", says("HTTP_PURPOSE", says("HTTP_X_MOZ", ""))):
        return Caller.PREFETCH
    if _is_crawler(says("HTTP_USER_AGENT", "")):
        return Caller.CRAWLER
    # Browsers without these headers are old or on plain http; they are believed.
    if says("HTTP_SEC_FETCH_DEST", "document") != "document" or says("HTTP_SEC_FETCH_MODE", "navigate") != "navigate":
        return Caller.EMBEDDED
    return Caller.PERSON


@remembered(10_000, LONGEST)
def _is_crawler(user_agent: str) -> bool:
    return bool(user_agent) and _crawlers().search(user_agent) is not None


@cache
def _crawlers() -> re.Pattern[str]:
    patterns = [entry["pattern"] for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    return re.compile("|".join(pattern for pattern in patterns if not TOOLS.search(pattern)))
