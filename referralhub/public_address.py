"""What the address that people are given must look like."""

import re

PATH = r"(?:/[A-Za-z0-9_~][A-Za-z0-9._~-]*)*"  # a regular expression: what we may be below; "" is the whole site
TEST_PROGRAM = "_test"  # where the test program answers: no code begins so
OUR_PAGES = (
    "account|admin|api|avatars|brand|claims|dashboard|dev|healthz|join|leaderboard|llms.txt|login|logout"
    "|manifest.webmanifest|metrics|password|picture.png|privacy|readyz|robots.txt|sign-in|signup|sitemap.xml"
    f"|static|verify|{TEST_PROGRAM}"
)
PUBLIC_ADDRESS = (  # what all of it must look like, and what is wrong where it does not
    (r".+", "is missing"),
    (r"(?i:https?://).*", "does not begin with https:// or http://"),
    (r"[^?#]*", "has a ? or a # in it"),
    (r"[^@]*", "has a user name in it"),
    (r"\w+://[^/:\s\\][^/\s\\]*(?:/.*)?", "names no host that can be"),
    (rf"\w+://[^/]*{PATH}/*", "has a path with more in it than letters, digits, . _ ~ - and single slashes"),
    (rf"\w+://[^/]*(?:/(?!(?:{OUR_PAGES})(?:/|$)).*)?", "has a path that begins as pages of ours do"),
)


def wrong_with(url: str) -> str:
    """Return what is wrong with the look of an address, "" if nothing is."""
    return next((words for pattern, words in PUBLIC_ADDRESS if not re.fullmatch(pattern, url)), "")
