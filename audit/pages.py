"""Which pages there are, found as people find them: by the routes' own addresses, by links, and by what is in mails.

There is no list to keep: a route that is added is looked at from then on, and one that gives nobody anything is named.
"""

import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import APIResponse
from playwright.sync_api import Page as Tab
from werkzeug.exceptions import HTTPException

from audit.site import FRIEND, MEMBER, NEWCOMER, PEOPLE, VISITOR, Site
from tests.everybody import routes
from tests.pages import filled_in, parse

FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial"}
PART = re.compile(r"<[^>]*>")
TRIES = 3  # addresses of one route that somebody tries for a page
OTHERWISE = {FRIEND: ("/signup", "/join"), NEWCOMER: ("/dashboard/",)}  # pages that look another way for some
# Members' links, which make a friend of who follows one; what pages load, what machines ask for, what takes a setting.
NO_PAGES = ("/<code:code>/", "/api/v1/", "/brand/", "/login/provider", "/metrics", "/static/")


@dataclass(frozen=True)
class Page:
    """One page, or a part of one, as one of the people gets it."""

    who: str
    rule: str  # of the route
    path: str
    html: str = field(repr=False)
    is_part: bool = False
    is_outage: bool = False

    def __str__(self) -> str:
        return f"{self.who}: {self.path}{' (part)' if self.is_part else ''}"


@dataclass
class Found:
    """What there is to look at."""

    pages: list[Page] = field(default_factory=list)
    parts: list[Page] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)  # the routes that gave somebody something
    wrong: list[str] = field(default_factory=list)  # links that lead nowhere, routes that give nobody anything

    def once(self) -> list[Page]:
        """Return each page as who sees least of those who see it, and those that differ for some as those, too."""
        chosen: dict[tuple[str, str], Page] = {}
        for page in self.pages:
            others = page.who if page.rule.startswith(OTHERWISE.get(page.who, ())) else ""
            if others or page.who != NEWCOMER:
                chosen.setdefault((page.rule, others), page)
        return list(chosen.values())


def crawl(site: Site) -> Found:
    """Open every page as everybody, and ask for the parts that htmx loads of them."""
    found = Found()
    rules = sorted(rule for method, rule, _ in routes(site.app) if method == "GET")
    for who in PEOPLE:
        _walk(site, who, rules, found)
    found.pages += _errors(site)
    silent = [rule for rule in rules if rule not in found.answered and not rule.startswith(NO_PAGES)]
    found.wrong += [f"{rule}: a route that gives nobody anything" for rule in silent]
    return found


def _walk(site: Site, who: str, rules: list[str], found: Found) -> None:
    """Open what there is for one of the people; what nothing leads to is asked for by a guess at the end."""
    queue = deque([rule for rule in rules if "<" not in rule] + site.mailed_paths() + site.handed_out)
    guesses = [PART.sub(guess, rule) for guess in ("1", "nonsense") for rule in rules if "<" in rule]
    seen: set[str] = set()
    tried: dict[str, int] = {}
    linked = True
    while queue or guesses:
        if not queue:
            queue, guesses, linked = deque(guesses), [], False
        path = queue.popleft()
        rule = _rule(site, path)
        if rule is None or rule.startswith(NO_PAGES) or {path, rule} & seen or tried.get(rule, 0) >= TRIES:
            continue
        seen.add(path)
        tried[rule] = tried.get(rule, 0) + 1
        answer = site.people[who].request.get(path, max_redirects=0)
        if answer.status < 400:
            found.answered.add(rule)
        elif linked and "<" in rule and answer.status not in {400, 401}:
            found.wrong.append(f"{who}: a link leads to {path}: {answer.status}")
        if answer.status != 200 or not _is_html(answer):
            continue
        seen.add(rule)
        page = Page(who, rule, path, answer.text())
        if "<html" not in page.html:
            found.parts.append(replace(page, is_part=True))
            continue
        found.pages.append(page)
        found.parts += [*_parts(site, page), *_refusals(site, page)]
        queue += _links(page)


def _errors(site: Site) -> Iterator[Page]:
    """Go astray, come with what is no longer good, and come while Redis is away."""
    astray = "/admin/members/"
    for who, rule, path in (
        (VISITOR, "404", "/nothing"), (MEMBER, "404 of a member", astray),
        (VISITOR, "400", "/account/unsubscribe/nonsense"), (VISITOR, "400 of a reset", "/password/reset/nonsense"),
    ):  # fmt: skip
        yield Page(who, f"error {rule}", path, site.people[who].request.get(path).text())
    with site.valkey.away():
        html = site.people[MEMBER].request.get("/dashboard/").text()
    yield Page(MEMBER, "error 503", "/dashboard/", html, is_outage=True)


@contextmanager
def opened(site: Site, page: Page) -> Iterator[Tab]:
    """Open it in its owner's browser. What was seen in an outage is shown as it was."""
    tab = site.people[page.who].new_page()
    tab.goto("/healthz" if page.is_outage else page.path)
    if page.is_outage:
        tab.set_content(page.html, wait_until="networkidle")
    yield tab
    tab.close()


def _rule(site: Site, path: str) -> str | None:
    """Return the route to which a path leads, None if to none that one can ask for something."""
    try:
        rule, _ = site.app.url_map.bind("localhost").match(urlsplit(path).path, "GET", return_rule=True)
    except HTTPException:
        return None
    return rule.rule


def _is_html(answer: APIResponse) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


def _links(page: Page) -> Iterator[str]:
    """Name the paths to which a page leads, with their queries."""
    for anchor in parse(page.html).all("a[href]"):
        parts = urlsplit(urljoin(page.path, anchor["href"]))
        if not parts.netloc and parts.scheme in {"", "http"}:
            yield parts.path + (f"?{parts.query}" if parts.query else "")


def _parts(site: Site, page: Page) -> Iterator[Page]:
    """Ask for what htmx puts into the page: the page itself as a part, and whatever its attributes name."""
    ask = site.people[page.who].request
    answers = [(page.path, ask.get(page.path, headers=FRAGMENT, max_redirects=0))]
    document = parse(page.html)
    forms = {id(each): form for form in document.all("form") for each in (form, *form.walk())}  # each is sent whole
    for element in document.walk():
        attributes = {name.removeprefix("data-"): value for name, value in element.attributes.items()}
        if path := attributes.get("hx-get"):
            answers.append((path, ask.get(path, headers=FRAGMENT, max_redirects=0)))
        if path := attributes.get("hx-post"):
            typed = filled_in(forms[id(element)])
            answers.append((path, ask.post(path, headers=FRAGMENT, form={**typed}, max_redirects=0)))
    for path, answer in answers:
        if _is_html(answer) and answer.status == 200 and "<html" not in (html := answer.text()):
            yield Page(page.who, page.rule, path, html, is_part=True)


def _refusals(site: Site, page: Page) -> Iterator[Page]:
    """Send the forms of a page with nothing in what has to be filled in, and return the page with what it says then."""
    ask = site.people[page.who].request
    for form in parse(page.html).all("form"):
        needed = {box["name"]: "" for box in form.all("[required]")}
        if needed and form.attributes.get("method") == "post":
            for headers in ({}, FRAGMENT):
                answer = ask.post(form["action"], headers=headers, form={**filled_in(form, **needed)}, max_redirects=0)
                if answer.status == 422:
                    html = answer.text()
                    yield Page(page.who, page.rule, f"{form['action']}, refused", html, is_part="<html" not in html)
