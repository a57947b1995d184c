"""Lighthouse on the pages by which people come and stay, as a phone of the middle class sees them.

Form factor and throttling are Lighthouse's own: a phone, and the time that each file would take on a slow network is
computed from what was loaded. The machine's own speed is in it all the same, so the median of three runs counts.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from audit import tools
from audit.site import FRIEND, MEMBER, VISITOR, Site
from tests import chromium

RUNS, TRIES = 3, 3
PERFORMANCE, ACCESSIBILITY, PRACTICES, SEO = "performance", "accessibility", "best-practices", "seo"
WANTED = {PERFORMANCE: 98, ACCESSIBILITY: 100, PRACTICES: 100, SEO: 100}


@dataclass(frozen=True)
class Subject:
    """A page that is looked at; search engines see the public ones."""

    name: str
    who: str
    path: str
    is_public: bool = True


@dataclass(frozen=True)
class Scores:
    """What Lighthouse says of a page."""

    subject: Subject
    points: dict[str, int]  # by category
    lacks: list[str]  # what it takes points off for
    figures: str  # the times behind the performance

    @property
    def missed(self) -> list[str]:
        """Return the categories with less than is wanted."""
        return [category for category, points in self.points.items() if points < WANTED[category]]


def subjects(site: Site) -> list[Subject]:
    """Return what is looked at, the personal page of an invitation where there is one."""
    found = [
        Subject("home", VISITOR, "/"),
        Subject("signup, referred", FRIEND, "/signup"),
        Subject("dashboard", MEMBER, "/dashboard/", is_public=False),
        Subject("leaderboard", VISITOR, "/leaderboard"),
    ]
    if path := personal_page(site):
        found.insert(2, Subject("join", FRIEND, path))
    return found


def personal_page(site: Site) -> str | None:
    """Return where a member's link leads, if not to the form: to the page of the member who invites."""
    answer = site.people[FRIEND].request.get(site.link, max_redirects=0)
    path = answer.headers.get("location", "")
    return None if path.startswith("/signup") else path


def look(site: Site, subject: Subject) -> Scores:
    """Run Lighthouse a few times, and return the run of the median. Raises GivenUp."""
    runs = sorted((_run(site, subject) for _ in range(RUNS)), key=lambda run: _points(run)[PERFORMANCE])
    middle = runs[RUNS // 2]
    points = _points(middle)
    points |= {each: int(median(_points(run)[each] for run in runs)) for each in points}
    audits = middle["audits"]
    times = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")
    figures = ", ".join(f"{audits[each]['title']} {audits[each]['displayValue']}" for each in times)
    return Scores(subject, points, _lacks(middle), figures)


class GivenUp(Exception):
    """Lighthouse could not say anything, however often it was asked."""


def _run(site: Site, subject: Subject) -> dict[str, Any]:
    wanted = [each for each in WANTED if each != SEO or subject.is_public]
    command: list[str | Path] = [
        tools.node(), tools.module("lighthouse/cli/index.js"), site.base_url + subject.path,
        "--quiet", "--output=json", "--output-path=stdout", "--no-enable-error-reporting",
        f"--only-categories={','.join(wanted)}",
        f"--chrome-flags={' '.join(('--headless=new', *chromium.OPTIONS))}",
        f"--extra-headers={json.dumps({'Cookie': site.cookies(subject.who)})}",
    ]  # fmt: skip
    for _ in range(TRIES):  # on a busy machine the browser is not always there in time
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=tools.environment(), timeout=180
        )
        if done.returncode == 0:
            run: dict[str, Any] = json.loads(done.stdout)
            return run
    raise GivenUp(done.stderr.strip()[-500:])


def _points(run: dict[str, Any]) -> dict[str, int]:
    return {name: round(100 * (category["score"] or 0)) for name, category in run["categories"].items()}


def _lacks(run: dict[str, Any]) -> list[str]:
    """Name what has weight and is not perfect."""
    audits = run["audits"]
    return [
        f"{name}: {audits[ref['id']]['title']}{_where(audits[ref['id']])}"
        for name, category in run["categories"].items()
        for ref in category["auditRefs"]
        if ref["weight"] and (audits[ref["id"]]["score"] or 0) < (0.9 if name == PERFORMANCE else 1)
        if audits[ref["id"]]["scoreDisplayMode"] not in {"notApplicable", "manual", "informative"}
    ]


def _where(audit: dict[str, Any]) -> str:
    items = audit.get("details", {}).get("items", [])
    snippets = [item["node"]["snippet"] for item in items if isinstance(item.get("node"), dict)]
    return f" ({audit.get('displayValue') or '; '.join(snippets[:3])})"
